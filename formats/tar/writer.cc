#include "formats/tar/writer.h"

#include "formats/tar/header.h"
#include "libcore/base/format.h"

namespace nemo::tar {
namespace {

constexpr size_t kMaxName = 100;
constexpr int64_t kMaxSize = int64_t{1} << 33;  // 11 octal digits
constexpr int64_t kRecordBytes = 10240;         // 20 blocks: what tapes had, and tar still has
/// 14 June 2024. Equal input gives equal bytes; tar warns of members from 1970.
constexpr int64_t kModified = 1718323200;

struct Fields {
  std::string_view name;
  int64_t size_bytes = 0;
  Type type = Type::kFile;
  std::string_view mode = "0000644";
  int64_t modified = kModified;
};

std::string HeaderBlock(const Fields& fields) {
  std::string block(static_cast<size_t>(kBlockBytes), '\0');
  const auto put = [&](size_t offset, std::string_view text) {
    block.replace(offset, text.size(), text);
  };
  put(0, fields.name.substr(0, kMaxName));
  put(100, fields.mode);
  put(108, "0000000");  // user
  put(116, "0000000");  // group
  put(124, Format("{:011o}", fields.size_bytes));
  put(136, Format("{:011o}", fields.modified));
  put(148, "        ");
  put(156, std::string(1, static_cast<char>(fields.type)));
  put(257, "ustar");  // and NUL
  put(263, "00");
  int64_t sum = 0;
  for (const char c : block) sum += static_cast<unsigned char>(c);
  put(148, Format("{:06o}", sum));
  block[154] = '\0';
  return block;
}

/// `length key=value\n`, where the length counts its own digits.
std::string PaxRecord(std::string_view key, std::string_view value) {
  const std::string rest = Format(" {}={}\n", key, value);
  size_t length = rest.size() + 1;
  while (Format("{}", length).size() + rest.size() != length) ++length;
  return Format("{}", length) + rest;
}

std::string MemberHeader(Fields fields) {
  std::string records;
  if (fields.name.size() > kMaxName) records += PaxRecord("path", fields.name);
  if (fields.size_bytes >= kMaxSize) {
    records += PaxRecord("size", Format("{}", fields.size_bytes));
    fields.size_bytes = 0;
  }
  if (records.empty()) return HeaderBlock(fields);
  const auto records_bytes = static_cast<int64_t>(records.size());
  return HeaderBlock({"././@PaxHeader", records_bytes, Type::kPax, "0000000", 0}) + records +
         PaddingBehind(records_bytes) + HeaderBlock(fields);
}

}  // namespace

std::string FileHeader(std::string_view name, int64_t size_bytes) {
  return MemberHeader({name, size_bytes, Type::kFile});
}

std::string DirectoryHeader(std::string_view name) {
  return MemberHeader({name, 0, Type::kDirectory, "0000755"});
}

std::string PaddingBehind(int64_t size_bytes) {
  const int64_t over = size_bytes % kBlockBytes;
  return std::string(static_cast<size_t>(over == 0 ? 0 : kBlockBytes - over), '\0');
}

std::string ArchiveEnd(int64_t offset_bytes) {
  const int64_t end = offset_bytes + 2 * kBlockBytes;
  const int64_t size_bytes = (end + kRecordBytes - 1) / kRecordBytes * kRecordBytes;
  return std::string(static_cast<size_t>(size_bytes - offset_bytes), '\0');
}

}  // namespace nemo::tar
