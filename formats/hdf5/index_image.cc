#include "formats/hdf5/index_image.h"

#include <algorithm>
#include <cstring>

#if H5_VERSION_GE(1, 13, 0)
#include <H5FDdevelop.h>
#endif

namespace nemo::hdf5 {

/// The library's view of an image: a driver is a table of C functions. It calls them only from
/// within its own calls, so that the LibraryLock covers them.
struct ImageDriver {
  /// The library's part of an open file comes first: it knows no more of it.
  struct OpenFile {
    H5FD_t library;
    IndexImage* image;
  };
  /// What access properties hold of the driver.
  struct Info {
    IndexImage* image;
  };

  static IndexImage& ImageOf(const H5FD_t* file) {
    return *reinterpret_cast<const OpenFile*>(file)->image;
  }

  static H5FD_t* Open(const char*, unsigned, hid_t access, haddr_t) {
    const auto* info = static_cast<const Info*>(H5Pget_driver_info(access));
    if (info == nullptr) return nullptr;
    auto* file = new OpenFile{};
    file->image = info->image;
    return &file->library;
  }

  static herr_t Close(H5FD_t* file) {
    delete reinterpret_cast<OpenFile*>(file);
    return 0;
  }

  static haddr_t Allocate(H5FD_t* file, H5FD_mem_t type, hid_t, hsize_t size) {
    IndexImage& image = ImageOf(file);
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
    const IndexImage& image = ImageOf(file);
    return image.bytes_.empty() ? 0 : std::max<haddr_t>(image.bytes_.size(), image.data_end_);
  }

  /// The end follows from what was allocated.
  static herr_t SetEnd(H5FD_t*, H5FD_mem_t, haddr_t) { return 0; }

  static herr_t Read(H5FD_t* file, H5FD_mem_t, hid_t, haddr_t at, size_t size, void* out) {
    const IndexImage& image = ImageOf(file);
    if (at > image.bytes_.size() || size > image.bytes_.size() - at) return -1;
    std::memcpy(out, image.bytes_.data() + at, size);
    return 0;
  }

  static herr_t Write(H5FD_t* file, H5FD_mem_t type, hid_t, haddr_t at, size_t size,
                      const void* in) {
    if (type == H5FD_MEM_DRAW) return 0;
    IndexImage& image = ImageOf(file);
    if (at > image.bytes_.size() || size > image.bytes_.size() - at) return -1;
    std::memcpy(image.bytes_.data() + at, in, size);
    return 0;
  }

  static H5FD_class_t Table() {
    H5FD_class_t table = {};
#if H5_VERSION_GE(1, 13, 0)
    constexpr H5FD_class_value_t kUnregistered = 500;  // of the values left to everybody
    table.version = H5FD_CLASS_VERSION;
    table.value = kUnregistered;
#endif
    table.name = "nemo_index_image";
    table.maxaddr = (haddr_t{1} << 63) - 1;
    table.fc_degree = H5F_CLOSE_WEAK;
    table.fapl_size = sizeof(Info);
    table.open = Open;
    table.close = Close;
    table.alloc = Allocate;
    table.get_eoa = EndOf;
    table.set_eoa = SetEnd;
    table.get_eof = EndOf;
    table.read = Read;
    table.write = Write;
    return table;
  }

  /// Registered at the first use, for as long as the library is open.
  static hid_t Id() {
    static const H5FD_class_t table = Table();
    static const hid_t id = H5FDregister(&table);
    return id;
  }
};

Handle IndexImage::Create(hid_t creation) {
  const Handle access = FileAccess(/*data_alignment=*/1, H5F_LIBVER_V110);
  const ImageDriver::Info info = {this};
  if (!access.ok() || H5Pset_driver(access.get(), ImageDriver::Id(), &info) < 0) return {};
  return Handle(H5Fcreate("index image", H5F_ACC_TRUNC, creation, access.get()), H5Fclose);
}

}  // namespace nemo::hdf5
