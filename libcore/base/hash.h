// XXH3-128, the checksum of the house. The door of xxHash.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>

namespace nemo {

/// Streaming XXH3-128 (seed 0). Not thread-safe.
class Hasher {
 public:
  Hasher();
  ~Hasher();
  Hasher(Hasher&&) noexcept;
  Hasher& operator=(Hasher&&) noexcept;
  void Update(std::span<const std::byte> data);
  /// 32 lower-case hexadecimal digits, high half first (as `xxhsum -H2` prints it).
  std::string HexDigest() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

std::string HashHex(std::span<const std::byte> data);

}  // namespace nemo
