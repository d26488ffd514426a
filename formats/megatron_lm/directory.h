// Names in a checkpoint directory of Megatron-LM. Facts: megatron/training/checkpointing.py,
// megatron/core/dist_checkpointing (core.py, strategies/common.py).
#pragma once

namespace nemo::megatron_lm {

/// Names the newest save.
inline constexpr const char* kTracker = "latest_checkpointed_iteration.txt";
/// Beside the tracker; of this toolkit's own checkpoints.
inline constexpr const char* kTokenizer = "tokenizer.model";

// In a save that is a distributed checkpoint:
inline constexpr const char* kDistributedMarker = "metadata.json";
inline constexpr const char* kCommonState = "common.pt";  ///< what of it is not sharded
inline constexpr const char* kMetadata = ".metadata";     ///< the index of the items

}  // namespace nemo::megatron_lm
