// InflateStream: sequential decompression of a gzip file from any restart point. The inside of
// gzip.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include <zlib.h>

#include "libcore/base/file.h"
#include "libcore/base/status.h"

namespace nemo {

/// A place between two deflate blocks from which decompression can begin.
struct RestartPoint {
  int64_t out_offset = 0;         ///< decompressed bytes before it
  int64_t in_offset = 0;          ///< first compressed byte that is wholly behind it
  int bits = 0;                   ///< high bits of the byte before in_offset that are behind it too
  std::vector<std::byte> window;  ///< up to 32 KiB of output before it
};

/// Not thread-safe; each has one owner at a time.
class InflateStream {
 public:
  /// From the beginning of `file`, header included; checks CRC-32 and length of every member.
  static Result<std::unique_ptr<InflateStream>> FromStart(std::shared_ptr<RandomAccessFile> file);
  /// From the middle of a member; that member's checksum is not looked at again.
  static Result<std::unique_ptr<InflateStream>> FromPoint(std::shared_ptr<RandomAccessFile> file,
                                                          const RestartPoint& point);
  ~InflateStream();
  InflateStream(const InflateStream&) = delete;
  InflateStream& operator=(const InflateStream&) = delete;

  int64_t position() const { return position_; }  ///< of the next decompressed byte
  bool at_end() const { return at_end_; }

  /// Decompresses into the front of `out`, at most up to the end of a deflate block; returns how
  /// many bytes. Zero only where a block had none, or at_end().
  Result<int64_t> Step(std::span<std::byte> out);
  /// Fills all of `out`. kCorruption when the stream ends before.
  Status Fill(std::span<std::byte> out);
  /// Decompresses and drops bytes up to `position`, which is not before position().
  Status SkipTo(int64_t position);

  /// True when the last Step stopped between two blocks: MakePoint() works here.
  bool at_restart_point() const;
  RestartPoint MakePoint();

 private:
  explicit InflateStream(std::shared_ptr<RandomAccessFile> file) : file_(std::move(file)) {}
  int64_t in_offset() const { return in_end_ - static_cast<int64_t>(z_.avail_in); }
  Status Refill();
  /// At the end of a member: steps over its trailer and padding to the next one or to the end of
  /// the file.
  Status NextMember();
  Status Damaged(std::string_view what) const;

  std::shared_ptr<RandomAccessFile> file_;
  z_stream z_ = {};
  std::vector<std::byte> input_;
  int64_t in_end_ = 0;  // compressed bytes read so far
  int64_t position_ = 0;
  bool raw_ = false;  // no gzip framing around the deflate data: zlib will not see the trailer
  bool at_end_ = false;
};

}  // namespace nemo
