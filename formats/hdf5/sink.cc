// Writing HDF5 in two steps. First every dataset's header and attributes, packed together at the
// front of the file (reading the index of a 600 GB file is then one short read); then, reopened
// with an alignment, the places of the data, each at a multiple of 4096. Data and size are
// PlacedSink's business.
#include <utility>

#include "formats/hdf5/dataset.h"
#include "formats/hdf5/file.h"
#include "formats/hdf5/library.h"
#include "libcore/base/format.h"
#include "libcore/tensor/placed_sink.h"

namespace nemo::hdf5 {
namespace {

constexpr hsize_t kDataAlignment = 4096;

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
  const Handle dataset_creation = DatasetCreation(H5D_CONTIGUOUS, H5D_ALLOC_TIME_LATE);
  for (const SinkTensor& tensor : tensors) {
    NEMO_RETURN_IF_ERROR(
        CreateDataset(file.get(), dataset_creation.get(), tensor, checksum).error());
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
    NEMO_ASSIGN_OR_RETURN(const int64_t offset, PlaceContiguous(file.get(), tensor.spec));
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
