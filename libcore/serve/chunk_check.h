// ChunkCheck: a body in chunks (RFC 9112, 7.1) as its bytes pass by on their way to cpp-httplib,
// which takes some things for chunks that others do not.
#pragma once

#include <cstdint>
#include <string_view>

namespace nemo {

class ChunkCheck {
 public:
  enum class Verdict {
    kGood,       ///< so far
    kMalformed,  ///< not chunks, or with trailers, which no API has
    kTooLarge,   ///< more than `max_bytes` of data
  };

  explicit ChunkCheck(int64_t max_bytes) : max_bytes_(max_bytes) {}

  /// The next bytes. A verdict other than kGood is final.
  Verdict Take(std::string_view bytes);
  /// The empty line behind the last chunk has come.
  bool is_whole() const { return place_ == Place::kEnd; }

 private:
  enum class Place { kSize, kExtension, kSizeEnd, kData, kDataCr, kDataLf, kLastCr, kLastLf, kEnd };

  Verdict TakeByte(char byte);
  Verdict TakeSizeByte(char byte);
  /// Behind a size line.
  Verdict BeginData();

  const int64_t max_bytes_;
  int64_t num_bytes_ = 0;  // of data in all chunks before this one
  Place place_ = Place::kSize;
  int64_t size_ = 0, left_ = 0;         // of this chunk
  int num_digits_ = 0, num_extra_ = 0;  // of this size line
  Verdict verdict_ = Verdict::kGood;
};

}  // namespace nemo
