#include "formats/tar/tar.h"

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "formats/tar/header.h"
#include "libcore/base/format.h"
#include "libcore/base/progress.h"

namespace nemo {
namespace {

using tar::Block;
using tar::kBlockBytes;
using tar::Type;

constexpr int64_t kMaxExtendedBytes = int64_t{1} << 20;  // of a pax header or a GNU long name
// The longest that Linux opens. One name of a global header stands for that of every member behind
// it.
constexpr size_t kMaxNameBytes = 4096;
constexpr size_t kMaxMembers = 1'000'000;  // a 340B model saved at TP 64 has some 30,000

struct Member {
  int64_t offset_bytes = 0;
  int64_t size_bytes = 0;
};
using Members = std::map<std::string, Member, std::less<>>;

class TarTree : public FileTree {
 public:
  TarTree(std::shared_ptr<RandomAccessFile> file, Members members)
      : file_(std::move(file)), members_(std::move(members)) {
    for (const auto& [name, member] : members_) names_.push_back(name);
  }
  const std::vector<std::string>& files() const override { return names_; }
  const std::string& name() const override { return file_->name(); }
  Result<std::shared_ptr<RandomAccessFile>> Open(std::string_view name) const override {
    const auto it = members_.find(name);
    if (it == members_.end()) return NotFound(Format("{}: no member '{}'", file_->name(), name));
    return SliceFile(file_, it->second.offset_bytes, it->second.size_bytes,
                     Format("{}: {}", file_->name(), name));
  }

 private:
  std::shared_ptr<RandomAccessFile> file_;
  Members members_;
  std::vector<std::string> names_;
};

/// Why `name` must not be followed; empty when it is harmless.
std::string_view WhyUnsafe(std::string_view name) {
  if (name.starts_with('/')) return "an absolute name";
  if (name.find('\0') != std::string_view::npos) return "a name with a NUL byte";
  for (size_t at = 0; at <= name.size();) {
    const size_t slash = std::min(name.find('/', at), name.size());
    if (name.substr(at, slash - at) == "..") return "a name with '..'";
    at = slash + 1;
  }
  return "";
}

/// Without empty and "." components: "./a//b" is "a/b".
std::string Normalised(std::string_view name) {
  std::string out;
  for (size_t at = 0; at <= name.size();) {
    const size_t slash = std::min(name.find('/', at), name.size());
    const std::string_view part = name.substr(at, slash - at);
    if (!part.empty() && part != ".") out += Format("{}{}", out.empty() ? "" : "/", part);
    at = slash + 1;
  }
  return out;
}

std::string_view WhatItIs(Type type) {
  switch (type) {
    case Type::kHardLink:
      return "a hard link";
    case Type::kSymbolicLink:
      return "a symbolic link";
    case Type::kCharacterDevice:
    case Type::kBlockDevice:
      return "a device";
    case Type::kFifo:
      return "a pipe";
    default:
      return "";
  }
}

/// Walks the headers once, from first to last.
class Indexer {
 public:
  explicit Indexer(const RandomAccessFile& file) : file_(file) {}

  Status Run();
  Members& members() { return members_; }

 private:
  /// Reads the header at at_; false at the end of the archive.
  Result<bool> ReadHeader();
  Status ReadExtended(std::string& text) const;
  /// Name and size from the extended headers, if any, then files the member.
  Status TakeMember();
  Status CheckFits() const;
  Status AddFile();
  /// Steps behind the current member's data.
  void Hop();
  Status Bad(std::string_view what) const {
    return Corruption(Format("{}: byte {}: {}", file_.name(), at_, what));
  }

