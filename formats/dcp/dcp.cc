#include "formats/dcp/dcp.h"

#include <algorithm>
#include <atomic>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <span>
#include <tuple>
#include <utility>
#include <vector>

#include "formats/dcp/chunk_grid.h"
#include "formats/dcp/file_pool.h"
#include "formats/dcp/metadata.h"
#include "formats/torch/tensor.h"
#include "formats/torch/torch_file.h"
#include "libcore/base/format.h"
#include "libcore/tensor/dense.h"

namespace nemo {
namespace {

using dcp::Chunk;
using dcp::ChunkGrid;
using dcp::StoredTensor;
using torch::StridedTensor;

constexpr const char* kMetadataName = ".metadata";

/// A chunk and, once a box has met it, the tensor inside of its item.
class Item {
 public:
  /// `range` is the item: a torch file.
  Item(Chunk chunk, DType dtype, std::shared_ptr<RandomAccessFile> range)
      : chunk_(std::move(chunk)), dtype_(dtype), range_(std::move(range)) {}

  const Chunk& chunk() const { return chunk_; }
  /// `box` counted from the chunk's own corner.
  Status Read(const Box& box, std::span<std::byte> out) const {
    std::call_once(opened_, [this] { status_ = Open(); });
    NEMO_RETURN_IF_ERROR(status_);
    return ReadTensor(tensor_, box, out);
  }
  Status ProveReads() const { return is_open_ ? tensor_.storage->ProveReads() : OkStatus(); }

 private:
  Status Open() const {
    if (!torch::LooksLikeTorchFile(*range_)) {
      return Unsupported(Format(
          "{}: the item is no file of torch.save (is it in the safetensors form of DCP?), or it "
          "is damaged",
          range_->name()));
    }
    NEMO_ASSIGN_OR_RETURN(const auto file, torch::OpenTorchFile(range_));
    Result<StridedTensor> tensor = torch::TensorOf(*file, file->pickle.root());
    if (!tensor) return tensor.error().At(range_->name());
    if (tensor->dtype != dtype_ || tensor->shape != chunk_.box.extent) {
      return Corruption(Format("{}: the item is a {} tensor of shape {}, and .metadata says {} {}",
                               range_->name(), DTypeName(tensor->dtype), FormatList(tensor->shape),
                               DTypeName(dtype_), FormatList(chunk_.box.extent)));
    }
    tensor_ = std::move(tensor).value();
    is_open_ = true;
    return OkStatus();
  }

  Chunk chunk_;
  DType dtype_;
  std::shared_ptr<RandomAccessFile> range_;
  mutable std::once_flag opened_;
  // Written once, under opened_.
  mutable Status status_;
  mutable StridedTensor tensor_;
  mutable std::atomic<bool> is_open_ = false;  // tensor_ is there
};

struct Tensor {
  ChunkGrid grid;
  std::deque<Item> items;  // by the grid's numbers; an Item does not move
};

/// Where `part` begins in a dense array of `shape`, in elements, when it is one run there.
std::optional<int64_t> OneRun(const Shape& shape, const Box& part) {
  int64_t at = 0, stride = 1;
  bool whole = true;  // all axes behind this one
  for (size_t axis = shape.size(); axis-- > 0;) {
    if (!whole && part.extent[axis] != 1) return std::nullopt;
    whole = whole && part.extent[axis] == shape[axis];
    at += part.offset[axis] * stride;
    stride *= shape[axis];
  }
  return at;
}

class DcpSource : public TensorSource {
 public:
  DcpSource(std::string prefix, std::vector<TensorSpec> specs, std::deque<Tensor> tensors)
      : prefix_(std::move(prefix)), specs_(std::move(specs)), tensors_(std::move(tensors)) {}

  std::span<const TensorSpec> specs() const override { return specs_; }

  Status Read(std::string_view name, const Box& box, std::span<std::byte> out) const override {
    NEMO_ASSIGN_OR_RETURN(const TensorSpec* spec,
                          CheckRead(*this, name, box, static_cast<int64_t>(out.size())));
    const Tensor& tensor = TensorOf(*spec);
    const Status status = tensor.grid.ForEachChunk(box, [&](size_t i) {
      return ReadFromItem(tensor.items[i], SizeOf(spec->dtype), box, out);
    });
    return status.ok() ? status : status.At(Format("tensor {}", name));
  }

