// manifest.json: written by hand-placed lines (one shard is one line, so that people and `diff` can
// read it), read as hostile input.
#include "libcore/convert/manifest.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "libcore/base/format.h"
#include "libcore/base/json.h"
#include "libcore/layout/parallel_layout.h"

namespace nemo {
namespace {

// ---- writing ----

Value ToValue(const Provenance& source) {
  return Value::Object{{"kind", source.kind},
                       {"base_name", source.base_name},
                       {"size_bytes", source.size_bytes},
                       {"index_xxh3", source.index_xxh3}};
}

Value ToValue(const ManifestFile& file) {
  return Value::Object{
      {"name", file.name}, {"size_bytes", file.size_bytes}, {"metadata_xxh3", file.metadata_xxh3}};
}

Value ToValue(const ManifestShard& shard) {
  Value::Array parts;
  for (const ShardPart& part : shard.shard.parts) {
    parts.push_back(Value::Object{{"offset", Value::ArrayOf(part.canonical.offset)},
                                  {"extent", Value::ArrayOf(part.canonical.extent)},
                                  {"local", Value::ArrayOf(part.local.offset)}});
  }
  Value value = Value::Object{{"file", shard.file},
                              {"stored_name", shard.stored_name},
                              {"shape", Value::ArrayOf(shard.shard.shape)},
                              {"parts", std::move(parts)},
                              {"byte_offset", shard.place.offset_bytes},
                              {"bytes", shard.place.size_bytes},
                              {"xxh3", shard.xxh3}};
  if (const PlaceChunks& chunks = shard.place.chunks; !chunks.empty()) {
    value.Set("stored_xxh3", chunks.xxh3);
    value.Set("chunk_rows", chunks.rows);
    value.Set("chunk_bytes", Value::ArrayOf(chunks.bytes));
  }
  return value;
}

/// `items` one to a line, indented, with commas between them.
template <typename Items, typename ToLine>
std::string Lines(const Items& items, std::string_view indent, ToLine to_line) {
  std::string text;
  for (size_t i = 0; i < items.size(); ++i) {
    text += Format("{}{}{}\n", indent, to_line(items[i]), i + 1 < items.size() ? "," : "");
  }
  return text;
}

std::string TensorText(const ManifestTensor& tensor) {
  return Format(
      "{{\"name\":{},\"shape\":{},\"dtype\":\"{}\",\"shard_rule\":\"{}\",\"shards\":[\n{}    ]}}",
      ToJson(Value(tensor.spec.name)), ToJson(Value::ArrayOf(tensor.spec.shape)),
      DTypeName(tensor.spec.dtype), ShardRuleName(tensor.rule),
      Lines(tensor.shards, "      ", [](const ManifestShard& s) { return ToJson(ToValue(s)); }));
}

// ---- reading ----

bool IsChecksum(std::string_view text) {
  return text.size() == 32 && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

Result<std::string> GetChecksum(const Value& value, std::string_view key) {
  NEMO_ASSIGN_OR_RETURN(std::string text, value.GetString(key));
  if (!IsChecksum(text)) {
    return Corruption(Format("'{}' is '{}', expected 32 lower-case hexadecimal digits", key, text));
  }
  return text;
}

Result<int64_t> GetCount(const Value& value, std::string_view key) {
  NEMO_ASSIGN_OR_RETURN(const int64_t count, value.GetInt(key));
  if (count < 0) return Corruption(Format("'{}' is {}, expected 0 or more", key, count));
  return count;
}

/// A name that stays inside the directory.
Status CheckFileName(const std::string& name) {
  const bool plain = !name.empty() && name != "." && name != ".." &&
                     std::all_of(name.begin(), name.end(), [](char c) {
                       return c != '/' && c != '\\' && c >= 0x20 && c != 0x7f;
                     });
  if (!plain) return Corruption(Format("'{}' is no plain file name", name));
  return OkStatus();
}

Result<Provenance> ParseSource(const Value& value) {
  Provenance source;
  NEMO_ASSIGN_OR_RETURN(source.kind, value.GetString("kind"));
  NEMO_ASSIGN_OR_RETURN(source.base_name, value.GetString("base_name"));
  NEMO_ASSIGN_OR_RETURN(source.size_bytes, GetCount(value, "size_bytes"));
  NEMO_ASSIGN_OR_RETURN(source.index_xxh3, value.GetString("index_xxh3"));
  return source;
}

Result<std::vector<ManifestFile>> ParseFiles(const Value::Array& array) {
  std::vector<ManifestFile> files;
  std::set<std::string> names;
  for (const Value& value : array) {
    ManifestFile file;
    NEMO_ASSIGN_OR_RETURN(file.name, value.GetString("name"));
    NEMO_RETURN_IF_ERROR(CheckFileName(file.name));
    if (!names.insert(file.name).second) {
      return Corruption(Format("file {} is listed twice", file.name));
    }
    NEMO_ASSIGN_OR_RETURN(file.size_bytes, GetCount(value, "size_bytes"));
    NEMO_ASSIGN_OR_RETURN(file.metadata_xxh3, GetChecksum(value, "metadata_xxh3"));
    files.push_back(std::move(file));
  }
  return files;
}

/// The parts follow one another on axis 0 of the shard and span its other axes: they tile it
/// exactly.
Result<Shard> ParseShardBoxes(const Value& value, const Shape& global) {
  Shard shard;
  NEMO_ASSIGN_OR_RETURN(shard.shape, value.GetIntList("shape"));
  NEMO_RETURN_IF_ERROR(CheckedNumElements(shard.shape).error());
  NEMO_ASSIGN_OR_RETURN(const Value::Array* parts, value.GetArray("parts"));
  int64_t rows = 0;
  for (const Value& item : *parts) {
    ShardPart part;
    NEMO_ASSIGN_OR_RETURN(part.canonical.offset, item.GetIntList("offset"));
    NEMO_ASSIGN_OR_RETURN(part.canonical.extent, item.GetIntList("extent"));
    NEMO_ASSIGN_OR_RETURN(part.local.offset, item.GetIntList("local"));
    part.local.extent = part.canonical.extent;
    if (!Contains(global, part.canonical)) {
      return Corruption(Format("part at offset {} with extent {} leaves the tensor's shape {}",
                               FormatList(part.canonical.offset), FormatList(part.canonical.extent),
                               FormatList(global)));
    }
    Box expected = Box::Whole(shard.shape);
    if (!expected.extent.empty() && expected.extent.size() == part.local.extent.size()) {
      expected.offset[0] = rows;
      expected.extent[0] = part.local.extent[0];
    }
    if (part.local != expected || !Contains(shard.shape, part.local)) {
      return Corruption(Format(
          "part at {} of the shard with extent {} does not follow the one before "
          "it in shape {}",
          FormatList(part.local.offset), FormatList(part.local.extent), FormatList(shard.shape)));
    }
    if (!shard.shape.empty()) rows += part.local.extent[0];
    shard.parts.push_back(std::move(part));
  }
  const bool covered = shard.shape.empty() ? shard.parts.size() == 1 : rows == shard.shape[0];
  if (!covered)
    return Corruption(Format("its parts do not fill shape {}", FormatList(shard.shape)));
  return shard;
}

/// `rows` rows of the shard in chunks that together have the stored bytes.
Result<PlaceChunks> ParseChunks(const Value& value, int64_t rows, int64_t stored_bytes) {
  PlaceChunks chunks;
  NEMO_ASSIGN_OR_RETURN(chunks.xxh3, GetChecksum(value, "stored_xxh3"));
  NEMO_ASSIGN_OR_RETURN(chunks.rows, value.GetInt("chunk_rows"));
  NEMO_ASSIGN_OR_RETURN(chunks.bytes, value.GetIntList("chunk_bytes"));
  const bool counted = chunks.rows >= 1 && chunks.rows <= rows &&
                       (rows - 1) / chunks.rows + 1 == std::ssize(chunks.bytes);
  if (!counted) {
    return Corruption(Format("{} chunks of {} rows are not the {} rows of the shard",
                             chunks.bytes.size(), chunks.rows, rows));
  }
  int64_t left = stored_bytes;
  for (const int64_t size : chunks.bytes) {
    if (size < 1 || size > left) {
      return Corruption(Format("'chunk_bytes' do not add up to 'bytes' ({})", stored_bytes));
    }
    left -= size;
  }
  if (left != 0) {
    return Corruption(Format("'chunk_bytes' leave {} of 'bytes' ({})", left, stored_bytes));
  }
  return chunks;
}

Result<ManifestShard> ParseShard(const Value& value, const TensorSpec& spec) {
  ManifestShard shard;
  NEMO_ASSIGN_OR_RETURN(shard.file, value.GetString("file"));
  NEMO_ASSIGN_OR_RETURN(shard.stored_name, value.GetString("stored_name"));
  NEMO_ASSIGN_OR_RETURN(shard.shard, ParseShardBoxes(value, spec.shape));
  NEMO_ASSIGN_OR_RETURN(shard.place.offset_bytes, GetCount(value, "byte_offset"));
  NEMO_ASSIGN_OR_RETURN(shard.place.size_bytes, GetCount(value, "bytes"));
  const TensorSpec stored{shard.stored_name, spec.dtype, shard.shard.shape};
  NEMO_RETURN_IF_ERROR(CheckSpec(stored));
  if (value.Find("chunk_bytes") != nullptr) {
    const int64_t rows = stored.shape.empty() ? 0 : stored.shape[0];
    NEMO_ASSIGN_OR_RETURN(shard.place.chunks, ParseChunks(value, rows, shard.place.size_bytes));
  } else if (shard.place.size_bytes != stored.size_bytes()) {
    return Corruption(Format("'bytes' is {}, shape {} of {} needs {}", shard.place.size_bytes,
                             FormatList(stored.shape), DTypeName(stored.dtype),
                             stored.size_bytes()));
  }
  NEMO_ASSIGN_OR_RETURN(shard.xxh3, GetChecksum(value, "xxh3"));
  return shard;
}

Result<ManifestTensor> ParseTensor(const Value& value) {
  ManifestTensor tensor;
  NEMO_ASSIGN_OR_RETURN(tensor.spec.name, value.GetString("name"));
  NEMO_ASSIGN_OR_RETURN(tensor.spec.shape, value.GetIntList("shape"));
  NEMO_ASSIGN_OR_RETURN(const std::string dtype, value.GetString("dtype"));
  NEMO_ASSIGN_OR_RETURN(tensor.spec.dtype, ParseDType(dtype));
  NEMO_RETURN_IF_ERROR(CheckSpec(tensor.spec));
  NEMO_ASSIGN_OR_RETURN(const std::string rule, value.GetString("shard_rule"));
  NEMO_ASSIGN_OR_RETURN(tensor.rule, ParseShardRule(rule));
  NEMO_ASSIGN_OR_RETURN(const Value::Array* shards, value.GetArray("shards"));
  for (const Value& item : *shards) {
    auto shard = ParseShard(item, tensor.spec);
    if (!shard) return shard.error().At(Format("shard {}", tensor.shards.size()));
    tensor.shards.push_back(std::move(shard).value());
  }
  return tensor;
}

/// Every shard lies in a listed file, inside of it, under a name of its own, and shares no byte.
Status CheckPlaces(const Manifest& manifest) {
  struct Held {
    int64_t size_bytes = 0;
    std::set<std::string_view> names;
    std::vector<const ManifestShard*> shards;
  };
  std::map<std::string_view, Held> files;
  for (const ManifestFile& file : manifest.files) files[file.name].size_bytes = file.size_bytes;
  for (const ManifestTensor& tensor : manifest.tensors) {
    for (const ManifestShard& shard : tensor.shards) {
      const auto it = files.find(shard.file);
      if (it == files.end()) {
        return Corruption(
            Format("tensor {}: its file '{}' is not listed", tensor.spec.name, shard.file));
      }
      Held& file = it->second;
      if (shard.place.offset_bytes > file.size_bytes ||
          shard.place.size_bytes > file.size_bytes - shard.place.offset_bytes) {
        return Corruption(Format("tensor {}: {} bytes from byte {} on end past {} ({} bytes)",
                                 tensor.spec.name, shard.place.size_bytes, shard.place.offset_bytes,
                                 shard.file, file.size_bytes));
      }
      if (!file.names.insert(shard.stored_name).second) {
        return Corruption(Format("{} holds '{}' twice", shard.file, shard.stored_name));
      }
      if (shard.place.size_bytes > 0) file.shards.push_back(&shard);
    }
  }
  for (auto& [name, file] : files) {
    std::sort(file.shards.begin(), file.shards.end(), [](const auto* a, const auto* b) {
      return a->place.offset_bytes < b->place.offset_bytes;
    });
    for (size_t i = 1; i < file.shards.size(); ++i) {
      const TensorPlace& before = file.shards[i - 1]->place;
      if (before.offset_bytes + before.size_bytes > file.shards[i]->place.offset_bytes) {
        return Corruption(Format("{}: {} and {} share bytes", name, file.shards[i - 1]->stored_name,
                                 file.shards[i]->stored_name));
      }
    }
  }
  return OkStatus();
}

/// Compressed shards say that they are, in the one place where programs look for it.
Status CheckCompression(const Manifest& manifest) {
  for (const ManifestTensor& tensor : manifest.tensors) {
    for (const ManifestShard& shard : tensor.shards) {
      if (shard.place.chunks.empty() || manifest.compression.zstd) continue;
      return Corruption(
          Format("tensor {} has 'chunk_bytes', and 'compression' is none", tensor.spec.name));
    }
  }
  return OkStatus();
}

Status CheckVersion(const Value& value) {
  NEMO_ASSIGN_OR_RETURN(const int64_t version, value.GetInt("format_version"));
  if (version < 1) return Corruption(Format("'format_version' is {}, expected 1 or more", version));
  if (version > Manifest::kFormatVersion) {
    return Unsupported(
        Format("this shard set has format version {}, and this program knows versions up "
               "to {}; use a newer release of it",
               version, Manifest::kFormatVersion));
  }
  return OkStatus();
}

Result<Manifest> Parse(std::string_view json_text) {
  NEMO_ASSIGN_OR_RETURN(const Value root, ParseJson(json_text));
  NEMO_RETURN_IF_ERROR(CheckVersion(root));
  Manifest manifest;
  NEMO_ASSIGN_OR_RETURN(manifest.container, root.GetString("container"));
  if (manifest.container != "hdf5" && manifest.container != "safetensors") {
    return Unsupported(
        Format("container '{}' is not known; known are hdf5, safetensors", manifest.container));
  }
  if (root.Find("compression") != nullptr) {
    NEMO_ASSIGN_OR_RETURN(const std::string compression, root.GetString("compression"));
    NEMO_ASSIGN_OR_RETURN(manifest.compression, ParseCompression(compression));
  }
  // Missing members become null, which the parsers name.
  const auto member = [&root](std::string_view key) {
    const Value* value = root.Find(key);
    return value == nullptr ? Value() : *value;
  };
  NEMO_ASSIGN_OR_RETURN(manifest.source, ParseSource(member("source")));
  NEMO_ASSIGN_OR_RETURN(manifest.config, ConfigFromValue(member("model")));
  NEMO_RETURN_IF_ERROR(CheckConfig(manifest.config));
  NEMO_ASSIGN_OR_RETURN(manifest.layout, LayoutFromValue(member("layout")));
  NEMO_RETURN_IF_ERROR(CheckLayout(manifest.layout, manifest.config));
  NEMO_ASSIGN_OR_RETURN(const Value::Array* files, root.GetArray("files"));
  NEMO_ASSIGN_OR_RETURN(manifest.files, ParseFiles(*files));
  NEMO_ASSIGN_OR_RETURN(const Value::Array* tensors, root.GetArray("tensors"));
  for (const Value& value : *tensors) {
    auto parsed = ParseTensor(value);
    if (!parsed) {
      const auto name = value.GetString("name");
      return parsed.error().At(
          Format("tensors[{}] {}", manifest.tensors.size(), name ? *name : std::string()));
    }
    ManifestTensor tensor = std::move(parsed).value();
    if (!manifest.tensors.empty() && tensor.spec.name <= manifest.tensors.back().spec.name) {
      return Corruption(Format("tensor {} stands behind {}: names must ascend", tensor.spec.name,
                               manifest.tensors.back().spec.name));
    }
    manifest.tensors.push_back(std::move(tensor));
  }
  NEMO_RETURN_IF_ERROR(CheckCompression(manifest));
  NEMO_RETURN_IF_ERROR(CheckPlaces(manifest));
  return manifest;
}

}  // namespace

std::string ToJsonText(const Manifest& manifest) {
  const std::string compression =
      manifest.compression.zstd
          ? Format("  \"compression\": {},\n", ToJson(Value(ToString(manifest.compression))))
          : std::string();
  return Format(
      "{{\n  \"format_version\": {},\n  \"source\": {},\n  \"container\": {},\n{}  \"model\": {},\n"
      "  \"layout\": {},\n  \"files\": [\n{}  ],\n  \"tensors\": [\n{}  ]\n}}\n",
      manifest.compression.zstd ? 2 : 1, ToJson(ToValue(manifest.source)),
      ToJson(Value(manifest.container)), compression, ToJson(ToValue(manifest.config)),
      ToJson(ToValue(manifest.layout)),
      Lines(manifest.files, "    ", [](const ManifestFile& file) { return ToJson(ToValue(file)); }),
      Lines(manifest.tensors, "    ", TensorText));
}

Result<Manifest> ParseManifest(std::string_view json_text) {
  auto manifest = Parse(json_text);
  if (manifest || manifest.error().code() == StatusCode::kUnsupported) return manifest;
  // Absent members and impossible layouts are damage here: nobody asked for them.
  return Corruption(manifest.error().message());
}

}  // namespace nemo
