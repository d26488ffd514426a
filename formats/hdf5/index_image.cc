#include "formats/hdf5/index_image.h"

#include <algorithm>
#include <cstring>

#include "formats/hdf5/driver.h"

namespace nemo::hdf5 {

struct ImageDriver : Driver<IndexImage> {
  static haddr_t Allocate(H5FD_t* file, H5FD_mem_t type, hid_t, hsize_t size) {
    IndexImage& image = OwnerOf(file);
    if (type == H5FD_MEM_DRAW) {
      const haddr_t place = image.data_end_;
      image.data_end_ += size;
      return place;
    }
    const haddr_t place = image.bytes_.size();
    image.bytes_.resize(place + size);
    return place;
  }

  static haddr_t EndOf(const H5FD_t* file, H5FD_mem_t) {
    const IndexImage& image = OwnerOf(file);
    return image.bytes_.empty() ? 0 : std::max<haddr_t>(image.bytes_.size(), image.data_end_);
  }

  /// The end follows from what was allocated.
  static herr_t SetEnd(H5FD_t*, H5FD_mem_t, haddr_t) { return 0; }

  static herr_t Read(H5FD_t* file, H5FD_mem_t, hid_t, haddr_t at, size_t size, void* out) {
    const IndexImage& image = OwnerOf(file);
    if (at > image.bytes_.size() || size > image.bytes_.size() - at) return -1;
    std::memcpy(out, image.bytes_.data() + at, size);
    return 0;
  }

  static herr_t Write(H5FD_t* file, H5FD_mem_t type, hid_t, haddr_t at, size_t size,
                      const void* in) {
    if (type == H5FD_MEM_DRAW) return 0;
    IndexImage& image = OwnerOf(file);
    if (at > image.bytes_.size() || size > image.bytes_.size() - at) return -1;
    std::memcpy(image.bytes_.data() + at, in, size);
    return 0;
  }

  /// Registered at the first use, for as long as the library is open.
  static hid_t Id() {
    static const H5FD_class_t table = [] {
      H5FD_class_t made = Table("nemo_index_image", 500);
      made.alloc = Allocate;
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

Handle IndexImage::Create(hid_t creation) {
  const Handle access = FileAccess(/*data_alignment=*/1, H5F_LIBVER_V110);
  IndexImage* const self = this;
  if (!access.ok() || H5Pset_driver(access.get(), ImageDriver::Id(), &self) < 0) return {};
  return Handle(H5Fcreate("index image", H5F_ACC_TRUNC, creation, access.get()), H5Fclose);
}

}  // namespace nemo::hdf5
