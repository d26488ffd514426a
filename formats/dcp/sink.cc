#include "formats/dcp/sink.h"

#include <map>
#include <utility>
#include <vector>

#include "formats/torch/parts_crc32.h"
#include "libcore/base/check.h"
#include "libcore/base/file.h"
#include "libcore/base/format.h"
#include "libcore/tensor/placed_sink.h"

namespace nemo::dcp {
namespace {

class Sink : public PlacedSink {
 public:
  Sink(const std::string& path, FileItems items)
      : PlacedSink(path), items_(std::move(items)), sums_(items_.tensors.size()) {}

 protected:
  Result<Placement> WriteIndex(const std::string& path,
                               const std::vector<SinkTensor>& tensors) override;
  Status WriteChecksums(const std::vector<SinkTensor>& tensors,
                        const std::map<std::string, std::string>& checksums) override;
  void Observe(size_t tensor, int64_t offset_bytes, std::span<const std::byte> bytes) override {
    sums_[tensor].Add(offset_bytes, bytes);
  }

 private:
  FileItems items_;
  std::vector<torch::PartsCrc32> sums_;  ///< parallel to items_.tensors
};

/// Writes what of the item at `begin` is not data.
Status WritePieces(WritableFile& file, const torch::FileLayout& layout, int64_t begin,
                   uint32_t crc32) {
  for (const torch::Piece& piece : layout.Pieces({&crc32, 1})) {
    NEMO_RETURN_IF_ERROR(
        file.WriteAt(begin + piece.offset_bytes, std::as_bytes(std::span(piece.bytes))));
  }
  return OkStatus();
}

Result<PlacedSink::Placement> Sink::WriteIndex(const std::string& path,
                                               const std::vector<SinkTensor>& tensors) {
  NEMO_CHECK(tensors.size() == items_.tensors.size());
  NEMO_ASSIGN_OR_RETURN(const auto file, OpenForWrite(path, /*truncate=*/true));
  Placement placement;
  for (size_t i = 0; i < tensors.size(); ++i) {
    const TensorItem& item = items_.tensors[i];
    NEMO_CHECK(tensors[i].spec.dtype == item.dtype);
    NEMO_CHECK(NumElements(tensors[i].spec.shape) == NumElements(item.chunk));
    const torch::FileLayout layout = LayoutOf(item);
    NEMO_RETURN_IF_ERROR(WritePieces(*file, layout, placement.size_bytes, 0));
    placement.offsets.push_back(placement.size_bytes + layout.data_offsets().front());
    placement.size_bytes += layout.size_bytes();
  }
  for (const BytesItem& item : items_.bytes) {
    NEMO_RETURN_IF_ERROR(file->WriteAt(placement.size_bytes, std::as_bytes(std::span(item.bytes))));
    placement.size_bytes += std::ssize(item.bytes);
  }
  return placement;
}

Status Sink::WriteChecksums(const std::vector<SinkTensor>& tensors,
                            const std::map<std::string, std::string>&) {
  NEMO_ASSIGN_OR_RETURN(const auto written, OpenFile(temporary_path()));
  NEMO_ASSIGN_OR_RETURN(const auto file, OpenForWrite(temporary_path(), /*truncate=*/false));
  int64_t begin = 0;
  for (size_t i = 0; i < tensors.size(); ++i) {
    const torch::FileLayout layout = LayoutOf(items_.tensors[i]);
    const TensorPlace data = {begin + layout.data_offsets().front(), tensors[i].spec.size_bytes()};
    NEMO_ASSIGN_OR_RETURN(const uint32_t crc32, sums_[i].Of(*written, data));
    NEMO_RETURN_IF_ERROR(WritePieces(*file, layout, begin, crc32));
    begin += layout.size_bytes();
  }
  return OkStatus();
}

}  // namespace

std::unique_ptr<TensorSink> CreateSink(const std::string& path, FileItems items) {
  return std::make_unique<Sink>(path, std::move(items));
}

}  // namespace nemo::dcp
