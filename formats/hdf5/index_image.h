// IndexImage: an HDF5 file that the library makes in memory and without its data. The library asks
// for places and writes index and data; the index is kept, data get the places behind it in the
// order of their writing, and their bytes are dropped: somebody else writes them.
// Facts: HDF5 Virtual File Layer, H5FDpublic.h (from 1.13 on H5FDdevelop.h).
#pragma once

#include <cstddef>
#include <vector>

#include <hdf5.h>

#include "formats/hdf5/library.h"

namespace nemo::hdf5 {

class IndexImage {
 public:
  /// Data begin at byte `data_begin` of the file to be. The index must end before it.
  explicit IndexImage(hsize_t data_begin) : data_end_(data_begin) {}
  IndexImage(const IndexImage&) = delete;
  IndexImage& operator=(const IndexImage&) = delete;

  /// A new, empty file with `creation` properties in the format of HDF5 1.10. Close the handle to
  /// complete the image, which has to live longer. Needs the LibraryLock. Not ok: the library's
  /// error stack says why.
  Handle Create(hid_t creation);

  /// The packed index: what the file begins with.
  const std::vector<std::byte>& bytes() const { return bytes_; }
  /// The byte behind the last data.
  hsize_t data_end() const { return data_end_; }

 private:
  friend struct ImageDriver;
  std::vector<std::byte> bytes_;
  hsize_t data_end_;
};

}  // namespace nemo::hdf5
