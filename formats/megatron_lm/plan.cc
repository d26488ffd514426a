// Planning a distributed checkpoint: Megatron's shards, each where its rank would write it. What
// several ranks hold is written once, by the first of them.
#include <string>

#include "formats/megatron_lm/megatron_lm.h"
#include "formats/megatron_lm/stored_items.h"
#include "libcore/base/format.h"
#include "libcore/layout/planner.h"

namespace nemo {
namespace megatron_lm {
namespace {

Status CheckLayoutIsPlain(const ParallelLayout& layout) {
  if (layout.vpp_size == 1 && layout.layers_per_stage.empty() && !layout.kv_duplicate) {
    return OkStatus();
  }
  return InvalidArgument(
      Format("layout {}: a distributed checkpoint loads into virtual and uneven stages and any "
             "number of ranks, however it was cut; leave out --vpp, --pipeline-layout and "
             "--kv-duplicate",
             ToString(layout)));
}

/// True for what ranks beyond the first only repeat: replicated tensors, and the last stage's copy
/// of a tied embedding.
bool IsCopy(const PlannedTensor& planned, int64_t tp_rank) {
  const bool replicated = planned.tensor.note.shard_rule == ShardRuleName(ShardRule::kReplicate);
  return (replicated && tp_rank > 0) || planned.canonical_name != planned.tensor.spec.name;
}

/// The tensors of a layer stand in a stack of all layers.
void NoteStack(int64_t num_layers, PlannedTensor& planned) {
  const int64_t layer = StackedNameOf(planned.canonical_name).layer;
  if (layer < 0) return;
  TensorNote& note = planned.tensor.note;
  note.global_shape.insert(note.global_shape.begin(), num_layers);
  note.offset.insert(note.offset.begin(), layer);
}

}  // namespace
}  // namespace megatron_lm

Result<Plan> PlanMegatronLm(const ModelConfig& config, std::span<const TensorSpec> source,
                            const PlanOptions& options) {
  NEMO_RETURN_IF_ERROR(megatron_lm::CheckLayoutIsPlain(options.layout));
  NEMO_ASSIGN_OR_RETURN(
      Plan plan, PlanShards(config, source, options.layout, options.vocab.value_or(VocabRule{})));
  for (PlannedFile& file : plan.files) {
    file.stem = Format("__{}_0", file.pp_rank * plan.layout.tp_size + file.tp_rank);
    std::erase_if(file.tensors, [&](const PlannedTensor& planned) {
      return megatron_lm::IsCopy(planned, file.tp_rank);
    });
    for (PlannedTensor& planned : file.tensors) {
      megatron_lm::NoteStack(plan.config.num_layers, planned);
    }
  }
  return plan;
}

}  // namespace nemo
