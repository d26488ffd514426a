#include "formats/nemo/members.h"

#include <set>
#include <utility>

#include "formats/tar/writer.h"
#include "libcore/base/check.h"

namespace nemo {
namespace {

/// A tar archive as it grows.
class TarRow {
 public:
  void Add(const Member& member) {
    const std::string name = "./" + member.name;
    std::string framing;
    for (size_t slash = name.find('/'); slash != std::string::npos;
         slash = name.find('/', slash + 1)) {
      const std::string folder = name.substr(0, slash + 1);
      if (folders_.insert(folder).second) framing += tar::DirectoryHeader(folder);
    }
    Frame(framing + tar::FileHeader(name, member.size_bytes));
    row_.offsets.push_back(row_.size_bytes);
    row_.size_bytes += member.size_bytes;
    Frame(tar::PaddingBehind(member.size_bytes));
  }

  Arrangement End() {
    Frame(tar::ArchiveEnd(row_.size_bytes));
    return std::move(row_);
  }

 private:
  void Frame(std::string bytes) {
    if (bytes.empty()) return;
    const int64_t offset = row_.size_bytes;
    row_.size_bytes += static_cast<int64_t>(bytes.size());
    row_.framing.push_back({offset, std::move(bytes)});
  }

  std::set<std::string> folders_;  ///< that have a member of their own
  Arrangement row_;
};

}  // namespace

Member FixedMember(std::string name, std::string bytes) {
  Member member;
  member.name = std::move(name);
  member.size_bytes = static_cast<int64_t>(bytes.size());
  member.pieces.push_back({0, std::move(bytes)});
  return member;
}

Member TensorMember(std::string name, size_t tensor, int64_t size_bytes) {
  Member member;
  member.name = std::move(name);
  member.size_bytes = size_bytes;
  member.tensors = {tensor};
  member.offsets = {0};
  return member;
}

Member TorchMember(std::string name, torch::FileLayout file, std::vector<size_t> tensors) {
  NEMO_CHECK(tensors.size() == file.data_offsets().size());
  Member member;
  member.name = std::move(name);
  member.size_bytes = file.size_bytes();
  member.tensors = std::move(tensors);
  member.offsets = file.data_offsets();
  member.file = std::make_shared<torch::FileLayout>(std::move(file));
  return member;
}

std::vector<torch::Piece> PiecesOf(const Member& member, std::span<const uint32_t> crc32) {
  return member.file == nullptr ? member.pieces : member.file->Pieces(crc32);
}

Arrangement ArrangeInRow(std::span<const Member> members) {
  Arrangement row;
  for (const Member& member : members) {
    row.offsets.push_back(row.size_bytes);
    row.size_bytes += member.size_bytes;
  }
  return row;
}

Arrangement ArrangeInTar(std::span<const Member> members) {
  TarRow row;
  for (const Member& member : members) row.Add(member);
  return row.End();
}

}  // namespace nemo
