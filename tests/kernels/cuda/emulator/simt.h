// Blocks of GPU threads on a host thread: the kernels of kernels/cuda, compiled by the host's
// compiler, run here line by line, so that tests execute them where there is no device. A thread of
// a block is a fiber; fibers change at barriers only, and a warp runs up to the block's next
// barrier before another one begins, in an order that a test may choose: a result that depends on
// it is a missing barrier.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string_view>

namespace nemo::simt {

inline constexpr int kWarpLanes = 32;
inline constexpr size_t kSlotBytes = 64;  ///< what a lane may hand to its warp at once

/// In which order the threads of a block run between two barriers.
enum class Order { kForward, kBackward, kShuffled };
/// Of all grids to come, on any thread.
void SetOrder(Order order);

struct Index {
  unsigned x = 0, y = 0, z = 0;
};
/// Of the thread that runs: what CUDA calls threadIdx, blockIdx and gridDim.
Index& ThreadIndex();
Index& BlockIndex();
Index& GridSize();

/// Runs `kernel` once for each thread of each block, blocks in order, with denormals flushed as the
/// wing's kernels have it. Shared memory is filled with NaN for each block. Several host threads
/// may run grids at once. Ends the program when a block cannot go on: threads that wait at
/// different barriers, or for one that has left.
void RunGrid(unsigned blocks, int threads, size_t shared_bytes,
             const std::function<void()>& kernel);

/// The block's dynamic shared memory, 128-byte aligned.
std::byte* DynamicShared();
/// Waits for all threads of the block.
void SyncBlock();
/// Hands `size` bytes to the lanes of the warp, waits for theirs, and returns them: lane i's are at
/// i * kSlotBytes, until this thread's next call. All lanes must name the same `operation`.
const std::byte* Exchange(std::string_view operation, const void* mine, size_t size);

/// One 16-byte copy to shared memory that happens when it is waited for, so that what reads too
/// early sees the bytes of before; in shuffled order it may also happen at once, so that what is
/// still read is overwritten. `size` bytes are copied, the rest is zero.
void CopyLater(void* to, const void* from, size_t size);
void CommitCopies();
/// Makes all but the newest `pending` committed groups happen.
void WaitCopies(int pending);

}  // namespace nemo::simt