  Status ProveReads() const override {
    for (const Tensor& tensor : tensors_) {
      for (const Item& item : tensor.items) NEMO_RETURN_IF_ERROR(item.ProveReads());
    }
    return OkStatus();
  }

  std::vector<std::string> FilesOf(std::string_view name, const Box& box) const override {
    std::vector<std::string> files;
    const TensorSpec* spec = FindSpec(specs_, name);
    if (spec == nullptr || !Contains(spec->shape, box)) return files;
    const Tensor& tensor = TensorOf(*spec);
    const Status status = tensor.grid.ForEachChunk(box, [&](size_t i) {
      files.push_back(prefix_ + tensor.items[i].chunk().file);
      return OkStatus();
    });
    NEMO_CHECK(status.ok());
    std::sort(files.begin(), files.end());
    files.erase(std::unique(files.begin(), files.end()), files.end());
    return files;
  }

 private:
  const Tensor& TensorOf(const TensorSpec& spec) const {
    return tensors_[static_cast<size_t>(&spec - specs_.data())];
  }

  /// Moves what `item` holds of `box` to its place in `out`, through a buffer where that place is
  /// not one run of bytes.
  static Status ReadFromItem(const Item& item, int64_t item_size, const Box& box,
                             std::span<std::byte> out) {
    const std::optional<Box> part = Intersect(item.chunk().box, box);
    NEMO_CHECK(part.has_value());
    const Box in_item = RelativeTo(*part, item.chunk().box.offset);
    const Box in_out = RelativeTo(*part, box.offset);
    const auto size_bytes = static_cast<size_t>(NumElements(*part) * item_size);
    if (const std::optional<int64_t> at = OneRun(box.extent, in_out)) {
      return item.Read(in_item, out.subspan(static_cast<size_t>(*at * item_size), size_bytes));
    }
    std::vector<std::byte> buffer(size_bytes);
    NEMO_RETURN_IF_ERROR(item.Read(in_item, buffer));
    CopyBox(buffer.data(), part->extent, Box::Whole(part->extent), out.data(), box.extent, in_out,
            item_size);
    return OkStatus();
  }

  std::string prefix_;
  std::vector<TensorSpec> specs_;  // sorted by name
  std::deque<Tensor> tensors_;     // parallel to specs_
};

/// Every item lies inside of a file that is there. Hands out the open ends of the files by name.
class Placement {
 public:
  Placement(const std::shared_ptr<FileTree>& tree, std::string prefix)
      : tree_(*tree), pool_(std::make_shared<dcp::FilePool>(tree)), prefix_(std::move(prefix)) {}

  Result<std::shared_ptr<RandomAccessFile>> RangeOf(const Chunk& chunk) {
    auto it = files_.find(chunk.file);
    if (it == files_.end()) {
      const std::string path = prefix_ + chunk.file;
      if (!tree_.Contains(path)) {
        return Corruption(Format("file '{}' is missing; the save or the copy is incomplete", path));
      }
      NEMO_ASSIGN_OR_RETURN(auto file, pool_->File(path));
      it = files_.emplace(chunk.file, std::move(file)).first;
    }
    const int64_t file_bytes = it->second->size_bytes();
    if (chunk.offset_bytes > file_bytes || chunk.size_bytes > file_bytes - chunk.offset_bytes) {
      return Corruption(
          Format("the chunk at {} ends past the end of '{}{}': {} bytes at byte {} of {}; the copy "
                 "is incomplete, or .metadata does not belong to it",
                 FormatList(chunk.box.offset), prefix_, chunk.file, chunk.size_bytes,
                 chunk.offset_bytes, file_bytes));
    }
    return SliceFile(it->second, chunk.offset_bytes, chunk.size_bytes,
                     Format("{} (bytes {}..{})", it->second->name(), chunk.offset_bytes,
                            chunk.offset_bytes + chunk.size_bytes));
  }

