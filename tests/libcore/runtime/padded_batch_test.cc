#include "libcore/runtime/padded_batch.h"

#include <gtest/gtest.h>

namespace nemo {
namespace {

TEST(PaddedBatch, HasFewSizesAndNoneBelowTheBatch) {
  EXPECT_EQ(PaddedBatch(1), 1);
  EXPECT_EQ(PaddedBatch(2), 2);
  EXPECT_EQ(PaddedBatch(3), 4);
  EXPECT_EQ(PaddedBatch(5), 8);
  EXPECT_EQ(PaddedBatch(9), 16);
  EXPECT_EQ(PaddedBatch(33), 40);
  EXPECT_EQ(PaddedBatch(256), 256);
  EXPECT_EQ(PaddedBatch(257), 0);
  for (int64_t size = 1; size <= 256; ++size) EXPECT_GE(PaddedBatch(size), size);
}

}  // namespace
}  // namespace nemo
