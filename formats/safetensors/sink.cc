// Writing safetensors. The header is written twice at the same length: at Declare with zeros for
// the checksums, at Finish with the checksums, so that data can go to their final place in between.
#include <algorithm>
#include <numeric>
#include <utility>
#include <vector>

#include "formats/safetensors/safetensors.h"
#include "libcore/base/format.h"
#include "libcore/base/json.h"
#include "libcore/tensor/placed_sink.h"

namespace nemo::safetensors {
namespace {

constexpr int64_t kLengthBytes = 8;
constexpr std::string_view kMetadataKey = "__metadata__";
constexpr std::string_view kFormatKey = "format";

using Checksums = std::map<std::string, std::string>;

/// Offsets relative to the data section when tensors lie in `order`.
std::vector<int64_t> OffsetsInOrder(const std::vector<SinkTensor>& tensors,
                                    const std::vector<size_t>& order) {
  std::vector<int64_t> offsets(tensors.size());
  int64_t at = 0;
  for (const size_t i : order) {
    offsets[i] = at;
    at += tensors[i].spec.size_bytes();
  }
  return offsets;
}

bool KeepsAlignment(const std::vector<SinkTensor>& tensors, const std::vector<int64_t>& offsets) {
  for (size_t i = 0; i < tensors.size(); ++i) {
    if (offsets[i] % SizeOf(tensors[i].spec.dtype) != 0) return false;
  }
  return true;
}

/// The format has no room for gaps, so only the order can keep elements aligned.
std::vector<size_t> ChooseOrder(const std::vector<SinkTensor>& tensors, bool sort_by_name) {
  std::vector<size_t> order(tensors.size());
  std::iota(order.begin(), order.end(), size_t{0});
  if (sort_by_name) {
    std::sort(order.begin(), order.end(),
              [&](size_t a, size_t b) { return tensors[a].spec.name < tensors[b].spec.name; });
  }
  if (sort_by_name || !KeepsAlignment(tensors, OffsetsInOrder(tensors, order))) {
    std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
      return SizeOf(tensors[a].spec.dtype) > SizeOf(tensors[b].spec.dtype);
    });
  }
  return order;
}

std::string NoteText(const TensorNote& note, const std::string& xxh3) {
  Value::Object object;
  object.emplace_back("global_shape", Value::ArrayOf(note.global_shape));
  object.emplace_back("offset", Value::ArrayOf(note.offset));
  object.emplace_back("shard_rule", note.shard_rule);
  object.emplace_back("xxh3", xxh3);
  return ToJson(Value(std::move(object)));
}

class Sink : public PlacedSink {
 public:
  Sink(const std::string& path, const SinkOptions& options) : PlacedSink(path), options_(options) {}

 protected:
  Result<Placement> WriteIndex(const std::string& path,
                               const std::vector<SinkTensor>& tensors) override;
  Status WriteChecksums(const std::vector<SinkTensor>& tensors,
                        const Checksums& checksums) override;

 private:
  std::string HeaderText(const std::vector<SinkTensor>& tensors, const Checksums& checksums) const;

  SinkOptions options_;
  std::vector<size_t> order_;     ///< of the tensors in the file
  std::vector<int64_t> offsets_;  ///< relative to the data section
};

/// Length, JSON, spaces up to the data section.
std::string Sink::HeaderText(const std::vector<SinkTensor>& tensors,
                             const Checksums& checksums) const {
  Value::Object metadata;
  metadata.emplace_back(kFormatKey, "pt");
  Value::Object header;
  header.emplace_back(kMetadataKey, Value());
  for (const size_t i : order_) {
    const TensorSpec& spec = tensors[i].spec;
    if (options_.notes) {
      const auto found = checksums.find(spec.name);
      metadata.emplace_back(
          spec.name,
          NoteText(tensors[i].note, found == checksums.end() ? NoChecksum() : found->second));
    }
    Value::Object entry;
    entry.emplace_back("dtype", DTypeName(spec.dtype));
    entry.emplace_back("shape", Value::ArrayOf(spec.shape));
    entry.emplace_back("data_offsets", Value::Array{offsets_[i], offsets_[i] + spec.size_bytes()});
    header.emplace_back(spec.name, Value(std::move(entry)));
  }
  header.front().second = Value(std::move(metadata));
  std::string json = ToJson(Value(std::move(header)));
  const auto used = kLengthBytes + static_cast<int64_t>(json.size());
  const int64_t alignment = options_.data_alignment;
  json.append(static_cast<size_t>((alignment - used % alignment) % alignment), ' ');
  std::string text;
  for (int i = 0; i < kLengthBytes; ++i) text += static_cast<char>(json.size() >> (8 * i) & 0xff);
  return text + json;
}

Result<PlacedSink::Placement> Sink::WriteIndex(const std::string& index_path,
                                               const std::vector<SinkTensor>& tensors) {
  for (const SinkTensor& tensor : tensors) {
    if (tensor.spec.name == kMetadataKey || tensor.spec.name == kFormatKey) {
      return InvalidArgument(Format("{}: a safetensors file cannot hold a tensor called '{}'",
                                    path(), tensor.spec.name));
    }
  }
  order_ = ChooseOrder(tensors, options_.sort_by_name);
  offsets_ = OffsetsInOrder(tensors, order_);
  const std::string header = HeaderText(tensors, {});
  NEMO_ASSIGN_OR_RETURN(const auto file, OpenForWrite(index_path, /*truncate=*/true));
  NEMO_RETURN_IF_ERROR(file->WriteAt(0, std::as_bytes(std::span(header))));
  Placement placement;
  placement.offsets = offsets_;
  placement.size_bytes = static_cast<int64_t>(header.size());
  for (int64_t& offset : placement.offsets) offset += static_cast<int64_t>(header.size());
  for (const SinkTensor& tensor : tensors) placement.size_bytes += tensor.spec.size_bytes();
  return placement;
}

Status Sink::WriteChecksums(const std::vector<SinkTensor>& tensors, const Checksums& checksums) {
  const std::string header = HeaderText(tensors, checksums);
  NEMO_ASSIGN_OR_RETURN(const auto file, OpenForWrite(temporary_path(), /*truncate=*/false));
  return file->WriteAt(0, std::as_bytes(std::span(header)));
}

}  // namespace

std::unique_ptr<TensorSink> CreateSinkWith(const std::string& path, const SinkOptions& options) {
  return std::make_unique<Sink>(path, options);
}

std::unique_ptr<TensorSink> CreateSink(const std::string& path) {
  return CreateSinkWith(path, SinkOptions{});
}

}  // namespace nemo::safetensors
