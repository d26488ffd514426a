// Zarr version 2 arrays as Megatron Core's first distributed checkpoints use them: uncompressed,
// one folder per tensor, one file per chunk. Facts: zarr v2 specification;
// megatron/core/dist_checkpointing/strategies/zarr.py. docs/formats/zarr.md.
#pragma once

#include <memory>
#include <string>

#include "libcore/base/file.h"
#include "libcore/base/status.h"
#include "libcore/tensor/source.h"

namespace nemo {

/// Each `<prefix>/<key>/.zarray` of `tree` is a tensor named <key>, whatever dots the key has;
/// `prefix` may be empty. Folders `*_extra_state` and `*.sync` hold no tensors and are left alone,
/// as are all other files. Opening reads the .zarray files and looks up the size of every chunk
/// file; Read opens the chunks it needs. kCorruption: a .zarray that is not what the specification
/// says, a chunk that is missing or has another size. kUnsupported names the compressor, filter or
/// dtype.
Result<std::shared_ptr<TensorSource>> OpenZarr(std::shared_ptr<FileTree> tree, std::string prefix);

}  // namespace nemo
