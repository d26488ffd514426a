// What torch.save wrote before torch 1.6: pickles one behind the other, then raw storages.
// Facts: torch/serialization.py (_legacy_save); docs/formats/torch.md.
#pragma once

#include <memory>

#include "formats/torch/torch_file.h"
#include "libcore/base/file.h"
#include "libcore/base/status.h"

namespace nemo::torch {

/// True when `file` begins with the pickle of the magic number.
bool LooksLikeStreamForm(const RandomAccessFile& file);

/// As OpenTorchFile. The form has no checksums.
Result<TorchFile> OpenStreamForm(std::shared_ptr<RandomAccessFile> file);

}  // namespace nemo::torch
