// Legacy checkpoints: one torch file per rank with a flat state dict. Facts:
// nemo/collections/nlp/parts/nlp_overrides.py (NLPSaveRestoreConnector), nemo/utils/model_utils.py
// (inject_model_parallel_rank); docs/formats/nemo.md.
#include <algorithm>
#include <utility>

#include "formats/nemo/names.h"
#include "formats/nemo/weights_form.h"
#include "formats/torch/file_layout.h"
#include "libcore/base/check.h"
#include "libcore/base/file.h"
#include "libcore/base/format.h"

namespace nemo {
namespace {

constexpr std::string_view kRankFile = "model_weights.ckpt";
constexpr std::string_view kRankRoot = "model_weights";  // torch.save takes it from the file's name
constexpr std::string_view kPrefix = "model.";
constexpr std::string_view kWeight = "weight";
/// Modules whose extra state a strict load_state_dict asks for; what it may be is None.
constexpr std::string_view kModulesWithState[] = {"self_attention.linear_proj.",
                                                  "self_attention.linear_qkv.", "mlp.linear_fc1.",
                                                  "mlp.linear_fc2.", "output_layer."};

std::string RankFileName(const ParallelLayout& layout, int64_t tp_rank, int64_t pp_rank) {
  if (layout.world_size() == 1) return std::string(kRankFile);
  if (layout.pp_size == 1) return Format("mp_rank_{:02d}/{}", tp_rank, kRankFile);
  return Format("tp_rank_{:02d}_pp_rank_{:03d}/{}", tp_rank, pp_rank, kRankFile);
}

/// Layers are numbered from 0 on each rank.
std::string RankKey(const std::string& canonical_name, const std::vector<int64_t>& layers) {
  const LayerName name = LayerNameOf(canonical_name);
  if (name.layer < 0) return std::string(kPrefix) + canonical_name;
  const auto found = std::find(layers.begin(), layers.end(), name.layer);
  NEMO_CHECK(found != layers.end());
  return Format("{}decoder.layers.{}.{}", kPrefix, found - layers.begin(), name.rest);
}

Result<Plan> PlanTorch(const ModelConfig& config, std::span<const TensorSpec> source,
                       const ParallelLayout& layout, const VocabRule& vocab) {
  if (layout.vpp_size > 1) {
    return InvalidArgument(
        Format("layout {}: the rank files of a .nemo have no virtual stages (only training "
               "checkpoints do); leave out --vpp, or use --container zarr",
               ToString(layout)));
  }
  NEMO_ASSIGN_OR_RETURN(Plan plan, PlanShards(config, source, layout, vocab));
  for (PlannedFile& file : plan.files) {
    const std::vector<int64_t> layers = LayersOfStage(layout, plan.config, file.pp_rank);
    file.stem = RankFileName(layout, file.tp_rank, file.pp_rank);
    for (PlannedTensor& tensor : file.tensors) {
      TensorSpec& spec = tensor.tensor.spec;
      spec.name = Format("{}/{}", file.stem, RankKey(spec.name, layers));
    }
  }
  return plan;
}

/// The module of a weight that has an extra state beside it, with its dot; else empty.
std::string_view ModuleWithState(std::string_view key) {
  if (!key.ends_with(kWeight)) return {};
  const std::string_view module = key.substr(0, key.size() - kWeight.size());
  const bool asked = std::any_of(std::begin(kModulesWithState), std::end(kModulesWithState),
                                 [&](std::string_view ending) { return module.ends_with(ending); });
  return asked ? module : std::string_view();
}

Member RankMember(const std::string& name, std::span<const SinkTensor> tensors, size_t first) {
  std::vector<TensorSpec> specs;
  std::vector<size_t> indices;
  torch::PickleValue::Dict state;
  for (size_t i = first; i < tensors.size() && DirName(tensors[i].spec.name) == name; ++i) {
    TensorSpec spec = tensors[i].spec;
    spec.name = BaseName(spec.name);
    state.emplace_back(spec.name, torch::TensorValue(spec, static_cast<int64_t>(specs.size())));
    const std::string_view module = ModuleWithState(spec.name);
    if (!module.empty()) state.emplace_back(Format("{}_extra_state", module), torch::PickleValue());
    specs.push_back(std::move(spec));
    indices.push_back(i);
  }
  torch::FileLayout file(std::string(kRankRoot), specs,
                         torch::PickleValue::DictOf(std::move(state)));
  return TorchMember(name, std::move(file), std::move(indices));
}

std::vector<Member> TorchMembers(std::span<const SinkTensor> tensors) {
  std::vector<Member> members;
  for (size_t i = 0; i < tensors.size(); i += members.back().tensors.size()) {
    members.push_back(RankMember(DirName(tensors[i].spec.name), tensors, i));
  }
  return members;
}

std::vector<Member> NoCompanions(const ModelConfig&) { return {}; }

bool IsTorchName(std::string_view name) {
  const std::string folder = DirName(name);
  return BaseName(name) == kRankFile &&
         (folder == "." || folder.starts_with("mp_rank_") || folder.starts_with("tp_rank_"));
}

}  // namespace

const WeightsForm kTorchForm = {"torch",      PlanTorch,        TorchMembers,
                                NoCompanions, Packaging::kFile, IsTorchName};

}  // namespace nemo
