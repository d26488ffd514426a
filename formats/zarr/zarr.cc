#include "formats/zarr/zarr.h"

#include <algorithm>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "formats/zarr/array_metadata.h"
#include "libcore/base/format.h"
#include "libcore/tensor/dense.h"

namespace nemo {
namespace {

using zarr::ArrayMetadata;
using zarr::ParseArrayMetadata;

constexpr int64_t kMaxMetadataBytes = int64_t{1} << 20;
constexpr std::string_view kMetadataName = "/.zarray";

struct Array {
  std::string folder;  // in the tree
  ArrayMetadata metadata;

  std::string ChunkPath(const std::vector<int64_t>& chunk_index) const {
    return Format("{}/{}", folder, metadata.ChunkName(chunk_index));
  }
};

/// Every chunk file is there and whole. Each round but the last finds another file of the tree, so
/// that a shape that lies about its size costs no more than the files there are.
Status CheckChunks(const FileTree& tree, const Array& array) {
  std::vector<int64_t> index(array.metadata.grid.size(), 0);
  while (true) {
    const std::string path = array.ChunkPath(index);
    if (!tree.Contains(path)) {
      return Corruption(
          Format("chunk '{}' is missing: shape {} in chunks of {} needs it; the save or "
                 "the copy is incomplete",
                 path, FormatList(array.metadata.shape), FormatList(array.metadata.chunk_shape)));
    }
    NEMO_ASSIGN_OR_RETURN(const auto file, tree.Open(path));
    if (file->size_bytes() != array.metadata.chunk_bytes()) {
      return Corruption(
          Format("chunk '{}' has {} bytes, expected {} (chunks of {}, {}); the save or "
                 "the copy is incomplete, or .zarray does not belong to it",
                 path, file->size_bytes(), array.metadata.chunk_bytes(),
                 FormatList(array.metadata.chunk_shape), DTypeName(array.metadata.dtype)));
    }
    size_t axis = index.size();
    while (axis > 0 && ++index[axis - 1] == array.metadata.grid[axis - 1]) index[--axis] = 0;
    if (axis == 0) return OkStatus();
  }
}

/// Calls visit(chunk_index) for each chunk that `box` meets.
template <typename Visit>
Status ForEachChunk(const ArrayMetadata& array, const Box& box, const Visit& visit) {
  if (NumElements(box) == 0) return OkStatus();
  Box chunks = box;  // in units of chunks
  for (size_t axis = 0; axis < box.extent.size(); ++axis) {
    const int64_t chunk = array.chunk_shape[axis];
    chunks.offset[axis] = box.offset[axis] / chunk;
    chunks.extent[axis] =
        (box.offset[axis] + box.extent[axis] - 1) / chunk - chunks.offset[axis] + 1;
  }
  const int64_t count = NumElements(chunks);
  for (int64_t i = 0; i < count; ++i) {
    std::vector<int64_t> index = IndexOf(chunks.extent, i);
    for (size_t axis = 0; axis < index.size(); ++axis) index[axis] += chunks.offset[axis];
    NEMO_RETURN_IF_ERROR(visit(index));
  }
  return OkStatus();
}

/// The place of `part` in a dense array of `shape` when it is one run of bytes there; else empty.
std::span<std::byte> OneRun(std::span<std::byte> whole, const Shape& shape, const Box& part,
                            int64_t item_size) {
  std::span<std::byte> run;
  static_cast<void>(ForEachRun(shape, part, item_size, [&](int64_t at, int64_t, int64_t size) {
                      if (size == NumElements(part) * item_size) {
                        run = whole.subspan(static_cast<size_t>(at), static_cast<size_t>(size));
                      }
                      return Status(StatusCode::kNotFound, "one run is enough to know");
                    }).ok());
  return run;
}

class ZarrSource : public TensorSource {
 public:
  ZarrSource(std::shared_ptr<FileTree> tree, std::vector<TensorSpec> specs,
             std::vector<Array> arrays)
      : tree_(std::move(tree)), specs_(std::move(specs)), arrays_(std::move(arrays)) {}

  std::span<const TensorSpec> specs() const override { return specs_; }

  Status Read(std::string_view name, const Box& box, std::span<std::byte> out) const override {
    NEMO_ASSIGN_OR_RETURN(const TensorSpec* spec,
                          CheckRead(*this, name, box, static_cast<int64_t>(out.size())));
    const Array& array = ArrayOf(*spec);
    std::vector<std::byte> buffer;
    return ForEachChunk(array.metadata, box, [&](const std::vector<int64_t>& index) {
      return ReadFromChunk(array, index, box, out, buffer);
    });
  }

