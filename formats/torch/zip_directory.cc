#include "formats/torch/zip_directory.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>
#include <utility>

#include "libcore/base/format.h"

namespace nemo::torch {
namespace {

constexpr std::string_view kEndSignature = "PK\x05\x06", kEnd64Signature = "PK\x06\x06",
                           kLocatorSignature = "PK\x06\x07", kCentralSignature = "PK\x01\x02",
                           kLocalSignature = "PK\x03\x04";
constexpr int64_t kEndBytes = 22, kEnd64Bytes = 56, kLocatorBytes = 20, kCentralBytes = 46,
                  kLocalBytes = 30;
constexpr int64_t kMaxCommentBytes = 65535;
constexpr int64_t kMaxDirectoryBytes = int64_t{256} << 20;
constexpr uint64_t kMaxEntries = 1'000'000;
constexpr uint64_t kSaturated32 = 0xffffffff;
constexpr uint16_t kEncrypted = 1, kZip64Extra = 1;

/// Little-endian fields of a record whose length is known to suffice.
class Fields {
 public:
  explicit Fields(std::string_view bytes) : bytes_(bytes) {}
  uint64_t At(int64_t offset, int size) const {
    uint64_t value = 0;
    for (int i = size; i-- > 0;) {
      value = value << 8 | static_cast<unsigned char>(bytes_[static_cast<size_t>(offset + i)]);
    }
    return value;
  }
  uint16_t U16(int64_t offset) const { return static_cast<uint16_t>(At(offset, 2)); }
  uint64_t U32(int64_t offset) const { return At(offset, 4); }
  uint64_t U64(int64_t offset) const { return At(offset, 8); }

