#include "formats/torch/zip.h"

#include <algorithm>
#include <array>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "formats/torch/checked_file.h"
#include "formats/torch/zip_directory.h"
#include "libcore/base/format.h"

namespace nemo::torch {
namespace {

class ZipTree : public FileTree {
 public:
  ZipTree(std::shared_ptr<RandomAccessFile> file, const std::vector<ZipEntry>& entries)
      : name_(file->name()) {
    for (const ZipEntry& entry : entries) {
      names_.push_back(entry.name);
      files_.push_back(CheckedSlice(file, entry.offset_bytes, entry.size_bytes, entry.crc32,
                                    Format("{}: {}", name_, entry.name)));
    }
  }

  const std::vector<std::string>& files() const override { return names_; }
  const std::string& name() const override { return name_; }
  Result<std::shared_ptr<RandomAccessFile>> Open(std::string_view name) const override {
    const auto it = std::lower_bound(names_.begin(), names_.end(), name);
    if (it == names_.end() || *it != name) return NotFound(Format("{}: no '{}'", name_, name));
    return files_[static_cast<size_t>(it - names_.begin())];
  }

 private:
  std::string name_;
  std::vector<std::string> names_;                        // sorted
  std::vector<std::shared_ptr<RandomAccessFile>> files_;  // parallel to names_
};

}  // namespace

bool LooksLikeZip(const RandomAccessFile& file) {
  std::array<std::byte, 4> head;
  if (file.size_bytes() < static_cast<int64_t>(head.size()) || !file.ReadAt(0, head).ok()) {
    return false;
  }
  constexpr std::string_view kSignature = "PK\x03\x04";
  return std::equal(head.begin(), head.end(), std::as_bytes(std::span(kSignature)).begin());
}

Result<std::shared_ptr<FileTree>> OpenZip(std::shared_ptr<RandomAccessFile> file) {
  const auto entries = ReadZipDirectory(*file);
  if (!entries) return entries.error().At(file->name());
  return std::shared_ptr<FileTree>(std::make_shared<ZipTree>(std::move(file), *entries));
}

}  // namespace nemo::torch
