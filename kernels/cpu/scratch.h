// Working memory that grows to what the largest call needed and stays: kernels do not allocate in
// the steady state.
#pragma once

#include <memory>

#include "libcore/base/status.h"
#include "libcore/runtime/host_buffer.h"

namespace nemo::cpu {

class Scratch {
 public:
  /// At least `size_bytes`, aligned to 64 bytes, contents undefined; valid until the next Reserve.
  /// kIo: out of memory.
  Result<std::byte*> Reserve(int64_t size_bytes) {
    if (buffer_ == nullptr || buffer_->size_bytes() < size_bytes) {
      buffer_.reset();
      NEMO_ASSIGN_OR_RETURN(buffer_, HostBuffer::Allocate(size_bytes));
    }
    return static_cast<std::byte*>(buffer_->data());
  }

 private:
  std::unique_ptr<HostBuffer> buffer_;
};

}  // namespace nemo::cpu
