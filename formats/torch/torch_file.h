// A file written by torch.save: a pickle that describes the object, and storages with the bytes of
// its tensors. Both forms: the zip archive (since torch 1.6) and the stream before it. Facts:
// torch/serialization.py; docs/formats/torch.md.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "formats/torch/pickle.h"
#include "libcore/base/file.h"
#include "libcore/base/status.h"

namespace nemo::torch {

struct TorchFile {
  std::string name;  ///< for messages
  PickleDocument pickle;
  /// The bytes of each storage by its key. In the zip form they check their CRC-32 while they are
  /// read (checked_file.h).
  std::map<std::string, std::shared_ptr<RandomAccessFile>, std::less<>> storages;
};

/// True when `file` begins as either form does.
bool LooksLikeTorchFile(const RandomAccessFile& file);

/// Reads the pickle and finds the storages; reads none of them. kCorruption: neither form, or
/// damaged (see OpenZip, ParsePickle). kUnsupported: big-endian, compressed, the tar form of torch
/// before 0.1.
Result<std::shared_ptr<const TorchFile>> OpenTorchFile(std::shared_ptr<RandomAccessFile> file);

}  // namespace nemo::torch
