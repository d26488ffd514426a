#include "tools/common/layout_flags.h"

#include <algorithm>
#include <limits>

#include "libcore/base/format.h"

namespace nemo {
namespace {

/// Far above any machine, and small enough that products of sizes stay in range.
constexpr int64_t kMaxRanks = int64_t{1} << 20;

}  // namespace

std::vector<Flag> RunLayoutFlags(LayoutOptions* options) {
  return {
      {.name = "tp",
       .aliases = {"tensor-parallel-size", "tensor-model-parallel-size", "tp-size"},
       .value = "N",
       .help = "tensor-parallel ranks (default 1)",
       .set = SetInt(&options->tp_size, 1, kMaxRanks)},
      {.name = "pp",
       .aliases = {"pipeline-parallel-size", "pipeline-model-parallel-size", "pp-size"},
       .value = "N",
       .help = "pipeline-parallel ranks (default 1)",
       .set = SetInt(&options->pp_size, 1, kMaxRanks)},
      {.name = "pipeline-layout",
       .value = "N,N...",
       .help =
           "layers of each pipeline rank, such as 12,28,28,28 (default: the same number on each)",
       .set = SetIntList(&options->layers_per_stage)},
  };
}

std::vector<Flag> FileLayoutFlags(LayoutOptions* options) {
  std::vector<Flag> flags = RunLayoutFlags(options);
  flags.push_back({.name = "vpp",
                   .aliases = {"virtual-pipeline-parallel-size",
                               "virtual-pipeline-model-parallel-size", "vpp-size"},
                   .value = "N",
                   .help = "virtual stages of each pipeline rank (default 1)",
                   .set = SetInt(&options->vpp_size, 1, kMaxRanks)});
  flags.push_back({.name = "kv-duplicate",
                   .help =
                       "with more tensor-parallel ranks than query groups: give each rank whole "
                       "key and value heads (default: Megatron's contiguous rows)",
                   .set = SetSwitch(&options->kv_duplicate)});
  return flags;
}

std::string_view GivenFlag(const LayoutOptions& options) {
  if (options.tp_size != 0) return "tp";
  if (options.pp_size != 0) return "pp";
  if (!options.layers_per_stage.empty()) return "pipeline-layout";
  if (options.vpp_size != 0) return "vpp";
  return options.kv_duplicate ? "kv-duplicate" : "";
}

Result<ParallelLayout> LayoutFromOptions(const LayoutOptions& options) {
  const auto num_stages = static_cast<int64_t>(options.layers_per_stage.size());
  if (num_stages > 0 && options.pp_size > 0 && options.pp_size != num_stages) {
    return InvalidArgument(
        Format("--pipeline-layout has {} numbers and --pp is {}: give one number "
               "per pipeline rank, or leave --pp out",
               num_stages, options.pp_size));
  }
  ParallelLayout layout;
  layout.tp_size = std::max<int64_t>(1, options.tp_size);
  layout.pp_size = std::max({int64_t{1}, options.pp_size, num_stages});
  layout.vpp_size = std::max<int64_t>(1, options.vpp_size);
  layout.layers_per_stage = options.layers_per_stage;
  layout.kv_duplicate = options.kv_duplicate;
  return layout;
}

}  // namespace nemo
