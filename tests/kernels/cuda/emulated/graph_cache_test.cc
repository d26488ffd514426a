// When a step is recorded, replayed, done as it is, and forgotten.
#include "kernels/cuda/graph_cache.h"

#include <vector>

#include <gtest/gtest.h>

#include "kernels/cuda/backend.h"
#include "kernels/reference/backend.h"
#include "libcore/base/format.h"
#include "tests/conformance/backend_ops.h"
#include "tests/kernels/cuda/emulator/runtime.h"

namespace nemo::cuda {
namespace {

class GraphCacheTest : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_EQ(cudaStreamCreateWithFlags(&stream_, 0), cudaSuccess); }
  void TearDown() override { cudaStreamDestroy(stream_); }

  /// A step that adds `amount` to the sum on the device.
  Status Step(GraphCache& cache, int64_t key, int amount = 1) {
    return cache.Run(key, stream_, [this, amount] {
      ++num_calls_;
      simt::Enqueue(stream_, [this, amount] { sum_ += amount; });
      return OkStatus();
    });
  }

  cudaStream_t stream_ = nullptr;
  int num_calls_ = 0, sum_ = 0;
};

TEST_F(GraphCacheTest, RunsOnceRecordsOnceThenReplays) {
  GraphCache cache;
  for (int i = 1; i <= 5; ++i) {
    ASSERT_TRUE(Step(cache, 8).ok());
    EXPECT_EQ(sum_, i);
    EXPECT_EQ(num_calls_, std::min(i, 2));
    EXPECT_EQ(cache.num_graphs(), i == 1 ? 0u : 1u);
  }
  ASSERT_TRUE(Step(cache, 16, 100).ok());
  ASSERT_TRUE(Step(cache, 8).ok());
  EXPECT_EQ(sum_, 106);
}

TEST_F(GraphCacheTest, ForgetsTheLeastRecentlyUsed) {
  GraphCache cache(2);
  for (const int64_t key : {1, 1, 2, 2, 1, 3, 3}) ASSERT_TRUE(Step(cache, key).ok());
  EXPECT_EQ(cache.num_graphs(), 2u);
  num_calls_ = 0;
  ASSERT_TRUE(Step(cache, 1).ok());
  EXPECT_EQ(num_calls_, 0) << "1 was used after 2";
  ASSERT_TRUE(Step(cache, 2).ok());
  EXPECT_EQ(num_calls_, 1);
  EXPECT_EQ(sum_, 9);
}

TEST_F(GraphCacheTest, ClearMakesItRecordAgain) {
  GraphCache cache;
  ASSERT_TRUE(Step(cache, 1).ok());
  ASSERT_TRUE(Step(cache, 1).ok());
  cache.Clear();
  EXPECT_EQ(cache.num_graphs(), 0u);
  ASSERT_TRUE(Step(cache, 1).ok());
  EXPECT_EQ(num_calls_, 3);
  EXPECT_EQ(cache.num_graphs(), 1u);
  ASSERT_TRUE(Step(cache, 1).ok());
  EXPECT_EQ(num_calls_, 3);
  EXPECT_EQ(sum_, 4);
}

TEST_F(GraphCacheTest, StepsThatCannotBeRecordedAreDoneAsTheyAre) {
  for (const char* call : {"cudaStreamEndCapture", "cudaGraphInstantiate"}) {
    GraphCache cache;
    sum_ = 0;
    ASSERT_TRUE(Step(cache, 1).ok());
    simt::FailCall(call, cudaErrorStreamCaptureUnsupported);
    ASSERT_TRUE(Step(cache, 1).ok());
    ASSERT_TRUE(Step(cache, 1).ok());
    EXPECT_EQ(sum_, 3) << call;
    EXPECT_EQ(cache.num_graphs(), 0u);
  }
}

TEST_F(GraphCacheTest, TellsWhenALaunchFails) {
  GraphCache cache;
  ASSERT_TRUE(Step(cache, 1).ok());
  simt::FailCall("cudaGraphLaunch", cudaErrorIllegalAddress);
  const Status failed = Step(cache, 1);
  EXPECT_EQ(failed.code(), StatusCode::kUnavailable);
  EXPECT_EQ(failed.message(), "cudaGraphLaunch: cudaErrorIllegalAddress (cudaErrorIllegalAddress)");
}

}  // namespace
}  // namespace nemo::cuda
