// The door of the HDF5 C library: ownership of its handles, its one lock, its errors as Status, and
// the element types the house shares with it.
#pragma once

#include <mutex>
#include <string_view>
#include <utility>

#include <hdf5.h>

#include "libcore/base/status.h"
#include "libcore/tensor/dtype.h"

namespace nemo::hdf5 {

/// Owns a handle. Destroy only while a LibraryLock is held.
class Handle {
 public:
  using Close = herr_t (*)(hid_t);
  Handle() = default;
  Handle(hid_t id, Close close) : id_(id), close_(close) {}
  ~Handle() { Reset(); }
  Handle(Handle&& other) noexcept : id_(std::exchange(other.id_, -1)), close_(other.close_) {}
  Handle& operator=(Handle&& other) noexcept {
    if (this != &other) {
      Reset();
      id_ = std::exchange(other.id_, -1);
      close_ = other.close_;
    }
    return *this;
  }
  bool ok() const { return id_ >= 0; }
  hid_t get() const { return id_; }
  /// Closes now, so that an error can be seen. False when the library failed.
  bool Reset() { return !ok() || close_(std::exchange(id_, -1)) >= 0; }

 private:
  hid_t id_ = -1;
  Close close_ = nullptr;
};

/// The library keeps global state and is usually built without locks: whoever calls it holds this.
/// Also stops it from printing its errors.
class LibraryLock {
 public:
  LibraryLock();

 private:
  std::scoped_lock<std::mutex> lock_;
};

/// `what`: the innermost reason on the library's error stack, which is cleared.
Status LibraryError(StatusCode code, std::string_view what);

/// How files are opened (of any version) and created here: in a format readable since the HDF5 of
/// `version` whose metadata carry checksums, no file locks (network file systems refuse them), no
/// buffering of data. `data_alignment` > 1: everything allocated from now on begins at a multiple
/// of it.
Handle FileAccess(hsize_t data_alignment, H5F_libver_t version = H5F_LIBVER_V18);

/// A new handle of the type that stores `dtype`, little-endian. kInvalidArgument: HDF5 has none
/// (bool).
Result<Handle> TypeFor(DType dtype);
/// The dtype that `type` stores bit for bit. kUnsupported: any other.
Result<DType> DTypeOf(hid_t type);

}  // namespace nemo::hdf5
