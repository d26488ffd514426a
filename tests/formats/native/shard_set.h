// A small Nemotron in memory, and shard sets made of it: what the tests of formats/native share.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "formats/native/native.h"
#include "libcore/convert/convert.h"
#include "libcore/layout/planner.h"
#include "libcore/model/architecture.h"
#include "libcore/model/config.h"
#include "tests/conformance/sample_tensors.h"
#include "tests/testing.h"

namespace nemo::testing {

inline ModelConfig SmallConfig() {
  ModelConfig config;
  config.num_layers = 4;
  config.hidden_size = 16;
  config.ffn_hidden_size = 24;
  config.num_attention_heads = 4;
  config.num_query_groups = 2;
  config.kv_channels = 4;
  config.max_position_embeddings = 32;
  config.vocab_size = 50;
  config.padded_vocab_size = 56;
  config.make_vocab_size_divisible_by = 8;
  return config;
}

/// Every tensor of `config`, of bytes that tell each place from any other.
inline std::shared_ptr<MemorySource> SmallModel(const ModelConfig& config) {
  auto source = std::make_shared<MemorySource>();
  uint32_t seed = 7;
  for (const LogicalTensor& tensor : LogicalTensors(config).value()) {
    const TensorSpec spec{tensor.name, DType::kBF16, tensor.shape};
    source->Add(spec, PatternBytes(spec.size_bytes(), seed++));
  }
  return source;
}

inline Attachments SmallAttachments() {
  return {{"nemo", "small.nemo", 4711, std::string(32, 'a')}, "num_layers: 4\n", "pieces\xff\n"};
}

/// Writes `source` to `path`; vocabulary rows are kept as they are.
inline Status WriteShardSet(const std::string& path, const TensorSource& source,
                            const ModelConfig& config, const ParallelLayout& layout,
                            TargetOptions options,
                            const Attachments& attachments = SmallAttachments()) {
  VocabRule keep;
  keep.kind = VocabRule::Kind::kKeep;
  NEMO_ASSIGN_OR_RETURN(const Plan plan, PlanShards(config, source.specs(), layout, keep));
  options.attachments = attachments;
  NEMO_ASSIGN_OR_RETURN(const auto target, CreateNativeTarget(path, options));
  ConvertOptions convert;
  convert.jobs = 2;
  convert.block_bytes = 256;
  return Convert(source, plan, *target, convert, NullProgress()).error();
}

}  // namespace nemo::testing