 private:
  const FileTree& tree_;
  std::shared_ptr<dcp::FilePool> pool_;
  std::string prefix_;
  std::map<std::string, std::shared_ptr<RandomAccessFile>, std::less<>> files_;
};

Status CheckNoOverlap(const std::vector<StoredTensor>& tensors) {
  std::vector<std::pair<const Chunk*, const std::string*>> chunks;
  for (const StoredTensor& tensor : tensors) {
    for (const Chunk& chunk : tensor.chunks) chunks.emplace_back(&chunk, &tensor.spec.name);
  }
  std::sort(chunks.begin(), chunks.end(), [](const auto& a, const auto& b) {
    return std::tie(a.first->file, a.first->offset_bytes) <
           std::tie(b.first->file, b.first->offset_bytes);
  });
  for (size_t i = 1; i < chunks.size(); ++i) {
    const Chunk& before = *chunks[i - 1].first;
    const Chunk& after = *chunks[i].first;
    if (before.file != after.file || before.offset_bytes + before.size_bytes <= after.offset_bytes)
      continue;
    return Corruption(Format("tensors {} and {} overlap in '{}' at byte {}", *chunks[i - 1].second,
                             *chunks[i].second, after.file, after.offset_bytes));
  }
  return OkStatus();
}

/// Items are stored as they are, so one that is shorter than its elements is not them: a shape that
/// lies costs no more than the files there are.
Status CheckHolds(const Chunk& chunk, DType dtype) {
  const int64_t needed = NumElements(chunk.box) * SizeOf(dtype);
  if (chunk.size_bytes >= needed) return OkStatus();
  return Corruption(Format(
      "the chunk at {} of shape {} needs {} bytes, and its item has {}; the save or the copy "
      "is incomplete, or .metadata does not belong to it",
      FormatList(chunk.box.offset), FormatList(chunk.box.extent), needed, chunk.size_bytes));
}

Result<Tensor> MakeTensor(StoredTensor stored, Placement& placement) {
  std::vector<Box> boxes;
  for (const Chunk& chunk : stored.chunks) boxes.push_back(chunk.box);
  Tensor tensor;
  NEMO_ASSIGN_OR_RETURN(tensor.grid, ChunkGrid::Create(stored.spec.shape, boxes));
  for (Chunk& chunk : stored.chunks) {
    NEMO_ASSIGN_OR_RETURN(auto range, placement.RangeOf(chunk));
    NEMO_RETURN_IF_ERROR(CheckHolds(chunk, stored.spec.dtype));
    tensor.items.emplace_back(std::move(chunk), stored.spec.dtype, std::move(range));
  }
  return tensor;
}

}  // namespace

Result<std::shared_ptr<TensorSource>> OpenDcp(
    std::shared_ptr<FileTree> tree, std::string prefix,
    const std::function<bool(std::string_view name)>& wanted) {
  if (!prefix.empty() && !prefix.ends_with('/')) prefix += '/';
  const std::string path = prefix + kMetadataName;
  if (!tree->Contains(path)) {
    return Corruption(
        Format("{} is missing; the save or the copy is incomplete (names that begin with a dot "
               "are easily left behind)",
               path));
  }
  NEMO_ASSIGN_OR_RETURN(const auto file, tree->Open(path));
  NEMO_ASSIGN_OR_RETURN(std::string bytes, ReadAll(*file, torch::kMaxPickleBytes));
  auto stored = dcp::ParseMetadata(std::move(bytes), wanted);
  if (!stored) return stored.error().At(path);
  if (const Status status = CheckNoOverlap(*stored); !status.ok()) return status.At(path);

  Placement placement(tree, prefix);
  std::vector<TensorSpec> specs;
  std::deque<Tensor> tensors;
  for (StoredTensor& tensor : *stored) {
    specs.push_back(tensor.spec);
    Result<Tensor> made = MakeTensor(std::move(tensor), placement);
    if (!made) return made.error().At(Format("{}: tensor {}", path, specs.back().name));
    tensors.push_back(std::move(made).value());
  }
  return std::shared_ptr<TensorSource>(
      std::make_shared<DcpSource>(std::move(prefix), std::move(specs), std::move(tensors)));
}

}  // namespace nemo
