#include "formats/hdf5/dataset.h"

#include <vector>

#include "libcore/base/format.h"

namespace nemo::hdf5 {
namespace {

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

/// A text of fixed length, so that it can be replaced in place.
bool WriteAttribute(hid_t dataset, const char* name, std::string text) {
  if (text.empty()) text.push_back('\0');
  const Handle type = TextType(text.size());
  const Handle space(H5Screate(H5S_SCALAR), H5Sclose);
  const Handle attribute(
      H5Acreate2(dataset, name, type.get(), space.get(), H5P_DEFAULT, H5P_DEFAULT), H5Aclose);
  return attribute.ok() && H5Awrite(attribute.get(), type.get(), text.data()) >= 0;
}

}  // namespace

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

Handle TextType(size_t size) {
  Handle type(H5Tcopy(H5T_C_S1), H5Tclose);
  const bool ok = type.ok() && H5Tset_size(type.get(), size) >= 0 &&
                  H5Tset_strpad(type.get(), H5T_STR_NULLPAD) >= 0;
  return ok ? std::move(type) : Handle();
}

Handle DatasetCreation(H5D_layout_t layout, H5D_alloc_time_t allocation) {
  Handle creation(H5Pcreate(H5P_DATASET_CREATE), H5Pclose);
  const bool ok = creation.ok() && H5Pset_obj_track_times(creation.get(), false) >= 0 &&
                  H5Pset_layout(creation.get(), layout) >= 0 &&
                  H5Pset_alloc_time(creation.get(), allocation) >= 0 &&
                  H5Pset_fill_time(creation.get(), H5D_FILL_TIME_NEVER) >= 0;
  return ok ? std::move(creation) : Handle();
}

Result<Handle> CreateDataset(hid_t file, hid_t creation, const SinkTensor& tensor,
                             const std::string& checksum) {
  const TensorSpec& spec = tensor.spec;
  const auto type = TypeFor(spec.dtype);
  if (!type) return type.error().At("tensor " + spec.name);
  const std::vector<hsize_t> shape(spec.shape.begin(), spec.shape.end());
  const Handle space(shape.empty()
                         ? H5Screate(H5S_SCALAR)
                         : H5Screate_simple(static_cast<int>(shape.size()), shape.data(), nullptr),
                     H5Sclose);
  Handle dataset(H5Dcreate2(file, spec.name.c_str(), type->get(), space.get(), H5P_DEFAULT,
                            creation, H5P_DEFAULT),
                 H5Dclose);
  const bool ok = dataset.ok() &&
                  WriteAttribute(dataset.get(), "global_shape", tensor.note.global_shape) &&
                  WriteAttribute(dataset.get(), "offset", tensor.note.offset) &&
                  WriteAttribute(dataset.get(), "shard_rule", tensor.note.shard_rule) &&
                  WriteAttribute(dataset.get(), kChecksumAttribute, checksum);
  if (!ok) return LibraryError(StatusCode::kIo, "creating dataset " + spec.name);
  return dataset;
}

Result<int64_t> PlaceContiguous(hid_t file, const TensorSpec& spec) {
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

}  // namespace nemo::hdf5
