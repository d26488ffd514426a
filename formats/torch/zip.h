// Zip archives as torch writes them: entries stored, not compressed, read where they lie.
// Facts: PKWARE APPNOTE.TXT (headers, zip64); torch's caffe2/serialize/inline_container.cc (which
// of it torch uses); docs/formats/torch.md.
#pragma once

#include <memory>

#include "libcore/base/file.h"
#include "libcore/base/status.h"

namespace nemo::torch {

/// True when `file` begins as a zip archive does.
bool LooksLikeZip(const RandomAccessFile& file);

/// The entries of a zip archive as a tree of files. Reads the central directory and each entry's
/// local header, which only says where the data begins. Files check their CRC-32 while they
/// are read (checked_file.h). kCorruption: truncated, headers that contradict each other, an entry
/// twice, entries that overlap or leave the file. kUnsupported: compressed or encrypted entries,
/// which torch does not write.
Result<std::shared_ptr<FileTree>> OpenZip(std::shared_ptr<RandomAccessFile> file);

}  // namespace nemo::torch
