#include "formats/torch/checked_file.h"

#include <algorithm>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "formats/codec/crc32.h"
#include "formats/torch/claimed_ranges.h"
#include "libcore/base/format.h"

namespace nemo::torch {
namespace {

constexpr int64_t kBlockBytes = int64_t{1} << 20;

/// What both kinds share: a range and what its bytes must sum up to.
class CheckedFile : public RandomAccessFile {
 public:
  CheckedFile(std::shared_ptr<RandomAccessFile> range, uint32_t crc32)
      : range_(std::move(range)), crc32_(crc32) {}

  int64_t size_bytes() const override { return range_->size_bytes(); }
  const std::string& name() const override { return range_->name(); }
  int64_t PhaseAt(int64_t offset_bytes) const override { return range_->PhaseAt(offset_bytes); }

 protected:
  const RandomAccessFile& range() const { return *range_; }

  bool Holds(int64_t offset_bytes, std::span<const std::byte> bytes) const {
    return offset_bytes >= 0 && offset_bytes <= size_bytes() &&
           static_cast<int64_t>(bytes.size()) <= size_bytes() - offset_bytes;
  }

  Status Compare(uint32_t found) const {
    if (found == crc32_) return OkStatus();
    return Corruption(
        Format("{}: its checksum is wrong (CRC-32 {:08x}, the zip directory says {:08x}): bytes "
               "were changed; copy the file again",
               name(), found, crc32_));
  }

 private:
  std::shared_ptr<RandomAccessFile> range_;
  uint32_t crc32_;
};

/// Proved as a whole before anything is handed out.
class ProvedFile : public CheckedFile {
 public:
  using CheckedFile::CheckedFile;

  Status ReadAt(int64_t offset_bytes, std::span<std::byte> out) const override {
    if (!Holds(offset_bytes, out)) return range().ReadAt(offset_bytes, out);  // which says so
    {
      const std::lock_guard lock(mutex_);
      if (!verdict_) {
        const bool whole = static_cast<int64_t>(out.size()) == size_bytes();
        verdict_ = whole ? Fill(out) : FillKept();
        if (whole) return *verdict_;
      }
      NEMO_RETURN_IF_ERROR(*verdict_);
      if (!kept_.empty()) {
        HandOut(offset_bytes, out);
        return OkStatus();
      }
    }
    return range().ReadAt(offset_bytes, out);
  }

 private:
  Status Fill(std::span<std::byte> out) const {
    NEMO_RETURN_IF_ERROR(range().ReadAt(0, out));
    return Compare(Crc32(out));
  }

  Status FillKept() const {
    kept_.resize(static_cast<size_t>(size_bytes()));
    const Status status = Fill(kept_);
    if (!status.ok()) kept_ = {};
    return status;
  }

  void HandOut(int64_t offset_bytes, std::span<std::byte> out) const {
    const auto size = static_cast<int64_t>(out.size());
    std::copy_n(kept_.begin() + offset_bytes, size, out.begin());
    for (const ByteRange& fresh : handed_out_.Claim({offset_bytes, offset_bytes + size})) {
      handed_out_bytes_ += fresh.end - fresh.begin;
    }
    if (handed_out_bytes_ == size_bytes()) kept_ = {};
  }

  mutable std::mutex mutex_;
  // All guarded by mutex_.
  mutable std::optional<Status> verdict_;
  mutable std::vector<std::byte> kept_;  // all bytes, while some have not been handed out
  mutable ClaimedRanges handed_out_{size_bytes()};
  mutable int64_t handed_out_bytes_ = 0;
};

/// Summed up while it is handed out.
class SummedFile : public CheckedFile {
 public:
  using CheckedFile::CheckedFile;

  Status ReadAt(int64_t offset_bytes, std::span<std::byte> out) const override {
    const std::optional<Status> verdict = Verdict();
    if (verdict) NEMO_RETURN_IF_ERROR(*verdict);
    NEMO_RETURN_IF_ERROR(range().ReadAt(offset_bytes, out));
    return verdict ? OkStatus() : Sum(offset_bytes, out);
  }

  Status ProveReads() const override {
    std::vector<ByteRange> missing;
    {
      const std::lock_guard lock(mutex_);
      if (verdict_) return *verdict_;
      if (claimed_.empty()) return OkStatus();  // nothing was read
      missing = claimed_.Unclaimed({0, size_bytes()});
    }
    std::vector<std::byte> buffer;
    for (const ByteRange& gap : missing) {
      for (int64_t at = gap.begin; at < gap.end; at += kBlockBytes) {
        buffer.resize(static_cast<size_t>(std::min(kBlockBytes, gap.end - at)));
        NEMO_RETURN_IF_ERROR(ReadAt(at, buffer));
      }
    }
    return OkStatus();
  }

 private:
  std::optional<Status> Verdict() const {
    const std::lock_guard lock(mutex_);
    return verdict_;
  }

  /// Adds what is new in `bytes`, which lie at `offset_bytes`. A CRC-32 is the xor of what each
  /// part adds to it, so parts may come in any order.
  Status Sum(int64_t offset_bytes, std::span<const std::byte> bytes) const {
    std::vector<ByteRange> fresh;
    {
      const std::lock_guard lock(mutex_);
      if (verdict_) return *verdict_;
      fresh = claimed_.Claim({offset_bytes, offset_bytes + static_cast<int64_t>(bytes.size())});
    }
    uint32_t sum = 0;
    int64_t num_bytes = 0;
    for (const ByteRange& part : fresh) {
      const int64_t size = part.end - part.begin;
      const uint32_t crc32 = Crc32(
          bytes.subspan(static_cast<size_t>(part.begin - offset_bytes), static_cast<size_t>(size)));
      sum ^= Crc32Combine(crc32, 0, size_bytes() - part.end);
      num_bytes += size;
    }
    const std::lock_guard lock(mutex_);
    sum_ ^= sum;
    summed_bytes_ += num_bytes;
    if (verdict_ || summed_bytes_ < size_bytes()) return verdict_.value_or(OkStatus());
    verdict_ = Compare(sum_);
    claimed_ = ClaimedRanges(size_bytes());
    return *verdict_;
  }

  mutable std::mutex mutex_;
  // All guarded by mutex_.
  mutable std::optional<Status> verdict_;  // once every byte is summed
  mutable ClaimedRanges claimed_{size_bytes()};
  mutable uint32_t sum_ = 0;
  mutable int64_t summed_bytes_ = 0;
};

}  // namespace

std::shared_ptr<RandomAccessFile> CheckedSlice(std::shared_ptr<RandomAccessFile> file,
                                               int64_t offset_bytes, int64_t size_bytes,
                                               uint32_t crc32, std::string name) {
  auto range = SliceFile(std::move(file), offset_bytes, size_bytes, std::move(name));
  if (size_bytes <= kProvedFirstBytes) return std::make_shared<ProvedFile>(std::move(range), crc32);
  return std::make_shared<SummedFile>(std::move(range), crc32);
}

}  // namespace nemo::torch
