// Opening what SRC names, for every tool: the checkpoint, and what its tokenizer knows of the
// vocabulary.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "formats/format.h"
#include "libcore/base/status.h"
#include "libcore/base/value.h"
#include "libcore/text/tokenizer.h"

namespace nemo {

/// The help of every tool's SRC that may be any readable checkpoint.
inline constexpr const char* kSourceHelp =
    "a .nemo archive or its unpacked directory, a NeMo 2, Megatron-LM or Hugging Face directory, "
    "or a "
    "native shard set";

/// Detects and opens `path`; vocab_size comes from the tokenizer where the configuration lacks it.
/// `tokenizer`, where given, becomes the checkpoint's, null when it has none: loading one takes
/// time. kCorruption: a tokenizer with more pieces than the embedding has rows.
Result<Checkpoint> OpenSource(const std::string& path,
                              std::unique_ptr<Tokenizer>* tokenizer = nullptr);

/// "nemo (zarr), TP2 x PP2".
std::string Describe(const Checkpoint& checkpoint);
/// "hdf5", "hdf5, zstd".
std::string StorageText(std::string_view container, const Compression& compression);
/// {"path", "format", "container", "compression" where there is any, "layout"}.
Value ToValue(std::string_view path, std::string_view format, std::string_view container,
              const Compression& compression, const ParallelLayout& layout);

/// Elements and bytes of all tensors.
struct TensorTotals {
  int64_t num_tensors = 0;
  int64_t num_parameters = 0;
  int64_t size_bytes = 0;
};
TensorTotals TotalsOf(std::span<const TensorSpec> specs);

}  // namespace nemo
