#include "tools/nemo-bench/measure/load_file.h"

#include <atomic>
#include <cstddef>
#include <span>

#include "libcore/base/check.h"
#include "libcore/base/thread_pool.h"

namespace nemo {

Status LoadFile(const DirectIo& file, int64_t num_blocks, int64_t block_bytes,
                std::vector<AlignedBuffer>& buffers, Backend& backend, Buffer& memory) {
  const int64_t room = memory.size_bytes() / block_bytes;
  NEMO_CHECK(room > 0);
  std::atomic<int64_t> next = 0;
  const int64_t jobs = std::ssize(buffers);
  NEMO_RETURN_IF_ERROR(ParallelFor(static_cast<int>(jobs), jobs, [&](int64_t job) -> Status {
    const std::span<std::byte> block = buffers[static_cast<size_t>(job)].Get(block_bytes);
    for (int64_t i = next++; i < num_blocks; i = next++) {
      NEMO_RETURN_IF_ERROR(file.ReadAt(i * block_bytes, block));
      auto* const to = static_cast<std::byte*>(memory.data()) + i % room * block_bytes;
      NEMO_RETURN_IF_ERROR(backend.Upload(to, block));
    }
    return OkStatus();
  }));
  return backend.Synchronize();
}

}  // namespace nemo
