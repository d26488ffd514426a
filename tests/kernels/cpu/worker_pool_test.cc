#include "kernels/cpu/worker_pool.h"

#include <atomic>
#include <chrono>
#include <memory>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace nemo::cpu {
namespace {

void ExpectEachIndexOnce(WorkerPool& pool, int64_t count) {
  std::vector<std::atomic<int>> calls(count);
  pool.ForEach(count, [&](int64_t index, int thread) {
    ASSERT_GE(thread, 0);
    ASSERT_LT(thread, pool.num_threads());
    calls[index].fetch_add(1, std::memory_order_relaxed);
  });
  for (int64_t i = 0; i < count; ++i) ASSERT_EQ(calls[i], 1) << i << " of " << count;
}

TEST(WorkerPool, CallsEachIndexOnce) {
  for (int num_threads : {1, 2, 3, 16}) {
    WorkerPool pool(num_threads);
    for (int64_t count : {0, 1, 2, 3, 15, 16, 17, 1000, 0, 1, 5000}) {
      ExpectEachIndexOnce(pool, count);
    }
  }
}

TEST(WorkerPool, WhatABodyWroteIsThereWhenTheLoopEnds) {
  // More threads than cores, so that some are late for most loops and many are not waited for.
  WorkerPool pool(8);
  std::vector<int64_t> values(40);
  for (int64_t round = 1; round <= 5000; ++round) {
    const int64_t count = 2 + round % 39;
    pool.ForEach(count, [&, round](int64_t index, int) { values[index] = round * index; });
    for (int64_t i = 0; i < count; ++i) ASSERT_EQ(values[i], round * i);
  }
}

TEST(WorkerPool, NumbersOfThreadsThatRunTogetherDiffer) {
  WorkerPool pool(4);
  std::vector<std::atomic<int>> running(4);
  pool.ForEach(2000, [&](int64_t, int thread) {
    EXPECT_EQ(running[thread].fetch_add(1), 0);
    running[thread].fetch_sub(1);
  });
}

TEST(WorkerPool, WakesUpAgain) {
  WorkerPool pool(3);
  for (int round = 0; round < 5; ++round) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));  // longer than a worker spins
    ExpectEachIndexOnce(pool, 100);
  }
}

TEST(WorkerPool, EndsAtAnyTime) {
  for (int round = 0; round < 200; ++round) {
    auto pool = std::make_unique<WorkerPool>(4);
    if (round % 2 == 0) ExpectEachIndexOnce(*pool, 10);
  }
}

}  // namespace
}  // namespace nemo::cpu
