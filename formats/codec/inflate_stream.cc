#include "formats/codec/inflate_stream.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "libcore/base/format.h"
#include "libcore/base/progress.h"

namespace nemo {
namespace {

constexpr int64_t kInputBytes = int64_t{64} << 10;
constexpr size_t kWindowBytes = size_t{32} << 10;
constexpr int64_t kTrailerBytes = 8;      // CRC-32, length
constexpr int kRawWindowBits = -15;       // zlib: deflate data only
constexpr int kGzipWindowBits = 15 + 16;  // zlib: with gzip header and trailer

Bytef* AsBytef(std::byte* data) { return reinterpret_cast<Bytef*>(data); }

}  // namespace

Result<std::unique_ptr<InflateStream>> InflateStream::FromStart(
    std::shared_ptr<RandomAccessFile> file) {
  std::unique_ptr<InflateStream> stream(new InflateStream(std::move(file)));
  if (inflateInit2(&stream->z_, kGzipWindowBits) != Z_OK) return IoError("zlib: out of memory");
  return stream;
}

Result<std::unique_ptr<InflateStream>> InflateStream::FromPoint(
    std::shared_ptr<RandomAccessFile> file, const RestartPoint& point) {
  std::unique_ptr<InflateStream> stream(new InflateStream(std::move(file)));
  if (inflateInit2(&stream->z_, kRawWindowBits) != Z_OK) return IoError("zlib: out of memory");
  stream->raw_ = true;
  stream->in_end_ = point.in_offset;
  stream->position_ = point.out_offset;
  if (point.bits > 0) {
    std::byte before;
    NEMO_RETURN_IF_ERROR(stream->file_->ReadAt(point.in_offset - 1, std::span(&before, 1)));
    NEMO_CHECK(inflatePrime(&stream->z_, point.bits,
                            std::to_integer<int>(before) >> (8 - point.bits)) == Z_OK);
  }
  if (!point.window.empty()) {
    NEMO_CHECK(inflateSetDictionary(&stream->z_,
                                    reinterpret_cast<const Bytef*>(point.window.data()),
                                    static_cast<uInt>(point.window.size())) == Z_OK);
  }
  return stream;
}

InflateStream::~InflateStream() { inflateEnd(&z_); }

Status InflateStream::Damaged(std::string_view what) const {
  return Corruption(Format("{}: compressed byte {}: {}; copy or download the file again",
                           file_->name(), in_offset(), what));
}

Status InflateStream::Refill() {
  if (StopRequested()) return IoError(Format("stopped by signal {}", StopSignal()));
  const int64_t size = std::min(kInputBytes, file_->size_bytes() - in_end_);
  if (size <= 0) return Damaged("the file ends in the middle of compressed data (truncated)");
  input_.resize(static_cast<size_t>(size));
  NEMO_RETURN_IF_ERROR(file_->ReadAt(in_end_, input_));
  in_end_ += size;
  z_.next_in = AsBytef(input_.data());
  z_.avail_in = static_cast<uInt>(size);
  return OkStatus();
}

Status InflateStream::NextMember() {
  for (int64_t left = raw_ ? kTrailerBytes : 0; left > 0;) {
    if (z_.avail_in == 0) NEMO_RETURN_IF_ERROR(Refill());
    const auto taken = static_cast<uInt>(std::min<int64_t>(left, z_.avail_in));
    z_.next_in += taken;
    z_.avail_in -= taken;
    left -= taken;
  }
  while (true) {
    if (z_.avail_in == 0) {
      if (in_end_ == file_->size_bytes()) {
        at_end_ = true;
        return OkStatus();
      }
      NEMO_RETURN_IF_ERROR(Refill());
    }
    if (*z_.next_in != 0) break;
    ++z_.next_in;
    --z_.avail_in;
  }
  if (*z_.next_in != 0x1f) return Damaged("bytes behind the end that are not gzip");
  raw_ = false;
  NEMO_CHECK(inflateReset2(&z_, kGzipWindowBits) == Z_OK);
  return OkStatus();
}

Result<int64_t> InflateStream::Step(std::span<std::byte> out) {
  if (at_end_) return int64_t{0};
  const auto room = static_cast<uInt>(std::min<size_t>(out.size(), size_t{1} << 30));
  z_.next_out = AsBytef(out.data());
  z_.avail_out = room;
  int code = Z_OK;
  do {
    if (z_.avail_in == 0) NEMO_RETURN_IF_ERROR(Refill());
    code = inflate(&z_, Z_BLOCK);
    // Z_BUF_ERROR: nothing to do without more input, which the next round brings.
    if (code != Z_OK && code != Z_STREAM_END && code != Z_BUF_ERROR) {
      return Damaged(z_.msg != nullptr ? z_.msg : "not gzip data");
    }
  } while (code != Z_STREAM_END && z_.avail_out > 0 && (z_.data_type & 128) == 0);
  const int64_t made = room - z_.avail_out;
  position_ += made;
  if (code == Z_STREAM_END) NEMO_RETURN_IF_ERROR(NextMember());
  return made;
}

Status InflateStream::Fill(std::span<std::byte> out) {
  while (!out.empty()) {
    NEMO_ASSIGN_OR_RETURN(const int64_t made, Step(out));
    out = out.subspan(static_cast<size_t>(made));
    if (at_end_ && !out.empty()) return Damaged("the data end early");
  }
  return OkStatus();
}

Status InflateStream::SkipTo(int64_t position) {
  NEMO_CHECK(position >= position_);
  std::vector<std::byte> dropped(
      static_cast<size_t>(std::min<int64_t>(kInputBytes, position - position_)));
  while (position_ < position) {
    const auto size = std::min<int64_t>(static_cast<int64_t>(dropped.size()), position - position_);
    NEMO_RETURN_IF_ERROR(Fill(std::span(dropped).first(static_cast<size_t>(size))));
  }
  return OkStatus();
}

bool InflateStream::at_restart_point() const {
  // data_type: 128 between blocks, 64 while in the last block, whose end is no place to begin.
  return !at_end_ && (z_.data_type & 128) != 0 && (z_.data_type & 64) == 0;
}

RestartPoint InflateStream::MakePoint() {
  NEMO_CHECK(at_restart_point());
  RestartPoint point{position_, in_offset(), z_.data_type & 7, {}};
  point.window.resize(kWindowBytes);
  uInt size = 0;
  NEMO_CHECK(inflateGetDictionary(&z_, AsBytef(point.window.data()), &size) == Z_OK);
  point.window.resize(size);
  point.window.shrink_to_fit();
  return point;
}

}  // namespace nemo
