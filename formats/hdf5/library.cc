#include "formats/hdf5/library.h"

#include <string>

#include "libcore/base/format.h"

namespace nemo::hdf5 {
namespace {

std::mutex& LibraryMutex() {
  static std::mutex mutex;
  return mutex;
}

/// The walk goes from the innermost error outwards: the first one says most.
herr_t KeepFirst(unsigned, const H5E_error2_t* error, void* out) {
  auto& text = *static_cast<std::string*>(out);
  if (text.empty() && error->desc != nullptr) text = error->desc;
  return 0;
}

/// A 16-bit float made from the library's 32-bit one. The fields must shrink before the size does.
Handle HalfFloat(size_t exponent_at, size_t exponent_bits, size_t bias) {
  Handle type(H5Tcopy(H5T_IEEE_F32LE), H5Tclose);
  const bool ok = type.ok() &&
                  H5Tset_fields(type.get(), 15, exponent_at, exponent_bits, 0, exponent_at) >= 0 &&
                  H5Tset_size(type.get(), 2) >= 0 && H5Tset_ebias(type.get(), bias) >= 0;
  return ok ? std::move(type) : Handle();
}

}  // namespace

LibraryLock::LibraryLock() : lock_(LibraryMutex()) {
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
  H5Eclear2(H5E_DEFAULT);
}

Status LibraryError(StatusCode code, std::string_view what) {
  std::string reason;
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, KeepFirst, &reason);
  H5Eclear2(H5E_DEFAULT);
  return Status(code, Format("{}: HDF5 says: {}", what, reason.empty() ? "no reason" : reason));
}

Handle FileAccess(hsize_t data_alignment, H5F_libver_t version) {
  constexpr hsize_t kMetadataBlockBytes = 64 << 10;
  Handle access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose);
  const bool ok = access.ok() &&
                  H5Pset_libver_bounds(access.get(), version, H5F_LIBVER_LATEST) >= 0 &&
                  H5Pset_file_locking(access.get(), false, true) >= 0 &&
                  H5Pset_meta_block_size(access.get(), kMetadataBlockBytes) >= 0 &&
                  H5Pset_small_data_block_size(access.get(), 0) >= 0 &&
                  H5Pset_sieve_buf_size(access.get(), 0) >= 0 &&
                  H5Pset_alignment(access.get(), 1, data_alignment) >= 0;
  return ok ? std::move(access) : Handle();
}

Result<Handle> TypeFor(DType dtype) {
  const auto copy = [](hid_t standard) { return Handle(H5Tcopy(standard), H5Tclose); };
  Handle type;
  switch (dtype) {
    case DType::kBool:
      return InvalidArgument("HDF5 has no bool type");
    case DType::kU8:
      type = copy(H5T_STD_U8LE);
      break;
    case DType::kI8:
      type = copy(H5T_STD_I8LE);
      break;
    case DType::kI16:
      type = copy(H5T_STD_I16LE);
      break;
    case DType::kI32:
      type = copy(H5T_STD_I32LE);
      break;
    case DType::kI64:
      type = copy(H5T_STD_I64LE);
      break;
    case DType::kF16:
      type = HalfFloat(/*exponent_at=*/10, /*exponent_bits=*/5, /*bias=*/15);
      break;
    case DType::kBF16:
      type = HalfFloat(/*exponent_at=*/7, /*exponent_bits=*/8, /*bias=*/127);
      break;
    case DType::kF32:
      type = copy(H5T_IEEE_F32LE);
      break;
    case DType::kF64:
      type = copy(H5T_IEEE_F64LE);
      break;
  }
  if (!type.ok()) return LibraryError(StatusCode::kIo, "creating an element type");
  return type;
}

Result<DType> DTypeOf(hid_t type) {
  for (const DType dtype : {DType::kBF16, DType::kF32, DType::kF16, DType::kF64, DType::kU8,
                            DType::kI8, DType::kI16, DType::kI32, DType::kI64}) {
    NEMO_ASSIGN_OR_RETURN(const Handle ours, TypeFor(dtype));
    if (H5Tequal(type, ours.get()) > 0) return dtype;
  }
  return Unsupported(
      Format("an element type of {} bytes that is no little-endian bfloat16, IEEE "
             "float or integer this build knows",
             H5Tget_size(type)));
}

}  // namespace nemo::hdf5
