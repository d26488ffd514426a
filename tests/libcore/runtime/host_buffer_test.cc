#include "libcore/runtime/host_buffer.h"

#include <algorithm>
#include <cstdint>

#include <gtest/gtest.h>

namespace nemo {
namespace {

TEST(HostBuffer, IsZeroedAndAlignedInEverySize) {
  constexpr int64_t kMiB = 1 << 20;
  const struct {
    int64_t size_bytes;
    uintptr_t alignment;
  } kRows[] = {{0, 64},
               {1, 64},
               {4097, 64},
               {4 * kMiB - 1, 64},
               {4 * kMiB, 2 * kMiB},
               {7 * kMiB + 3, 2 * kMiB}};
  for (const auto& row : kRows) {
    // Twice, since memory that was given back may come again.
    for (int round = 0; round < 2; ++round) {
      auto buffer = HostBuffer::Allocate(row.size_bytes);
      ASSERT_TRUE(buffer.has_value()) << buffer.error().message();
      EXPECT_EQ((*buffer)->size_bytes(), row.size_bytes);
      auto* data = static_cast<char*>((*buffer)->data());
      EXPECT_EQ(reinterpret_cast<uintptr_t>(data) % row.alignment, 0u) << row.size_bytes;
      EXPECT_EQ(std::count(data, data + row.size_bytes, 0), row.size_bytes);
      std::fill_n(data, row.size_bytes, 'x');
    }
  }
}

TEST(HostBuffer, SaysWhenMemoryIsOut) {
  EXPECT_EQ(HostBuffer::Allocate(int64_t{1} << 60).error().code(), StatusCode::kIo);
  EXPECT_EQ(HostBuffer::Allocate(INT64_MAX).error().code(), StatusCode::kIo);
  EXPECT_EQ(HostBuffer::Allocate(-1).error().code(), StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace nemo
