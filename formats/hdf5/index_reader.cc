#include "formats/hdf5/index_reader.h"

#include <span>

#include "formats/hdf5/driver.h"

namespace nemo::hdf5 {

struct IndexReaderDriver : Driver<IndexReader> {
  static haddr_t EndOf(const H5FD_t* file, H5FD_mem_t) {
    return static_cast<haddr_t>(OwnerOf(file).file_.size_bytes());
  }

  static herr_t SetEnd(H5FD_t*, H5FD_mem_t, haddr_t) { return 0; }

  static herr_t Read(H5FD_t* file, H5FD_mem_t type, hid_t, haddr_t at, size_t size, void* out) {
    IndexReader& reader = OwnerOf(file);
    if (at > INT64_MAX || size > INT64_MAX) return -1;
    const auto offset = static_cast<int64_t>(at);
    if (type == H5FD_MEM_DRAW) {
      reader.last_data_ = {offset, static_cast<int64_t>(size)};
      return 0;
    }
    return reader.file_.ReadAt(offset, {static_cast<std::byte*>(out), size}).ok() ? 0 : -1;
  }

  static herr_t Write(H5FD_t*, H5FD_mem_t, hid_t, haddr_t, size_t, const void*) { return -1; }

  static hid_t Id() {
    static const H5FD_class_t table = [] {
      H5FD_class_t made = Table("nemo_index_reader", 501);
      made.get_eoa = EndOf;
      made.set_eoa = SetEnd;
      made.get_eof = EndOf;
      made.read = Read;
      made.write = Write;
      return made;
    }();
    static const hid_t id = H5FDregister(&table);
    return id;
  }
};

Handle IndexReader::Open() {
  const Handle access = FileAccess(/*data_alignment=*/1);
  IndexReader* const self = this;
  if (!access.ok() || H5Pset_driver(access.get(), IndexReaderDriver::Id(), &self) < 0) return {};
  return Handle(H5Fopen(file_.name().c_str(), H5F_ACC_RDONLY, access.get()), H5Fclose);
}

}  // namespace nemo::hdf5
