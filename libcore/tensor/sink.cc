#include "libcore/tensor/sink.h"

#include <algorithm>
#include <utility>

#include "libcore/base/file.h"
#include "libcore/base/format.h"
#include "libcore/base/hash.h"

namespace nemo {
namespace {

constexpr int64_t kBlockBytes = int64_t{1} << 20;

using Visit = std::function<Status(int64_t, std::span<const std::byte>)>;

/// Visits bytes `begin` to `end` of `file`.
Status VisitRange(const RandomAccessFile& file, int64_t begin, int64_t end,
                  std::vector<std::byte>& block, const Visit& visit) {
  while (begin < end) {
    block.resize(static_cast<size_t>(std::min(kBlockBytes, end - begin)));
    NEMO_RETURN_IF_ERROR(file.ReadAt(begin, block));
    NEMO_RETURN_IF_ERROR(visit(begin, block));
    begin += static_cast<int64_t>(block.size());
  }
  return OkStatus();
}

}  // namespace

Result<EncodedBlock> TensorSink::Encode(std::string_view, const Box&,
                                        std::span<const std::byte> in) const {
  return EncodedBlock{in, {}, {}};
}

Status TensorSink::Reserve(std::string_view, const Box&, const EncodedBlock&) { return OkStatus(); }

std::string TensorSink::Note(std::string_view) const { return {}; }

Status TensorSink::Restore(std::string_view name, std::string_view note) {
  if (note.empty()) return OkStatus();
  return Corruption(Format("tensor {}: the note '{}' belongs to another kind of file", name, note));
}

Status WriteBlock(TensorSink& sink, std::string_view name, const Box& box,
                  std::span<const std::byte> in) {
  NEMO_ASSIGN_OR_RETURN(const EncodedBlock block, sink.Encode(name, box, in));
  NEMO_RETURN_IF_ERROR(sink.Reserve(name, box, block));
  return sink.Write(name, box, block.bytes);
}

Status ForEachOutside(const RandomAccessFile& file, std::vector<TensorPlace> places,
                      const Visit& visit) {
  std::erase_if(places, [](const TensorPlace& place) { return place.size_bytes == 0; });
  std::sort(places.begin(), places.end(), [](const TensorPlace& a, const TensorPlace& b) {
    return a.offset_bytes < b.offset_bytes;
  });
  std::vector<std::byte> block;
  int64_t at = 0;
  for (const TensorPlace& place : places) {
    if (place.size_bytes < 0 || place.offset_bytes > file.size_bytes() ||
        place.size_bytes > file.size_bytes() - place.offset_bytes) {
      return Corruption(Format("{}: {} bytes from byte {} on end past the file ({} bytes)",
                               file.name(), place.size_bytes, place.offset_bytes,
                               file.size_bytes()));
    }
    if (place.offset_bytes < at) {
      return Corruption(Format("{}: two tensors share byte {}", file.name(), place.offset_bytes));
    }
    NEMO_RETURN_IF_ERROR(VisitRange(file, at, place.offset_bytes, block, visit));
    at = place.offset_bytes + place.size_bytes;
  }
  return VisitRange(file, at, file.size_bytes(), block, visit);
}

Result<std::string> HashOutside(const RandomAccessFile& file, std::vector<TensorPlace> places) {
  Hasher hasher;
  NEMO_RETURN_IF_ERROR(
      ForEachOutside(file, std::move(places), [&](int64_t, std::span<const std::byte> bytes) {
        hasher.Update(bytes);
        return OkStatus();
      }));
  return hasher.HexDigest();
}

}  // namespace nemo