 private:
  std::string_view bytes_;
};

Status Truncated() {
  return Corruption("zip: no end record: the file is truncated, or it is no torch file");
}

Result<std::string> ReadRange(const RandomAccessFile& file, int64_t offset, int64_t size) {
  if (offset < 0 || size < 0 || offset > file.size_bytes() || size > file.size_bytes() - offset) {
    return Corruption(Format("zip: {} bytes at byte {} leave the file ({} bytes); it is damaged",
                             size, offset, file.size_bytes()));
  }
  std::string bytes(static_cast<size_t>(size), '\0');
  NEMO_RETURN_IF_ERROR(file.ReadAt(offset, std::as_writable_bytes(std::span(bytes))));
  return bytes;
}

/// Where the central directory lies.
struct Directory {
  uint64_t num_entries = 0;
  int64_t offset_bytes = 0, size_bytes = 0;
};

Result<Directory> MakeDirectory(uint64_t num_entries, uint64_t size, uint64_t offset,
                                int64_t end_bytes) {
  const auto end = static_cast<uint64_t>(end_bytes);
  if (offset > end || size > end - offset || size > kMaxDirectoryBytes) {
    return Corruption(
        Format("zip: the central directory ({} bytes at byte {}) leaves the file; it is truncated "
               "or damaged",
               size, offset));
  }
  if (num_entries > kMaxEntries || num_entries * kCentralBytes > size) {
    return Corruption(Format("zip: {} entries in a directory of {} bytes", num_entries, size));
  }
  return Directory{num_entries, static_cast<int64_t>(offset), static_cast<int64_t>(size)};
}

/// The end record stands last but for a comment.
Result<Directory> FindDirectory(const RandomAccessFile& file) {
  const int64_t tail_bytes = std::min(file.size_bytes(), kEndBytes + kMaxCommentBytes);
  const int64_t tail_begin = file.size_bytes() - tail_bytes;
  NEMO_ASSIGN_OR_RETURN(const std::string tail, ReadRange(file, tail_begin, tail_bytes));
  size_t at = tail.rfind(kEndSignature);
  while (at != std::string::npos) {
    const auto left = static_cast<int64_t>(tail.size() - at);
    if (left >= kEndBytes &&
        left == kEndBytes + Fields(std::string_view(tail).substr(at)).U16(20)) {
      break;
    }
    at = at == 0 ? std::string::npos : tail.rfind(kEndSignature, at - 1);
  }
  if (at == std::string::npos) return Truncated();
  const Fields end(std::string_view(tail).substr(at));
  const int64_t end_bytes = tail_begin + static_cast<int64_t>(at);
  if (at < static_cast<size_t>(kLocatorBytes) ||
      !std::string_view(tail).substr(at - kLocatorBytes).starts_with(kLocatorSignature)) {
    return MakeDirectory(end.U16(10), end.U32(12), end.U32(16), end_bytes);
  }
  const Fields locator(std::string_view(tail).substr(at - kLocatorBytes));
  NEMO_ASSIGN_OR_RETURN(
      const std::string record,
      ReadRange(file, static_cast<int64_t>(std::min<uint64_t>(locator.U64(8), INT64_MAX)),
                kEnd64Bytes));
  if (!record.starts_with(kEnd64Signature)) {
    return Corruption("zip: no zip64 end record where its locator points; the file is damaged");
  }
  const Fields end64(record);
  return MakeDirectory(end64.U64(32), end64.U64(40), end64.U64(48), end_bytes);
}

/// Sizes and offset of an entry, which a zip64 extra field replaces where they are saturated.
struct Extent {
  uint64_t size, compressed, offset;
};

Status Widen(std::string_view extra, Extent& extent) {
  while (extra.size() >= 4) {
    const Fields field(extra);
    const size_t size = field.U16(2);
    if (size > extra.size() - 4) break;
    std::string_view values = extra.substr(4, size);
    if (field.U16(0) == kZip64Extra) {
      for (uint64_t* value : {&extent.size, &extent.compressed, &extent.offset}) {
        if (*value != kSaturated32) continue;
        if (values.size() < 8) return Corruption("its zip64 field is too short");
        *value = Fields(values).U64(0);
        values.remove_prefix(8);
      }
      return OkStatus();
    }
    extra.remove_prefix(4 + size);
  }
  return OkStatus();
}

/// Takes the entry at the front of `left`.
Result<ZipEntry> TakeEntry(std::string_view& left) {
  if (static_cast<int64_t>(left.size()) < kCentralBytes || !left.starts_with(kCentralSignature)) {
    return Corruption("zip: the central directory is damaged");
  }
  const Fields fields(left);
  const size_t name_size = fields.U16(28), extra_size = fields.U16(30);
  const size_t size = kCentralBytes + name_size + extra_size + fields.U16(32);
  if (size > left.size()) return Corruption("zip: the central directory ends inside an entry");
  ZipEntry entry;
  entry.name = left.substr(kCentralBytes, name_size);
  const std::string place = Format("zip entry '{}'", entry.name.substr(0, 200));
  if (fields.U16(10) != 0) {
    return Unsupported(
        Format("{}: compressed (method {}), which torch never does: its entries are "
               "stored; save the checkpoint again",
               place, fields.U16(10)));
  }
  if ((fields.U16(8) & kEncrypted) != 0) return Unsupported(Format("{}: encrypted", place));
  Extent extent{fields.U32(24), fields.U32(20), fields.U32(42)};
  const Status widened = Widen(left.substr(kCentralBytes + name_size, extra_size), extent);
  if (!widened.ok()) return widened.At(place);
  if (extent.size != extent.compressed || extent.size > INT64_MAX || extent.offset > INT64_MAX) {
    return Corruption(Format("{}: {} bytes stored as {} at byte {}", place, extent.size,
                             extent.compressed, extent.offset));
  }
  entry.crc32 = static_cast<uint32_t>(fields.U32(16));
  entry.header_bytes = static_cast<int64_t>(extent.offset);
  entry.size_bytes = static_cast<int64_t>(extent.size);
  left.remove_prefix(size);
  return entry;
}

/// The local header says only how long itself is; its sizes are zero where data was streamed.
Status PlaceData(const RandomAccessFile& file, int64_t limit_bytes, ZipEntry& entry) {
  NEMO_ASSIGN_OR_RETURN(const std::string header, ReadRange(file, entry.header_bytes, kLocalBytes));
  if (!header.starts_with(kLocalSignature)) return Corruption("no local header at its place");
  const Fields fields(header);
  NEMO_ASSIGN_OR_RETURN(const std::string name,
                        ReadRange(file, entry.header_bytes + kLocalBytes, fields.U16(26)));
  if (name != entry.name) {
    return Corruption(Format("its local header names '{}'", name.substr(0, 200)));
  }
  entry.offset_bytes = entry.header_bytes + kLocalBytes + fields.U16(26) + fields.U16(28);
  if (entry.offset_bytes > limit_bytes || entry.size_bytes > limit_bytes - entry.offset_bytes) {
    return Corruption(Format("{} bytes at byte {} run into the central directory", entry.size_bytes,
                             entry.offset_bytes));
  }
  return OkStatus();
}

/// In the order in which they lie in the file.
Status PlaceAll(const RandomAccessFile& file, int64_t limit_bytes, std::vector<ZipEntry>& entries) {
  std::sort(entries.begin(), entries.end(),
            [](const ZipEntry& a, const ZipEntry& b) { return a.header_bytes < b.header_bytes; });
  for (size_t i = 0; i < entries.size(); ++i) {
    ZipEntry& entry = entries[i];
    Status status = PlaceData(file, limit_bytes, entry);
    if (i > 0) {
      const ZipEntry& before = entries[i - 1];
      if (status.ok() && before.offset_bytes + before.size_bytes > entry.header_bytes) {
        status = Corruption(Format("it overlaps '{}'", before.name.substr(0, 200)));
      }
    }
    if (!status.ok()) return status.At(Format("zip entry '{}'", entry.name.substr(0, 200)));
  }
  return OkStatus();
}

}  // namespace

Result<std::vector<ZipEntry>> ReadZipDirectory(const RandomAccessFile& file) {
  NEMO_ASSIGN_OR_RETURN(const Directory directory, FindDirectory(file));
  NEMO_ASSIGN_OR_RETURN(const std::string bytes,
                        ReadRange(file, directory.offset_bytes, directory.size_bytes));
  std::string_view left = bytes;
  std::vector<ZipEntry> entries;
  for (uint64_t i = 0; i < directory.num_entries; ++i) {
    NEMO_ASSIGN_OR_RETURN(ZipEntry entry, TakeEntry(left));
    if (!entry.name.ends_with('/')) entries.push_back(std::move(entry));
  }
  if (!left.empty()) {
    return Corruption(Format("zip: {} bytes behind the last of {} entries of the central directory",
                             left.size(), directory.num_entries));
  }
  NEMO_RETURN_IF_ERROR(PlaceAll(file, directory.offset_bytes, entries));
  std::sort(entries.begin(), entries.end(),
            [](const ZipEntry& a, const ZipEntry& b) { return a.name < b.name; });
  const auto twice =
      std::adjacent_find(entries.begin(), entries.end(),
                         [](const ZipEntry& a, const ZipEntry& b) { return a.name == b.name; });
  if (twice != entries.end()) {
    return Corruption(Format("zip entry '{}' is a duplicate: the archive has it twice",
                             twice->name.substr(0, 200)));
  }
  return entries;
}

}  // namespace nemo::torch
