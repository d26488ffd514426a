// Writing one .distcp file.
#pragma once

#include <memory>
#include <string>

#include "formats/dcp/items.h"
#include "libcore/tensor/sink.h"

namespace nemo::dcp {

/// The file at `path` with `items`. Tensor i of the declaration is the data of items.tensors[i]:
/// of the same dtype, as many elements, the same when leading axes of extent 1 are left out.
std::unique_ptr<TensorSink> CreateSink(const std::string& path, FileItems items);

}  // namespace nemo::dcp
