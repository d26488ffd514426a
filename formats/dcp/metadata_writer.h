// Writing .metadata, the index of a distributed checkpoint.
#pragma once

#include <map>
#include <string>

#include "formats/dcp/items.h"

namespace nemo::dcp {

/// The pickle that torch.distributed.checkpoint reads, of everything in `files` (by their names in
/// the checkpoint's directory). All chunks of a key have the same dtype and shape.
std::string MetadataPickle(const std::map<std::string, FileItems>& files);

}  // namespace nemo::dcp
