// PyTorch's distributed checkpoints (DCP), which Megatron Core calls torch_dist: a pickle
// `.metadata` says which chunk of which tensor lies where in `__<rank>_<n>.distcp`; each chunk is a
// torch file of its own there. Facts: torch/distributed/checkpoint (metadata.py, filesystem.py).
// docs/formats/dcp.md.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "libcore/base/file.h"
#include "libcore/base/status.h"
#include "libcore/tensor/source.h"

namespace nemo {

/// The tensors of `<prefix>.metadata` whose name `wanted` takes; `prefix` is empty or a folder.
/// Entries that are bytes and not tensors are left out. Opening reads `.metadata` and looks up the
/// size of every file it needs; a chunk's own header is read when a box first meets the chunk.
/// Holds few files open, however many there are. kCorruption: `.metadata` is no such pickle (unsafe
/// ones among them), chunks that do not fill their tensor as a grid, that have no place, or one
/// outside of the checkpoint, past the end of a file or shared with another chunk; from Read: a
/// chunk that is another tensor than `.metadata` says. kUnsupported names what a chunk was
/// transformed with, or the dtype.
Result<std::shared_ptr<TensorSource>> OpenDcp(
    std::shared_ptr<FileTree> tree, std::string prefix,
    const std::function<bool(std::string_view name)>& wanted);

}  // namespace nemo
