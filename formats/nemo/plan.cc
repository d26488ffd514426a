// Planning a .nemo: the files of the weights' form, all in one when they go into an archive.
#include <iterator>
#include <utility>

#include "formats/nemo/nemo.h"
#include "formats/nemo/weights_form.h"
#include "libcore/base/format.h"

namespace nemo {
namespace {

/// model_config.yaml has one number of layers for all stages, and Megatron's shards are rows.
Status CheckExpressible(const ParallelLayout& layout) {
  if (!layout.layers_per_stage.empty()) {
    return InvalidArgument(
        Format("layout {}: the model_config.yaml of a .nemo knows equal pipeline stages only; "
               "leave out --pipeline-layout",
               ToString(layout)));
  }
  if (layout.kv_duplicate) {
    return InvalidArgument(
        "--kv-duplicate: NeMo's tensor-parallel ranks have each row once; leave it out");
  }
  return OkStatus();
}

/// What NeMo pads the vocabulary to when it loads: the rows of the file have to be as many.
void MakePaddingTrue(ModelConfig& config, int64_t tp_size) {
  if (config.vocab_size == 0) return;
  const int64_t multiple = config.make_vocab_size_divisible_by * tp_size;
  const int64_t padded = (config.vocab_size + multiple - 1) / multiple * multiple;
  if (padded == config.padded_vocab_size) return;
  config.make_vocab_size_divisible_by = config.padded_vocab_size / tp_size;
}

/// One file that holds what all files of `plan` do.
void Merge(Plan& plan) {
  PlannedFile whole;
  whole.stem = "archive";
  for (PlannedFile& file : plan.files) {
    whole.tensors.insert(whole.tensors.end(), std::make_move_iterator(file.tensors.begin()),
                         std::make_move_iterator(file.tensors.end()));
  }
  plan.files.clear();
  plan.files.push_back(std::move(whole));
}

}  // namespace

Result<Plan> PlanNemo(const ModelConfig& config, std::span<const TensorSpec> source,
                      const PlanOptions& options) {
  NEMO_RETURN_IF_ERROR(CheckExpressible(options.layout));
  NEMO_ASSIGN_OR_RETURN(const WeightsForm* form, FindWeightsForm(options.container));
  NEMO_ASSIGN_OR_RETURN(
      Plan plan, form->plan(config, source, options.layout, options.vocab.value_or(VocabRule{})));
  MakePaddingTrue(plan.config, options.layout.tp_size);
  if (options.archive) Merge(plan);
  return plan;
}

}  // namespace nemo
