// libh5nemo_zstd.so: lets any program of the HDF5 library read compressed shards, h5dump among
// them. HDF5_PLUGIN_PATH names the folder that it lies in. Facts: H5PLextern.h.
#include <H5PLextern.h>

#include "formats/hdf5/zstd_filter.h"

extern "C" {

H5PL_type_t H5PLget_plugin_type() { return H5PL_TYPE_FILTER; }

const void* H5PLget_plugin_info() { return &nemo::hdf5::ZstdFilterClass(); }

}  // extern "C"
