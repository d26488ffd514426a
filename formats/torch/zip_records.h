// The records around the entries of a zip archive, byte for byte as torch has miniz write them.
// Facts: PKWARE APPNOTE.TXT, third_party/miniz (mz_zip_writer_add_mem_ex_v2), torch's
// caffe2/serialize/inline_container.cc (getPadding). docs/formats/torch.md.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "formats/torch/zip_directory.h"

namespace nemo::torch {

/// What stands at entry.header_bytes; the data behind it begin at a multiple of 64.
std::string ZipLocalHeader(const ZipEntry& entry);
/// What stands behind the data: checksum and size. Nothing when there are no data.
std::string ZipDescriptor(const ZipEntry& entry);
/// The central directory, which begins at `offset_bytes`, and the end records behind it.
std::string ZipDirectoryAndEnd(std::span<const ZipEntry> entries, int64_t offset_bytes);

}  // namespace nemo::torch
