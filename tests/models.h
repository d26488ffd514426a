// Sizes of models that several tests plan with.
#pragma once

#include "libcore/model/config.h"

namespace nemo::testing {

/// Nemotron-4-340B, by its published sizes.
inline ModelConfig Nemotron340B() {
  ModelConfig c;
  c.num_layers = 96;
  c.hidden_size = 18432;
  c.ffn_hidden_size = 73728;
  c.num_attention_heads = 96;
  c.num_query_groups = 8;
  c.kv_channels = 192;
  c.max_position_embeddings = 4096;
  c.vocab_size = c.padded_vocab_size = 256000;
  return c;
}

}  // namespace nemo::testing
