#include "formats/codec/gzip.h"

#include <algorithm>
#include <mutex>
#include <utility>
#include <vector>

#include "formats/codec/inflate_stream.h"
#include "libcore/base/format.h"

namespace nemo {
namespace {

constexpr int64_t kFirstSpacing = int64_t{1}
                                  << 20;  // of restart points; doubles whenever there are too many
constexpr size_t kMaxPoints = 1024;       // of 32 KiB: 32 MiB
constexpr size_t kMaxStreams = 16;        // waiting where reads stopped; about 110 KiB each
constexpr size_t kStepBytes = size_t{64} << 10;

class GzipFile : public RandomAccessFile {
 public:
  explicit GzipFile(std::shared_ptr<RandomAccessFile> compressed) : file_(std::move(compressed)) {}

  int64_t size_bytes() const override { return size_bytes_; }
  const std::string& name() const override { return file_->name(); }
  Status ReadAt(int64_t offset_bytes, std::span<std::byte> out) const override;

  /// The pass over everything that fills points_ and size_bytes_.
  Status BuildIndex();

 private:
  void AddPoint(RestartPoint point);
  Result<std::unique_ptr<InflateStream>> StreamFor(int64_t offset) const;
  void KeepStream(std::unique_ptr<InflateStream> stream) const;

  std::shared_ptr<RandomAccessFile> file_;
  std::vector<RestartPoint> points_;  // ascending
  int64_t spacing_ = kFirstSpacing;
  int64_t size_bytes_ = 0;
  mutable std::mutex mutex_;
  mutable std::vector<std::unique_ptr<InflateStream>> streams_;  // oldest first
};

Status GzipFile::BuildIndex() {
  NEMO_ASSIGN_OR_RETURN(const auto stream, InflateStream::FromStart(file_));
  std::vector<std::byte> dropped(kStepBytes);
  while (!stream->at_end()) {
    NEMO_RETURN_IF_ERROR(stream->Step(dropped).error());
    if (stream->at_restart_point() &&
        (points_.empty() || stream->position() - points_.back().out_offset >= spacing_)) {
      AddPoint(stream->MakePoint());
    }
  }
  size_bytes_ = stream->position();
  return OkStatus();
}

void GzipFile::AddPoint(RestartPoint point) {
  points_.push_back(std::move(point));
  if (points_.size() < kMaxPoints) return;
  std::vector<RestartPoint> kept;
  for (size_t i = 0; i < points_.size(); i += 2) kept.push_back(std::move(points_[i]));
  points_ = std::move(kept);
  spacing_ *= 2;
}

Result<std::unique_ptr<InflateStream>> GzipFile::StreamFor(int64_t offset) const {
  const auto after =
      std::upper_bound(points_.begin(), points_.end(), offset,
                       [](int64_t at, const RestartPoint& point) { return at < point.out_offset; });
  NEMO_CHECK(after != points_.begin());  // the first point lies at 0
  const RestartPoint& point = *(after - 1);
  {
    const std::lock_guard lock(mutex_);
    auto best = streams_.end();
    for (auto it = streams_.begin(); it != streams_.end(); ++it) {
      const int64_t at = (*it)->position();
      if (at < point.out_offset || at > offset) continue;
      if (best == streams_.end() || at > (*best)->position()) best = it;
    }
    if (best != streams_.end()) {
      std::unique_ptr<InflateStream> stream = std::move(*best);
      streams_.erase(best);
      return stream;
    }
  }
  return InflateStream::FromPoint(file_, point);
}

void GzipFile::KeepStream(std::unique_ptr<InflateStream> stream) const {
  const std::lock_guard lock(mutex_);
  if (streams_.size() >= kMaxStreams) streams_.erase(streams_.begin());
  streams_.push_back(std::move(stream));
}

Status GzipFile::ReadAt(int64_t offset_bytes, std::span<std::byte> out) const {
  const auto length = static_cast<int64_t>(out.size());
  if (offset_bytes < 0 || offset_bytes > size_bytes_ || length > size_bytes_ - offset_bytes) {
    return Corruption(Format("{}: ends at decompressed byte {}, and bytes {}..{} are needed",
                             name(), size_bytes_, offset_bytes, offset_bytes + length));
  }
  if (out.empty()) return OkStatus();
  NEMO_ASSIGN_OR_RETURN(auto stream, StreamFor(offset_bytes));
  NEMO_RETURN_IF_ERROR(stream->SkipTo(offset_bytes));
  NEMO_RETURN_IF_ERROR(stream->Fill(out));
  KeepStream(std::move(stream));
  return OkStatus();
}

}  // namespace

Result<std::shared_ptr<RandomAccessFile>> OpenGzip(std::shared_ptr<RandomAccessFile> compressed) {
  auto file = std::make_shared<GzipFile>(std::move(compressed));
  NEMO_RETURN_IF_ERROR(file->BuildIndex());
  return std::shared_ptr<RandomAccessFile>(std::move(file));
}

}  // namespace nemo
