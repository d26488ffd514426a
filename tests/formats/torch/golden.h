// The state dicts of tests/golden/torch and what they hold.
#pragma once

#include <memory>
#include <string>

#include "libcore/tensor/source.h"
#include "tests/testing.h"

namespace nemo::testing {

/// tests/golden/torch/<name> as bytes.
std::string GoldenTorchBytes(const std::string& name);
/// "8002" is two bytes.
std::string BytesOfHex(const std::string& hex);
/// The tensors of the state dict at the root of a torch file.
Result<std::shared_ptr<const TensorSource>> OpenRoot(std::shared_ptr<RandomAccessFile> file);
/// What the files of a form ("zip", "stream") hold, gathered element by element by make.py.
std::shared_ptr<const MemorySource> ExpectedTensors(const std::string& form);

}  // namespace nemo::testing
