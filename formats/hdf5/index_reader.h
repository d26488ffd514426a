// IndexReader: an HDF5 file that the library opens for its index only. Data that it asks for are
// not read; where they lie is noted. So the place of a chunk is found by asking for the chunk,
// which the library looks up, while its listing of places walks the whole index for each of them
// (up to 1.12). Facts: HDF5 Virtual File Layer, H5FDpublic.h (from 1.13 on H5FDdevelop.h).
#pragma once

#include <hdf5.h>

#include "formats/hdf5/library.h"
#include "libcore/base/file.h"
#include "libcore/tensor/chunks.h"

namespace nemo::hdf5 {

class IndexReader {
 public:
  /// `file` has to live as long as the reader.
  explicit IndexReader(const RandomAccessFile& file) : file_(file) {}
  IndexReader(const IndexReader&) = delete;
  IndexReader& operator=(const IndexReader&) = delete;

  /// The file, read-only. The reader has to outlive the handle. Needs the LibraryLock. Not ok: the
  /// library's error stack says why.
  Handle Open();

  /// The data that the library asked for last.
  const StoredChunk& last_data() const { return last_data_; }

 private:
  friend struct IndexReaderDriver;
  const RandomAccessFile& file_;
  StoredChunk last_data_;
};

}  // namespace nemo::hdf5
