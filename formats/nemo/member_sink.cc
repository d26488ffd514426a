#include "formats/nemo/member_sink.h"

#include <map>
#include <utility>

#include "formats/output/joined_files.h"
#include "formats/torch/parts_crc32.h"
#include "libcore/base/check.h"
#include "libcore/tensor/placed_sink.h"

namespace nemo {
namespace {

class MemberSink : public PlacedSink {
 public:
  MemberSink(const std::string& path, const std::string& temporary_path, Packaging packaging,
             MembersOf members_of)
      : PlacedSink(path, temporary_path),
        packaging_(packaging),
        members_of_(std::move(members_of)) {}

 protected:
  Result<Placement> WriteIndex(const std::string& path,
                               const std::vector<SinkTensor>& tensors) override;
  Status WriteChecksums(const std::vector<SinkTensor>& tensors,
                        const std::map<std::string, std::string>& checksums) override;
  void Observe(size_t tensor, int64_t offset_bytes, std::span<const std::byte> bytes) override;
  Result<std::unique_ptr<WritableFile>> OpenToWrite(const std::string& path) const override;
  Result<std::shared_ptr<RandomAccessFile>> OpenToRead(const std::string& path) const override;

 private:
  void Arrange(const std::vector<SinkTensor>& tensors);
  std::vector<JoinedPart> Parts() const;
  Status WriteMember(WritableFile& file, size_t member, std::span<const uint32_t> crc32) const;

  Packaging packaging_;
  MembersOf members_of_;
  std::vector<Member> members_;
  Arrangement row_;
  /// Parallel to the declared tensors; null for those whose CRC-32 nobody wants.
  std::vector<std::unique_ptr<torch::PartsCrc32>> sums_;
};

void MemberSink::Arrange(const std::vector<SinkTensor>& tensors) {
  members_ = members_of_(tensors);
  NEMO_CHECK(packaging_ != Packaging::kFile || members_.size() == 1);
  row_ = packaging_ == Packaging::kArchive ? ArrangeInTar(members_) : ArrangeInRow(members_);
  sums_.resize(tensors.size());
  for (const Member& member : members_) {
    if (member.file == nullptr) continue;
    for (const size_t tensor : member.tensors) {
      sums_[tensor] = std::make_unique<torch::PartsCrc32>();
    }
  }
}

std::vector<JoinedPart> MemberSink::Parts() const {
  std::vector<JoinedPart> parts;
  for (const Member& member : members_) parts.push_back({BaseName(member.name), member.size_bytes});
  return parts;
}

Result<std::unique_ptr<WritableFile>> MemberSink::OpenToWrite(const std::string& path) const {
  if (packaging_ == Packaging::kFolder) return OpenJoinedForWrite(path, Parts());
  return PlacedSink::OpenToWrite(path);
}

Result<std::shared_ptr<RandomAccessFile>> MemberSink::OpenToRead(const std::string& path) const {
  if (packaging_ == Packaging::kFolder) return OpenJoined(path, Parts());
  return PlacedSink::OpenToRead(path);
}

Status MemberSink::WriteMember(WritableFile& file, size_t member,
                               std::span<const uint32_t> crc32) const {
  for (const torch::Piece& piece : PiecesOf(members_[member], crc32)) {
    NEMO_RETURN_IF_ERROR(file.WriteAt(row_.offsets[member] + piece.offset_bytes,
                                      std::as_bytes(std::span(piece.bytes))));
  }
  return OkStatus();
}

Result<PlacedSink::Placement> MemberSink::WriteIndex(const std::string& path,
                                                     const std::vector<SinkTensor>& tensors) {
  Arrange(tensors);
  NEMO_ASSIGN_OR_RETURN(const auto file, OpenToWrite(path));
  NEMO_RETURN_IF_ERROR(file->Truncate(row_.size_bytes));
  for (const torch::Piece& piece : row_.framing) {
    NEMO_RETURN_IF_ERROR(file->WriteAt(piece.offset_bytes, std::as_bytes(std::span(piece.bytes))));
  }
  Placement placement{std::vector<int64_t>(tensors.size()), row_.size_bytes};
  for (size_t i = 0; i < members_.size(); ++i) {
    const Member& member = members_[i];
    const std::vector<uint32_t> unknown(member.tensors.size(), 0);
    NEMO_RETURN_IF_ERROR(WriteMember(*file, i, unknown));
    for (size_t k = 0; k < member.tensors.size(); ++k) {
      placement.offsets[member.tensors[k]] = row_.offsets[i] + member.offsets[k];
    }
  }
  return placement;
}

void MemberSink::Observe(size_t tensor, int64_t offset_bytes, std::span<const std::byte> bytes) {
  if (sums_[tensor] != nullptr) sums_[tensor]->Add(offset_bytes, bytes);
}

Status MemberSink::WriteChecksums(const std::vector<SinkTensor>& tensors,
                                  const std::map<std::string, std::string>&) {
  NEMO_ASSIGN_OR_RETURN(const auto written, OpenToRead(temporary_path()));
  NEMO_ASSIGN_OR_RETURN(const auto file, OpenToWrite(temporary_path()));
  for (size_t i = 0; i < members_.size(); ++i) {
    const Member& member = members_[i];
    if (member.file == nullptr) continue;
    std::vector<uint32_t> crc32;
    for (size_t k = 0; k < member.tensors.size(); ++k) {
      const TensorPlace place = {
          row_.offsets[i] + member.offsets[k], tensors[member.tensors[k]].spec.size_bytes(), {}};
      NEMO_ASSIGN_OR_RETURN(crc32.emplace_back(), sums_[member.tensors[k]]->Of(*written, place));
    }
    NEMO_RETURN_IF_ERROR(WriteMember(*file, i, crc32));
  }
  return OkStatus();
}

}  // namespace

std::unique_ptr<TensorSink> CreateMemberSink(const std::string& path, Packaging packaging,
                                             MembersOf members_of) {
  return std::make_unique<MemberSink>(path, path + ".partial", packaging, std::move(members_of));
}

std::unique_ptr<TensorSink> CreateUnpublishedSink(const std::string& path, Packaging packaging,
                                                  MembersOf members_of) {
  return std::make_unique<MemberSink>(path, path, packaging, std::move(members_of));
}

}  // namespace nemo
