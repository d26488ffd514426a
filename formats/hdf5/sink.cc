// Writing HDF5 in two steps. First every dataset's header and attributes, packed together at the
// front of the file (reading the index of a 600 GB file is then one short read); then, reopened
// with an alignment, the places of the data, each at a multiple of 4096. Data and size are
// PlacedSink's business.
#include <algorithm>
#include <cstring>
#include <utility>

#include "formats/hdf5/file.h"
#include "formats/hdf5/library.h"
#include "libcore/base/format.h"
#include "libcore/tensor/placed_sink.h"

namespace nemo::hdf5 {
namespace {

constexpr hsize_t kDataAlignment = 4096;
constexpr const char* kChecksumAttribute = "xxh3";

Status CheckExpressible(const TensorSpec& spec) {
  if (spec.name.empty() || spec.name == "." || spec.name.find('/') != std::string::npos ||
      spec.name.find('\0') != std::string::npos) {
    return InvalidArgument(Format("HDF5 cannot name a dataset '{}'", spec.name));
  }
  if (spec.shape.size() > H5S_MAX_RANK) {
    return InvalidArgument(Format("tensor {}: {} axes, HDF5 has at most {}", spec.name,
                                  spec.shape.size(), H5S_MAX_RANK));
  }
  return OkStatus();
}

/// An int64 array; an empty one (scalars have no axes) has no elements at all.
bool WriteAttribute(hid_t dataset, const char* name, const std::vector<int64_t>& values) {
  const hsize_t count = values.size();
  const Handle space(count == 0 ? H5Screate(H5S_NULL) : H5Screate_simple(1, &count, nullptr),
                     H5Sclose);
  const Handle attribute(
      H5Acreate2(dataset, name, H5T_STD_I64LE, space.get(), H5P_DEFAULT, H5P_DEFAULT), H5Aclose);
  return attribute.ok() &&
         (count == 0 || H5Awrite(attribute.get(), H5T_NATIVE_INT64, values.data()) >= 0);
}

Handle TextType(size_t size) {
  Handle type(H5Tcopy(H5T_C_S1), H5Tclose);
  const bool ok = type.ok() && H5Tset_size(type.get(), size) >= 0 &&
                  H5Tset_strpad(type.get(), H5T_STR_NULLPAD) >= 0;
  return ok ? std::move(type) : Handle();
}

/// A text of fixed length, so that it can be replaced in place.
bool WriteAttribute(hid_t dataset, const char* name, std::string text) {
  if (text.empty()) text.push_back('\0');
  const Handle type = TextType(text.size());
  const Handle space(H5Screate(H5S_SCALAR), H5Sclose);
  const Handle attribute(
      H5Acreate2(dataset, name, type.get(), space.get(), H5P_DEFAULT, H5P_DEFAULT), H5Aclose);
  return attribute.ok() && H5Awrite(attribute.get(), type.get(), text.data()) >= 0;
}

/// Contiguous, no fill values, no time stamps: the same declaration gives the same bytes.
Handle DatasetCreation() {
  Handle creation(H5Pcreate(H5P_DATASET_CREATE), H5Pclose);
  const bool ok = creation.ok() && H5Pset_obj_track_times(creation.get(), false) >= 0 &&
                  H5Pset_layout(creation.get(), H5D_CONTIGUOUS) >= 0 &&
                  H5Pset_alloc_time(creation.get(), H5D_ALLOC_TIME_LATE) >= 0 &&
                  H5Pset_fill_time(creation.get(), H5D_FILL_TIME_NEVER) >= 0;
  return ok ? std::move(creation) : Handle();
}

Status CreateDataset(hid_t file, hid_t creation, const SinkTensor& tensor,
                     const std::string& checksum) {
  const TensorSpec& spec = tensor.spec;
  const auto type = TypeFor(spec.dtype);
  if (!type) return type.error().At("tensor " + spec.name);
  const std::vector<hsize_t> shape(spec.shape.begin(), spec.shape.end());
  const Handle space(shape.empty()
                         ? H5Screate(H5S_SCALAR)
                         : H5Screate_simple(static_cast<int>(shape.size()), shape.data(), nullptr),
                     H5Sclose);
  const Handle dataset(H5Dcreate2(file, spec.name.c_str(), type->get(), space.get(), H5P_DEFAULT,
                                  creation, H5P_DEFAULT),
                       H5Dclose);
  const bool ok = dataset.ok() &&
                  WriteAttribute(dataset.get(), "global_shape", tensor.note.global_shape) &&
                  WriteAttribute(dataset.get(), "offset", tensor.note.offset) &&
                  WriteAttribute(dataset.get(), "shard_rule", tensor.note.shard_rule) &&
                  WriteAttribute(dataset.get(), kChecksumAttribute, checksum);
  if (!ok) return LibraryError(StatusCode::kIo, "creating dataset " + spec.name);
  return OkStatus();
}

/// Makes the library choose the place of a dataset's data: it does so when the first element is
/// written. A dataset without elements has no place: 0.
Result<int64_t> Allocate(hid_t file, const TensorSpec& spec) {
  if (spec.size_bytes() == 0) return 0;
  const Handle dataset(H5Dopen2(file, spec.name.c_str(), H5P_DEFAULT), H5Dclose);
  const Handle type(H5Dget_type(dataset.get()), H5Tclose);
  const Handle all(H5Dget_space(dataset.get()), H5Sclose);
  const Handle one(H5Screate(H5S_SCALAR), H5Sclose);
  if (!spec.shape.empty()) {
    const std::vector<hsize_t> origin(spec.shape.size(), 0), single(spec.shape.size(), 1);
    H5Sselect_hyperslab(all.get(), H5S_SELECT_SET, origin.data(), nullptr, single.data(), nullptr);
  }
  const std::byte zero[8] = {};
  if (H5Dwrite(dataset.get(), type.get(), one.get(), all.get(), H5P_DEFAULT, zero) < 0) {
    return LibraryError(StatusCode::kIo, "placing dataset " + spec.name);
  }
  const haddr_t offset = H5Dget_offset(dataset.get());
  if (offset == HADDR_UNDEF) return LibraryError(StatusCode::kIo, "placing dataset " + spec.name);
  return static_cast<int64_t>(offset);
}

/// Closing writes what the library still held back: a full disk shows here.
Status Close(Handle& file, const std::string& path) {
  return file.Reset() ? OkStatus() : LibraryError(StatusCode::kIo, path);
}

Status CreateDatasets(const std::string& path, const std::vector<SinkTensor>& tensors,
                      const std::string& checksum) {
  const Handle creation(H5Pcreate(H5P_FILE_CREATE), H5Pclose);
  H5Pset_obj_track_times(creation.get(), false);
  const Handle access = FileAccess(/*data_alignment=*/1);
  Handle file(H5Fcreate(path.c_str(), H5F_ACC_TRUNC, creation.get(), access.get()), H5Fclose);
  if (!file.ok()) return LibraryError(StatusCode::kIo, path);
  const Handle dataset_creation = DatasetCreation();
  for (const SinkTensor& tensor : tensors) {
    NEMO_RETURN_IF_ERROR(CreateDataset(file.get(), dataset_creation.get(), tensor, checksum));
  }
  return Close(file, path);
}

Result<std::vector<int64_t>> AllocateDatasets(const std::string& path,
                                              const std::vector<SinkTensor>& tensors) {
  const Handle access = FileAccess(kDataAlignment);
  Handle file(H5Fopen(path.c_str(), H5F_ACC_RDWR, access.get()), H5Fclose);
  if (!file.ok()) return LibraryError(StatusCode::kIo, path);
  std::vector<int64_t> offsets;
  for (const SinkTensor& tensor : tensors) {
    NEMO_ASSIGN_OR_RETURN(const int64_t offset, Allocate(file.get(), tensor.spec));
    offsets.push_back(offset);
  }
  NEMO_RETURN_IF_ERROR(Close(file, path));
  return offsets;
}

class Sink : public PlacedSink {
 public:
  using PlacedSink::PlacedSink;

