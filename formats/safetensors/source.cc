// Reading safetensors: every number of the header is somebody else's word.
#include <algorithm>
#include <utility>
#include <vector>

#include "formats/safetensors/safetensors.h"
#include "libcore/base/format.h"
#include "libcore/base/json.h"

namespace nemo::safetensors {
namespace {

constexpr int64_t kLengthBytes = 8;
constexpr int64_t kMaxHeaderBytes = 100'000'000;

/// One entry of the header: a tensor and its range, relative to the data section.
struct Entry {
  TensorSpec spec;
  int64_t begin = 0;
  int64_t end = 0;
};

/// The header's text. The length is little-endian and unsigned: its top bit is a lie, not a sign.
Result<std::string> ReadHeader(const RandomAccessFile& file) {
  if (file.size_bytes() < kLengthBytes) {
    return Corruption(
        Format("{} bytes cannot hold the {}-byte header length; the copy is incomplete",
               file.size_bytes(), kLengthBytes));
  }
  std::byte raw[kLengthBytes];
  NEMO_RETURN_IF_ERROR(file.ReadAt(0, raw));
  uint64_t length = 0;
  for (int i = kLengthBytes; i-- > 0;) length = length << 8 | std::to_integer<uint64_t>(raw[i]);
  if (length > static_cast<uint64_t>(kMaxHeaderBytes)) {
    return Corruption(
        Format("header length {} is above the format's limit of {}; this is no "
               "safetensors file",
               length, kMaxHeaderBytes));
  }
  if (static_cast<int64_t>(length) > file.size_bytes() - kLengthBytes) {
    return Corruption(
        Format("header length {} ends past the file ({} bytes); the copy is incomplete", length,
               file.size_bytes()));
  }
  std::string text(length, '\0');
  NEMO_RETURN_IF_ERROR(file.ReadAt(kLengthBytes, std::as_writable_bytes(std::span(text))));
  if (!text.starts_with('{')) return Corruption("the header does not begin with '{'");
  return text;
}

Result<std::map<std::string, std::string>> ParseMetadata(const Value& value) {
  if (!value.is_object()) {
    return Corruption(Format("__metadata__ is {}, expected a mapping", value.type_name()));
  }
  std::map<std::string, std::string> metadata;
  for (const auto& [key, text] : value.as_object()) {
    if (!text.is_string()) {
      return Corruption(Format("__metadata__ '{}' is {}, expected text", key, text.type_name()));
    }
    metadata.emplace(key, text.as_string());
  }
  return metadata;
}

Result<Entry> ParseEntry(const std::string& name, const Value& value) {
  Entry entry;
  entry.spec.name = name;
  NEMO_ASSIGN_OR_RETURN(const std::string dtype, value.GetString("dtype"));
  NEMO_ASSIGN_OR_RETURN(entry.spec.dtype, ParseDType(dtype));
  NEMO_ASSIGN_OR_RETURN(entry.spec.shape, value.GetIntList("shape"));
  NEMO_RETURN_IF_ERROR(CheckSpec(entry.spec));
  NEMO_ASSIGN_OR_RETURN(const std::vector<int64_t> range, value.GetIntList("data_offsets"));
  if (range.size() != 2 || range[0] < 0 || range[1] < range[0]) {
    return Corruption(Format("data_offsets {} is no range", FormatList(range)));
  }
  entry.begin = range[0];
  entry.end = range[1];
  if (entry.end - entry.begin != entry.spec.size_bytes()) {
    return Corruption(Format("data_offsets {} hold {} bytes, shape {} of {} needs {}",
                             FormatList(range), entry.end - entry.begin,
                             FormatList(entry.spec.shape), dtype, entry.spec.size_bytes()));
  }
  return entry;
}

/// The ranges must tile the data section: no hole, no overlap, nothing behind the last.
Status CheckTiling(std::vector<Entry>& entries, int64_t data_bytes) {
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
  });
  int64_t at = 0;
  for (const Entry& entry : entries) {
    if (entry.begin != at) {
      return Corruption(
          Format("tensor {}: its data begin at byte {} of the data section, expected "
                 "{}; tensors must follow one another without hole or overlap",
                 entry.spec.name, entry.begin, at));
    }
    at = entry.end;
  }
  if (at > data_bytes) {
    return Corruption(
        Format("the header promises {} bytes of data, the file has {}; the copy is "
               "incomplete",
               at, data_bytes));
  }
  if (at < data_bytes) {
    return Corruption(Format("{} bytes follow the last tensor, expected none", data_bytes - at));
  }
  return OkStatus();
}

/// A missing member of the header is damage, not an absent thing somebody asked for.
Status AsCorruption(const Status& status) {
  return status.code() == StatusCode::kNotFound ? Corruption(status.message()) : status;
}

Result<Contents> Parse(const std::shared_ptr<RandomAccessFile>& file) {
  NEMO_ASSIGN_OR_RETURN(const std::string text, ReadHeader(*file));
  const auto header = ParseJson(text);
  if (!header) return header.error().At("header");
  const int64_t data_begin = kLengthBytes + static_cast<int64_t>(text.size());
  Contents contents;
  std::vector<Entry> entries;
  for (const auto& [name, value] : header->as_object()) {
    if (name == "__metadata__") {
      NEMO_ASSIGN_OR_RETURN(contents.metadata, ParseMetadata(value));
      continue;
    }
    auto entry = ParseEntry(name, value);
    if (!entry) return AsCorruption(entry.error()).At("tensor " + name);
    entries.push_back(std::move(entry).value());
  }
  NEMO_RETURN_IF_ERROR(CheckTiling(entries, file->size_bytes() - data_begin));
  std::vector<PlacedTensor> tensors;
  for (Entry& entry : entries) {
    tensors.push_back({std::move(entry.spec), data_begin + entry.begin});
  }
  NEMO_ASSIGN_OR_RETURN(contents.source, PlacedSource::Create(file, std::move(tensors)));
  return contents;
}

}  // namespace

Result<Contents> ReadContents(std::shared_ptr<RandomAccessFile> file) {
  auto contents = Parse(file);
  if (!contents) return contents.error().At(file->name());
  return contents;
}

Result<std::shared_ptr<PlacedSource>> OpenFile(std::shared_ptr<RandomAccessFile> file) {
  NEMO_ASSIGN_OR_RETURN(Contents contents, ReadContents(std::move(file)));
  return std::move(contents.source);
}

}  // namespace nemo::safetensors
