// Reading HDF5: the library tells where each dataset's bytes lie, everything else is a positioned
// read.
#include <algorithm>
#include <utility>
#include <vector>

#include "formats/hdf5/chunk_index.h"
#include "formats/hdf5/file.h"
#include "formats/hdf5/index_reader.h"
#include "formats/hdf5/library.h"
#include "libcore/base/format.h"

namespace nemo::hdf5 {
namespace {

herr_t CollectName(hid_t, const char* name, const H5L_info_t* info, void* out) {
  auto& links = *static_cast<std::vector<std::pair<std::string, H5L_type_t>>*>(out);
  links.emplace_back(name, info->type);
  return 0;
}

/// The names in the root group, all of which must be hard links.
Result<std::vector<std::string>> RootNames(hid_t file) {
  std::vector<std::pair<std::string, H5L_type_t>> links;
  if (H5Literate(file, H5_INDEX_NAME, H5_ITER_NATIVE, nullptr, CollectName, &links) < 0) {
    return LibraryError(StatusCode::kCorruption, "listing the root group");
  }
  std::vector<std::string> names;
  for (auto& [name, type] : links) {
    if (type != H5L_TYPE_HARD) return Unsupported(Format("'{}' is a soft or external link", name));
    names.push_back(std::move(name));
  }
  return names;
}

/// Only storage whose bytes we can find and decode can be read past the library.
Result<H5D_layout_t> CheckStorage(hid_t creation) {
  const H5D_layout_t layout = H5Pget_layout(creation);
  if (layout == H5D_LAYOUT_ERROR) return LibraryError(StatusCode::kCorruption, "storage layout");
  if (layout == H5D_CHUNKED) return layout;
  if (layout != H5D_CONTIGUOUS || H5Pget_external_count(creation) != 0) {
    return Unsupported(
        "its storage is not contiguous (but compact, virtual or external); "
        "`h5repack -l CONTI -f NONE` makes it so");
  }
  return layout;
}

Result<Shape> ShapeOf(hid_t dataset) {
  const Handle space(H5Dget_space(dataset), H5Sclose);
  if (!space.ok()) return LibraryError(StatusCode::kCorruption, "shape");
  if (H5Sget_simple_extent_type(space.get()) == H5S_NULL) return Unsupported("it has a null shape");
  const int rank = H5Sget_simple_extent_ndims(space.get());
  if (rank < 0 || rank > H5S_MAX_RANK) return LibraryError(StatusCode::kCorruption, "shape");
  std::vector<hsize_t> extents(static_cast<size_t>(rank));
  if (rank > 0 && H5Sget_simple_extent_dims(space.get(), extents.data(), nullptr) < 0) {
    return LibraryError(StatusCode::kCorruption, "shape");
  }
  // An extent of 2^63 and more becomes negative here, which CheckSpec refuses.
  return Shape(extents.begin(), extents.end());
}

Result<PlacedTensor> ReadDataset(const IndexReader& reader, hid_t file, const std::string& name) {
  const Handle object(H5Oopen(file, name.c_str(), H5P_DEFAULT), H5Oclose);
  if (!object.ok()) return LibraryError(StatusCode::kCorruption, "opening it");
  if (H5Iget_type(object.get()) != H5I_DATASET) return Unsupported("it is not a dataset");
  const hid_t dataset = object.get();
  PlacedTensor tensor;
  tensor.spec.name = name;
  const Handle creation(H5Dget_create_plist(dataset), H5Pclose);
  if (!creation.ok()) return LibraryError(StatusCode::kCorruption, "creation properties");
  NEMO_ASSIGN_OR_RETURN(const H5D_layout_t layout, CheckStorage(creation.get()));
  NEMO_ASSIGN_OR_RETURN(tensor.spec.shape, ShapeOf(dataset));
  const Handle type(H5Dget_type(dataset), H5Tclose);
  if (!type.ok()) return LibraryError(StatusCode::kCorruption, "element type");
  NEMO_ASSIGN_OR_RETURN(tensor.spec.dtype, DTypeOf(type.get()));
  NEMO_RETURN_IF_ERROR(CheckSpec(tensor.spec));
  if (tensor.spec.size_bytes() == 0) return tensor;
  if (layout == H5D_CHUNKED) {
    NEMO_ASSIGN_OR_RETURN(tensor.chunks,
                          ReadChunkIndex(reader, dataset, creation.get(), tensor.spec));
    return tensor;
  }
  const haddr_t offset = H5Dget_offset(dataset);
  if (offset == HADDR_UNDEF) return Corruption("its data were never written");
  tensor.offset_bytes = static_cast<int64_t>(offset);
  return tensor;
}

Result<std::vector<PlacedTensor>> ReadIndex(const RandomAccessFile& bytes) {
  const LibraryLock lock;
  IndexReader reader(bytes);
  const Handle file = reader.Open();
  if (!file.ok()) return LibraryError(StatusCode::kCorruption, "opening it");
  NEMO_ASSIGN_OR_RETURN(const std::vector<std::string> names, RootNames(file.get()));
  std::vector<PlacedTensor> tensors;
  for (const std::string& name : names) {
    auto tensor = ReadDataset(reader, file.get(), name);
    if (!tensor) return tensor.error().At(Format("dataset '{}'", name));
    tensors.push_back(std::move(tensor).value());
  }
  return tensors;
}

}  // namespace

Result<std::shared_ptr<PlacedSource>> OpenFile(const std::string& path) {
  // Opened by ourselves first: absent and unreadable files get the system's own words.
  NEMO_ASSIGN_OR_RETURN(std::shared_ptr<RandomAccessFile> file, nemo::OpenFile(path));
  auto tensors = ReadIndex(*file);
  if (!tensors) return tensors.error().At(path);
  return PlacedSource::Create(std::move(file), std::move(tensors).value());
}

}  // namespace nemo::hdf5
