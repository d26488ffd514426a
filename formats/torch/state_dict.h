// A state dict of a torch file as a TensorSource.
#pragma once

#include <memory>
#include <string>

#include "formats/torch/torch_file.h"
#include "libcore/base/status.h"
#include "libcore/tensor/source.h"

namespace nemo::torch {

/// The tensors of `dict`, a dict of `file`'s pickle. Dicts inside of it are taken too, their keys
/// joined by dots; what is no tensor, and `_extra_state`, is left out. FilesOf answers `label`.
/// Errors of TensorOf with the tensor's name; kCorruption: `dict` is none, two tensors of one name.
Result<std::shared_ptr<const TensorSource>> OpenStateDict(std::shared_ptr<const TorchFile> file,
                                                          const PickleNode& dict,
                                                          std::string label);

}  // namespace nemo::torch