 protected:
  Result<Placement> WriteIndex(const std::string& path,
                               const std::vector<SinkTensor>& tensors) override;
  Status WriteChecksums(const std::vector<SinkTensor>& tensors,
                        const std::map<std::string, std::string>& checksums) override;

 private:
};

Result<PlacedSink::Placement> Sink::WriteIndex(const std::string& index_path,
                                               const std::vector<SinkTensor>& tensors) {
  for (const SinkTensor& tensor : tensors) {
    if (const Status status = CheckExpressible(tensor.spec); !status.ok()) return status.At(path());
  }
  Placement placement;
  const LibraryLock lock;
  if (const Status status = CreateDatasets(index_path, tensors, NoChecksum()); !status.ok())
    return status.At(path());
  NEMO_ASSIGN_OR_RETURN(placement.offsets, AllocateDatasets(index_path, tensors));
  NEMO_ASSIGN_OR_RETURN(const auto written, nemo::OpenFile(index_path));
  placement.size_bytes = written->size_bytes();
  return placement;
}

Status Sink::WriteChecksums(const std::vector<SinkTensor>& tensors,
                            const std::map<std::string, std::string>& checksums) {
  const LibraryLock lock;
  const Handle access = FileAccess(/*data_alignment=*/1);
  Handle file(H5Fopen(temporary_path().c_str(), H5F_ACC_RDWR, access.get()), H5Fclose);
  if (!file.ok()) return LibraryError(StatusCode::kIo, temporary_path());
  for (const SinkTensor& tensor : tensors) {
    const std::string& name = tensor.spec.name;
    const std::string& checksum = checksums.at(name);
    const Handle type = TextType(checksum.size());
    // H5Aopen_by_name is no shortcut: with the dataset closed, 1.10.8 loses the attribute it
    // opened.
    const Handle dataset(H5Dopen2(file.get(), name.c_str(), H5P_DEFAULT), H5Dclose);
    const Handle attribute(H5Aopen(dataset.get(), kChecksumAttribute, H5P_DEFAULT), H5Aclose);
    if (!attribute.ok() || H5Awrite(attribute.get(), type.get(), checksum.data()) < 0) {
      return LibraryError(StatusCode::kIo, Format("{}: checksum of {}", temporary_path(), name));
    }
  }
  return Close(file, temporary_path());
}

}  // namespace

std::unique_ptr<TensorSink> CreateSink(const std::string& path) {
  return std::make_unique<Sink>(path);
}

}  // namespace nemo::hdf5
