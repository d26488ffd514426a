// What our file drivers have in common: how a driver's table begins, in every version of the
// library.
#pragma once

#include <hdf5.h>

#if H5_VERSION_GE(1, 13, 0)
#include <H5FDdevelop.h>
#endif

namespace nemo::hdf5 {

/// The library's part of an open file comes first, for it knows no more; then the object that the
/// file belongs to.
template <typename T>
struct DriverFile {
  H5FD_t library;
  T* owner;
};

/// A driver whose access properties are a pointer to a T. A driver is a table of C functions, which
/// the library calls only from within its own calls, so that the LibraryLock covers them.
template <typename T>
struct Driver {
  static T& OwnerOf(const H5FD_t* file) {
    return *reinterpret_cast<const DriverFile<T>*>(file)->owner;
  }

  static H5FD_t* Open(const char*, unsigned, hid_t access, haddr_t) {
    const auto* info = static_cast<T* const*>(H5Pget_driver_info(access));
    if (info == nullptr) return nullptr;
    auto* file = new DriverFile<T>{};
    file->owner = *info;
    return &file->library;
  }

  static herr_t Close(H5FD_t* file) {
    delete reinterpret_cast<DriverFile<T>*>(file);
    return 0;
  }

  /// A table that lacks the functions of places and bytes. `value`: one of those that the library
  /// leaves to everybody.
  static H5FD_class_t Table(const char* name, [[maybe_unused]] int value) {
    H5FD_class_t table = {};
#if H5_VERSION_GE(1, 13, 0)
    table.version = H5FD_CLASS_VERSION;
    table.value = static_cast<H5FD_class_value_t>(value);
#endif
    table.name = name;
    table.maxaddr = (haddr_t{1} << 63) - 1;
    table.fc_degree = H5F_CLOSE_WEAK;
    table.fapl_size = sizeof(T*);
    table.open = Open;
    table.close = Close;
    return table;
  }
};

}  // namespace nemo::hdf5
