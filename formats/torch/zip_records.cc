#include "formats/torch/zip_records.h"

#include <algorithm>
#include <string_view>
#include <utility>

namespace nemo::torch {
namespace {

constexpr int64_t kLocalBytes = 30, kAlignment = 64;
constexpr int64_t kSaturated32 = 0xffffffff, kSaturated16 = 0xffff;
constexpr int64_t kZip64Extra = 1;
constexpr std::string_view kPaddingExtra = "FB";

/// A record being written: numbers with the lowest byte first.
class Record {
 public:
  explicit Record(std::string_view signature = "") : bytes_(signature) {}
  Record& Put(int64_t value, int size) {
    for (int i = 0; i < size; ++i) bytes_ += static_cast<char>(value >> (8 * i) & 0xff);
    return *this;
  }
  Record& U16(int64_t value) { return Put(value, 2); }
  Record& U32(int64_t value) { return Put(value, 4); }
  Record& U64(int64_t value) { return Put(value, 8); }
  /// A number that a zip64 field has when it is too large for its place.
  Record& Narrow(int64_t value) { return U32(std::min(value, kSaturated32)); }
  Record& Text(std::string_view text) {
    bytes_ += text;
    return *this;
  }
  const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

bool IsLarge(const ZipEntry& entry) { return entry.size_bytes >= kSaturated32; }
bool IsFar(const ZipEntry& entry) { return entry.header_bytes >= kSaturated32; }

/// Names are UTF-8; where there are data, sizes and checksum stand behind them.
int64_t Flags(const ZipEntry& entry) { return entry.size_bytes > 0 ? 0x0808 : 0x0800; }

int64_t SizeOf(std::string_view bytes) { return static_cast<int64_t>(bytes.size()); }

/// Size, compressed size and offset as far as they are saturated, in this order. In a local header
/// the compressed size is zero: miniz does not know it yet.
std::string Zip64Field(const ZipEntry& entry, bool is_local) {
  Record values;
  if (IsLarge(entry)) values.U64(entry.size_bytes).U64(is_local ? 0 : entry.size_bytes);
  if (IsFar(entry)) values.U64(entry.header_bytes);
  if (values.bytes().empty()) return "";
  return Record().U16(kZip64Extra).U16(SizeOf(values.bytes())).Text(values.bytes()).bytes();
}

std::string DirectoryEntry(const ZipEntry& entry) {
  const std::string extra = Zip64Field(entry, /*is_local=*/false);
  Record record("PK\x01\x02");
  record.U32(0).U16(Flags(entry)).U16(0).U32(0);  // no versions; stored; no time
  record.U32(entry.crc32).Narrow(entry.size_bytes).Narrow(entry.size_bytes);
  record.U16(SizeOf(entry.name)).U16(SizeOf(extra)).U16(0).U16(0).U16(0).U32(0);
  return record.Narrow(entry.header_bytes).Text(entry.name).Text(extra).bytes();
}

/// The zip64 end record, its locator and the end record; torch always writes all three.
std::string EndRecords(int64_t num_entries, int64_t offset_bytes, int64_t size_bytes) {
  constexpr int64_t kRestOfEnd64 = 44, kMadeBy = 0x031e, kNeeded = 0x2d;
  Record record("PK\x06\x06");
  record.U64(kRestOfEnd64).U16(kMadeBy).U16(kNeeded).U32(0).U32(0);
  record.U64(num_entries).U64(num_entries).U64(size_bytes).U64(offset_bytes);
  record.Text("PK\x06\x07").U32(0).U64(offset_bytes + size_bytes).U32(1);
  const int64_t few = std::min(num_entries, kSaturated16);
  record.Text("PK\x05\x06").U16(0).U16(0).U16(few).U16(few);
  return record.Narrow(size_bytes).Narrow(offset_bytes).U16(0).bytes();
}

}  // namespace

std::string ZipLocalHeader(const ZipEntry& entry) {
  std::string extra = Zip64Field(entry, /*is_local=*/true);
  constexpr int64_t kExtraHeadBytes = 4;
  const int64_t used =
      entry.header_bytes + kLocalBytes + SizeOf(entry.name) + SizeOf(extra) + kExtraHeadBytes;
  const int64_t padding = (kAlignment - used % kAlignment) % kAlignment;
  extra += Record(kPaddingExtra).U16(padding).bytes();
  extra.append(static_cast<size_t>(padding), 'Z');
  Record record("PK\x03\x04");
  record.U16(0).U16(Flags(entry)).U16(0).U32(0);  // no version; stored; no time
  record.U32(0).U32(0).U32(0).U16(SizeOf(entry.name)).U16(SizeOf(extra));
  return record.Text(entry.name).Text(extra).bytes();
}

std::string ZipDescriptor(const ZipEntry& entry) {
  if (entry.size_bytes == 0) return "";
  const int width = IsLarge(entry) || IsFar(entry) ? 8 : 4;
  Record record("PK\x07\x08");
  record.U32(entry.crc32).Put(entry.size_bytes, width).Put(entry.size_bytes, width);
  return record.bytes();
}

std::string ZipDirectoryAndEnd(std::span<const ZipEntry> entries, int64_t offset_bytes) {
  std::string bytes;
  for (const ZipEntry& entry : entries) bytes += DirectoryEntry(entry);
  const int64_t size_bytes = SizeOf(bytes);
  return bytes + EndRecords(static_cast<int64_t>(entries.size()), offset_bytes, size_bytes);
}

}  // namespace nemo::torch
