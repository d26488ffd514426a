// Arena: several arrays in one allocation of a backend, sized once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "libcore/base/status.h"
#include "libcore/runtime/backend.h"

namespace nemo {

/// Add all arrays, then Allocate once: it fills in the pointers, which live as long as the arena.
class Arena {
 public:
  /// `*pointer` will have room for `count` elements, zeroed, 64-byte aligned in the arena.
  template <typename T>
  void Add(T** pointer, int64_t count) {
    const int64_t offset_bytes = size_bytes_;
    set_.push_back([pointer, offset_bytes](std::byte* base) {
      *pointer = reinterpret_cast<T*>(base + offset_bytes);
    });
    constexpr int64_t kAlignment = 64;
    const int64_t end = offset_bytes + count * static_cast<int64_t>(sizeof(T));
    size_bytes_ = (end + kAlignment - 1) / kAlignment * kAlignment;
  }

  Status Allocate(Backend& backend) {
    NEMO_ASSIGN_OR_RETURN(buffer_, backend.Allocate(size_bytes_));
    for (const auto& set : set_) set(static_cast<std::byte*>(buffer_->data()));
    set_.clear();
    return OkStatus();
  }

  int64_t size_bytes() const { return size_bytes_; }

 private:
  int64_t size_bytes_ = 0;
  std::vector<std::function<void(std::byte*)>> set_;
  std::unique_ptr<Buffer> buffer_;
};

}  // namespace nemo