  std::vector<std::string> FilesOf(std::string_view name, const Box& box) const override {
    std::vector<std::string> files;
    const TensorSpec* spec = FindSpec(specs_, name);
    if (spec == nullptr || !Contains(spec->shape, box)) return files;
    const Array& array = ArrayOf(*spec);
    const Status status = ForEachChunk(array.metadata, box, [&](const std::vector<int64_t>& index) {
      files.push_back(array.ChunkPath(index));
      return OkStatus();
    });
    NEMO_CHECK(status.ok());
    return files;
  }

 private:
  const Array& ArrayOf(const TensorSpec& spec) const {
    return arrays_[static_cast<size_t>(&spec - specs_.data())];
  }

  /// Moves what chunk `index` holds of `box` to its place in `out`, through `buffer` where that
  /// place is not one run of bytes.
  Status ReadFromChunk(const Array& array, const std::vector<int64_t>& index, const Box& box,
                       std::span<std::byte> out, std::vector<std::byte>& buffer) const {
    const Box chunk_box = array.metadata.BoxOf(index);
    const std::optional<Box> part = Intersect(chunk_box, box);
    NEMO_CHECK(part.has_value());
    const Box in_chunk = RelativeTo(*part, chunk_box.offset);
    const Box in_out = RelativeTo(*part, box.offset);
    const int64_t item_size = SizeOf(array.metadata.dtype);

    NEMO_ASSIGN_OR_RETURN(const auto file, tree_->Open(array.ChunkPath(index)));
    const std::span<std::byte> run = OneRun(out, box.extent, in_out, item_size);
    if (!run.empty()) {
      return ReadBox(*file, 0, array.metadata.chunk_shape, in_chunk, item_size, run);
    }
    buffer.resize(static_cast<size_t>(NumElements(*part) * item_size));
    NEMO_RETURN_IF_ERROR(
        ReadBox(*file, 0, array.metadata.chunk_shape, in_chunk, item_size, buffer));
    CopyBox(buffer.data(), part->extent, Box::Whole(part->extent), out.data(), box.extent, in_out,
            item_size);
    return OkStatus();
  }

  std::shared_ptr<FileTree> tree_;
  std::vector<TensorSpec> specs_;  // sorted by name
  std::vector<Array> arrays_;      // parallel to specs_
};

/// The key when `file` is the .zarray of a tensor directly below `prefix` (with its '/'); else
/// empty.
std::string_view KeyOf(std::string_view file, std::string_view prefix) {
  if (!file.starts_with(prefix) || !file.ends_with(kMetadataName)) return "";
  if (file.size() <= prefix.size() + kMetadataName.size()) return "";
  file.remove_prefix(prefix.size());
  file.remove_suffix(kMetadataName.size());
  const bool tensor = file.find('/') == std::string_view::npos && !file.ends_with("_extra_state") &&
                      !file.ends_with(".sync");
  return tensor ? file : "";
}

Result<Array> OpenArray(const FileTree& tree, std::string folder) {
  const std::string path = folder + std::string(kMetadataName);
  NEMO_ASSIGN_OR_RETURN(const auto file, tree.Open(path));
  NEMO_ASSIGN_OR_RETURN(const std::string text, ReadAll(*file, kMaxMetadataBytes));
  Result<ArrayMetadata> metadata = ParseArrayMetadata(text);
  if (!metadata) return metadata.error().At(path);
  Array array{std::move(folder), std::move(metadata).value()};
  NEMO_RETURN_IF_ERROR(CheckChunks(tree, array));
  return array;
}

}  // namespace

Result<std::shared_ptr<TensorSource>> OpenZarr(std::shared_ptr<FileTree> tree, std::string prefix) {
  if (!prefix.empty() && !prefix.ends_with('/')) prefix += '/';
  std::vector<std::pair<std::string, Array>> found;
  for (const std::string& file : tree->files()) {
    const std::string_view key = KeyOf(file, prefix);
    if (key.empty()) continue;
    Result<Array> array = OpenArray(*tree, Format("{}{}", prefix, key));
    if (!array) return array.error().At(tree->name());
    found.emplace_back(key, std::move(array).value());
  }
  // By file name "a.b/.zarray" stands after "a/.zarray"; by key perhaps not.
  std::sort(found.begin(), found.end(),
            [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<TensorSpec> specs;
  std::vector<Array> arrays;
  for (auto& [key, array] : found) {
    specs.push_back({key, array.metadata.dtype, array.metadata.shape});
    arrays.push_back(std::move(array));
  }
  return std::shared_ptr<TensorSource>(
      std::make_shared<ZarrSource>(std::move(tree), std::move(specs), std::move(arrays)));
}

}  // namespace nemo