  const RandomAccessFile& file_;
  Members members_;
  int64_t at_ = 0;  // of the current header
  tar::Header header_;
  tar::PaxRecords global_, next_;             // next_: for the member that follows
  std::optional<std::string> gnu_long_name_;  // likewise
};

Status Indexer::Run() {
  while (true) {
    if (StopRequested()) return IoError(Format("stopped by signal {}", StopSignal()));
    NEMO_ASSIGN_OR_RETURN(const bool more, ReadHeader());
    if (!more) return OkStatus();
    std::string text;
    switch (header_.type) {
      case Type::kPax:
      case Type::kPaxGlobal: {
        NEMO_RETURN_IF_ERROR(ReadExtended(text));
        const Status status = tar::ParsePax(text, header_.type == Type::kPax ? next_ : global_);
        if (!status.ok()) return Bad(status.message());
        break;
      }
      case Type::kGnuLongName:
        NEMO_RETURN_IF_ERROR(ReadExtended(text));
        gnu_long_name_ = text.substr(0, text.find('\0'));
        break;
      case Type::kGnuLongLink:
      case Type::kGnuVolumeLabel:
        NEMO_RETURN_IF_ERROR(CheckFits());
        break;
      default:
        NEMO_RETURN_IF_ERROR(TakeMember());
    }
    Hop();
  }
}

Result<bool> Indexer::ReadHeader() {
  const int64_t left = file_.size_bytes() - at_;
  if (left <= 0) {
    // Writers end with two zero blocks; without them the archive is whole as long as nothing is
    // pending.
    if (next_.path || next_.size_bytes || gnu_long_name_)
      return Bad("the archive ends early (truncated)");
    return false;
  }
  if (left < kBlockBytes) return Bad("the archive ends inside a header (truncated); copy it again");
  Block block;
  NEMO_RETURN_IF_ERROR(file_.ReadAt(at_, block));
  if (tar::IsZero(block)) {
    if (left < 2 * kBlockBytes) return false;
    NEMO_RETURN_IF_ERROR(file_.ReadAt(at_ + kBlockBytes, block));
    if (tar::IsZero(block)) return false;
    return Bad("a block of zeros between members; the archive is damaged, copy it again");
  }
  Result<tar::Header> header = tar::ParseHeader(block);
  if (!header) return Bad(header.error().message());
  header_ = std::move(header).value();
  return true;
}

Status Indexer::ReadExtended(std::string& text) const {
  NEMO_RETURN_IF_ERROR(CheckFits());
  if (header_.size_bytes > kMaxExtendedBytes) {
    return Bad(Format("an extended header of {} bytes; the limit is {}", header_.size_bytes,
                      kMaxExtendedBytes));
  }
  text.resize(static_cast<size_t>(header_.size_bytes));
  return file_.ReadAt(at_ + kBlockBytes, std::as_writable_bytes(std::span(text)));
}

Status Indexer::CheckFits() const {
  const int64_t begin = at_ + kBlockBytes;
  if (header_.size_bytes <= file_.size_bytes() - begin) return OkStatus();
  return Bad(
      Format("member '{}' has {} bytes, and the archive ends at byte {} (truncated); the copy "
             "is incomplete, copy it again",
             header_.name, header_.size_bytes, file_.size_bytes()));
}

Status Indexer::TakeMember() {
  if (gnu_long_name_) header_.name = *gnu_long_name_;
  if (global_.path) header_.name = *global_.path;
  if (next_.path) header_.name = *next_.path;
  if (global_.size_bytes) header_.size_bytes = *global_.size_bytes;
  if (next_.size_bytes) header_.size_bytes = *next_.size_bytes;
  const bool sparse = global_.sparse || next_.sparse;
  next_ = {};
  gnu_long_name_.reset();

  if (header_.name.size() > kMaxNameBytes) {
    return Bad(Format("a name of {} bytes ('{}...'); the limit is {}", header_.name.size(),
                      header_.name.substr(0, 80), kMaxNameBytes));
  }
  const std::string_view kind = WhatItIs(header_.type);
  const std::string_view unsafe = kind.empty() ? WhyUnsafe(header_.name) : kind;
  if (!unsafe.empty()) {
    return Bad(
        Format("member '{}' is unsafe: {}; a checkpoint has only plain files under relative "
               "names, pack it again without this member",
               header_.name, unsafe));
  }
  // A directory has no data, whatever its size field says.
  if (header_.type == Type::kDirectory) header_.size_bytes = 0;
  if (header_.type == Type::kDirectory) return OkStatus();
  if (header_.type != Type::kFile || sparse) {
    return Unsupported(Format(
        "{}: byte {}: member '{}' is {}; pack the files again as plain ones", file_.name(), at_,
        header_.name,
        sparse || static_cast<char>(header_.type) == 'S'
            ? std::string("sparse")
            : Format("of the unknown type 0x{:02x}", static_cast<unsigned char>(header_.type))));
  }
  return AddFile();
}

Status Indexer::AddFile() {
  NEMO_RETURN_IF_ERROR(CheckFits());
  std::string name = Normalised(header_.name);
  if (name.empty()) return Bad("a file without a name");
  if (members_.size() >= kMaxMembers) return Bad(Format("more than {} members", kMaxMembers));
  const auto [it, added] =
      members_.emplace(std::move(name), Member{at_ + kBlockBytes, header_.size_bytes});
  if (added) return OkStatus();
  return Bad(
      Format("member '{}' is there twice (the first at byte {}), and only one can be meant; "
             "pack the archive again",
             it->first, it->second.offset_bytes - kBlockBytes));
}

void Indexer::Hop() {
  // CheckFits bounds the size, so that the padding cannot overflow.
  const int64_t blocks = (header_.size_bytes + kBlockBytes - 1) / kBlockBytes;
  at_ += kBlockBytes + blocks * kBlockBytes;
}

}  // namespace

bool LooksLikeTar(std::span<const std::byte> first_block) {
  if (first_block.size() < static_cast<size_t>(kBlockBytes)) return false;
  Block block;
  std::copy_n(first_block.begin(), block.size(), block.begin());
  return tar::HasUstarMagic(block) || tar::IsZero(block) || tar::ChecksumMatches(block);
}

Result<std::shared_ptr<FileTree>> OpenTar(std::shared_ptr<RandomAccessFile> file) {
  Indexer indexer(*file);
  NEMO_RETURN_IF_ERROR(indexer.Run());
  return std::shared_ptr<FileTree>(
      std::make_shared<TarTree>(std::move(file), std::move(indexer.members())));
}

}  // namespace nemo
