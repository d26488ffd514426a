#include "formats/torch/checked_file.h"

#include <algorithm>
#include <mutex>
#include <utility>
#include <vector>

#include "formats/codec/crc32.h"
#include "libcore/base/format.h"

namespace nemo::torch {
namespace {

constexpr int64_t kBlockBytes = int64_t{1} << 20;

class CheckedFile : public RandomAccessFile {
 public:
  CheckedFile(std::shared_ptr<RandomAccessFile> range, uint32_t crc32)
      : range_(std::move(range)), crc32_(crc32) {}

  int64_t size_bytes() const override { return range_->size_bytes(); }
  const std::string& name() const override { return range_->name(); }

  Status ReadAt(int64_t offset_bytes, std::span<std::byte> out) const override {
    bool filled = false;
    std::call_once(checked_, [&] {
      filled = offset_bytes == 0 && static_cast<int64_t>(out.size()) == size_bytes();
      verdict_ = filled ? ReadWhole(out) : ReadThrough();
    });
    NEMO_RETURN_IF_ERROR(verdict_);
    return filled ? OkStatus() : range_->ReadAt(offset_bytes, out);
  }

 private:
  Status ReadWhole(std::span<std::byte> out) const {
    NEMO_RETURN_IF_ERROR(range_->ReadAt(0, out));
    return Compare(Crc32(out));
  }

  Status ReadThrough() const {
    std::vector<std::byte> buffer(static_cast<size_t>(std::min(kBlockBytes, size_bytes())));
    uint32_t crc32 = 0;
    for (int64_t at = 0; at < size_bytes(); at += kBlockBytes) {
      const auto block =
          std::span(buffer).first(static_cast<size_t>(std::min(kBlockBytes, size_bytes() - at)));
      NEMO_RETURN_IF_ERROR(range_->ReadAt(at, block));
      crc32 = Crc32(block, crc32);
    }
    return Compare(crc32);
  }

  Status Compare(uint32_t found) const {
    if (found == crc32_) return OkStatus();
    return Corruption(
        Format("{}: its checksum is wrong (CRC-32 {:08x}, the zip directory says {:08x}): bytes "
               "were changed; copy the file again",
               name(), found, crc32_));
  }

  std::shared_ptr<RandomAccessFile> range_;
  uint32_t crc32_;
  mutable std::once_flag checked_;
  mutable Status verdict_;  // written once, under checked_
};

}  // namespace

std::shared_ptr<RandomAccessFile> CheckedSlice(std::shared_ptr<RandomAccessFile> file,
                                               int64_t offset_bytes, int64_t size_bytes,
                                               uint32_t crc32, std::string name) {
  return std::make_shared<CheckedFile>(
      SliceFile(std::move(file), offset_bytes, size_bytes, std::move(name)), crc32);
}

}  // namespace nemo::torch
