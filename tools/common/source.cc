#include "tools/common/source.h"

#include <utility>

#include "libcore/base/format.h"

namespace nemo {

Result<Checkpoint> OpenSource(const std::string& path, std::unique_ptr<Tokenizer>* tokenizer) {
  NEMO_ASSIGN_OR_RETURN(Checkpoint checkpoint, OpenCheckpoint(path));
  ModelConfig& config = checkpoint.config;
  if (checkpoint.tokenizer_model.empty()) return checkpoint;
  const std::string where = Format("{}: {}", path, checkpoint.tokenizer_name);
  auto loaded = LoadSentencePiece(checkpoint.tokenizer_model);
  if (!loaded) return loaded.error().At(where);
  const int64_t num_pieces = (*loaded)->vocab_size();
  if (num_pieces > config.padded_vocab_size) {
    return Corruption(
        Format("{}: {} pieces, and the embedding has {} rows; the tokenizer belongs to "
               "another model",
               where, num_pieces, config.padded_vocab_size));
  }
  if (config.vocab_size == 0) config.vocab_size = num_pieces;
  if (tokenizer != nullptr) *tokenizer = *std::move(loaded);
  return checkpoint;
}

std::string StorageText(std::string_view container, const Compression& compression) {
  return compression.zstd ? Format("{}, {}", container, ToString(compression))
                          : std::string(container);
}

std::string Describe(const Checkpoint& checkpoint) {
  return Format("{} ({}), {}", checkpoint.format,
                StorageText(checkpoint.container, checkpoint.compression),
                ToString(checkpoint.layout));
}

Value ToValue(std::string_view path, std::string_view format, std::string_view container,
              const Compression& compression, const ParallelLayout& layout) {
  Value value;
  value.Set("path", path);
  value.Set("format", format);
  value.Set("container", container);
  if (compression.zstd) value.Set("compression", ToString(compression));
  value.Set("layout", ToValue(layout));
  return value;
}

TensorTotals TotalsOf(std::span<const TensorSpec> specs) {
  TensorTotals totals;
  for (const TensorSpec& spec : specs) {
    ++totals.num_tensors;
    totals.num_parameters += NumElements(spec.shape);
    totals.size_bytes += spec.size_bytes();
  }
  return totals;
}

}  // namespace nemo
