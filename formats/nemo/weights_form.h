// The forms in which the weights of a .nemo are written, as rows: which files there are, and what
// they are called. The reading side is weights.h.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "formats/nemo/member_sink.h"
#include "formats/nemo/members.h"
#include "libcore/base/status.h"
#include "libcore/layout/plan.h"
#include "libcore/layout/planner.h"
#include "libcore/model/config.h"

namespace nemo {

/// Tensors of such plans are called "<folder or file>/<chunk or key>": the declaration of a sink
/// alone says which members there are.
struct WeightsForm {
  std::string_view name;  ///< as --container and Checkpoint::container have it
  /// One file per folder of chunks, or per rank; its stem is the name of that folder or file.
  /// Errors of PlanShards, and kInvalidArgument: a layout that the form has no words for.
  Result<Plan> (*plan)(const ModelConfig& config, std::span<const TensorSpec> source,
                       const ParallelLayout& layout, const VocabRule& vocab);
  /// The members that hold `tensors`, of one planned file or of all together.
  std::vector<Member> (*members)(std::span<const SinkTensor> tensors);
  /// Files without tensors that belong to the form; the last one makes it complete.
  std::vector<Member> (*companions)(const ModelConfig& config);
  Packaging packaging;  ///< of a planned file in a directory
  /// True for a name that a file of the form may have in the checkpoint's directory.
  bool (*is_own_name)(std::string_view name);
};

extern const WeightsForm kZarrForm;   // zarr_form.cc
extern const WeightsForm kTorchForm;  // torch_form.cc

/// The default first.
std::span<const WeightsForm* const> WeightsForms();
/// kInvalidArgument lists the known ones.
Result<const WeightsForm*> FindWeightsForm(std::string_view name);

}  // namespace nemo
