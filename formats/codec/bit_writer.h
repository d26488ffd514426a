// Bits from the lowest up, in little-endian bytes: a zstd bitstream, which decoders read from its
// end.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace nemo::zstd {

/// Needs kSlackBytes of room behind what it writes.
class BitWriter {
 public:
  static constexpr size_t kSlackBytes = 8;
  explicit BitWriter(std::byte* to) : to_(to) {}

  /// At most 56 bits between two calls of Flush.
  void Add(uint64_t bits, unsigned count) {
    pending_ |= bits << num_pending_;
    num_pending_ += count;
  }
  void Flush() {
    static_assert(std::endian::native == std::endian::little);
    std::memcpy(to_, &pending_, sizeof(pending_));
    to_ += num_pending_ >> 3;
    pending_ >>= num_pending_ & ~7u;
    num_pending_ &= 7;
  }
  /// What follows the bits, the last of which may leave their byte unfilled.
  std::byte* EndByte() {
    Flush();
    return to_ + (num_pending_ > 0 ? 1 : 0);
  }
  /// The mark that tells the decoder where the bits end; returns what follows the stream.
  std::byte* Close() {
    Add(1, 1);
    return EndByte();
  }

 private:
  std::byte* to_;
  uint64_t pending_ = 0;
  unsigned num_pending_ = 0;
};

}  // namespace nemo::zstd
