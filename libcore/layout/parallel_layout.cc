#include "libcore/layout/parallel_layout.h"

#include <algorithm>
#include <numeric>

#include "libcore/base/format.h"

namespace nemo {
namespace {

/// Largest world the file names (tp_rank_TT_pp_rank_PPP) and common sense allow.
constexpr int64_t kMaxRanks = 4096;

/// True when every tensor-parallel constraint on `config` holds for `tp`.
bool TpDivides(const ModelConfig& c, int64_t tp) {
  const int64_t qkv_rows = (c.num_attention_heads + 2 * c.num_query_groups) * c.kv_channels;
  return c.num_attention_heads % tp == 0 &&
         (c.num_query_groups % tp == 0 || tp % c.num_query_groups == 0) &&
         c.ffn_hidden_size % tp == 0 && qkv_rows % tp == 0;
}

/// The legal TP sizes next to `tp`: "2 or 4".
std::string NearestTp(const ModelConfig& c, int64_t tp) {
  int64_t below = 0, above = 0;
  for (int64_t candidate = 1; candidate <= c.num_attention_heads; ++candidate) {
    if (!TpDivides(c, candidate)) continue;
    if (candidate < tp) below = candidate;
    if (candidate > tp && above == 0) above = candidate;
  }
  if (below > 0 && above > 0) return Format("{} or {}", below, above);
  return Format("{}", below > 0 ? below : above);
}

std::string NearestDivisor(int64_t number, int64_t wish) {
  int64_t below = 1, above = 0;
  for (int64_t candidate = 1; candidate <= number; ++candidate) {
    if (number % candidate != 0) continue;
    if (candidate < wish) below = candidate;
    if (candidate > wish && above == 0) above = candidate;
  }
  return above > 0 ? Format("{} or {}", below, above) : Format("{}", below);
}

Status CheckTp(const ParallelLayout& layout, const ModelConfig& c) {
  const int64_t tp = layout.tp_size;
  if (TpDivides(c, tp)) return OkStatus();
  const auto refuse = [&](const std::string& why) {
    return InvalidArgument(Format("tensor-parallel size {}: {}; the nearest size that works is {}",
                                  tp, why, NearestTp(c, tp)));
  };
  if (c.num_attention_heads % tp != 0) {
    return refuse(Format("num_attention_heads {} does not divide by it", c.num_attention_heads));
  }
  if (c.num_query_groups % tp != 0 && tp % c.num_query_groups != 0) {
    return refuse(Format("it neither divides num_query_groups {} nor is a multiple of it",
                         c.num_query_groups));
  }
  if (c.ffn_hidden_size % tp != 0) {
    return refuse(Format("ffn_hidden_size {} does not divide by it", c.ffn_hidden_size));
  }
  return refuse("the rows of linear_qkv do not divide by it");
}

Status CheckUnevenStages(const ParallelLayout& layout, const ModelConfig& c) {
  const auto& counts = layout.layers_per_stage;
  const std::string list = FormatList(counts);
  if (static_cast<int64_t>(counts.size()) != layout.pp_size) {
    return InvalidArgument(
        Format("pipeline layout {} has {} stages, and the pipeline-parallel size is {}", list,
               counts.size(), layout.pp_size));
  }
  if (layout.vpp_size != 1) {
    return InvalidArgument("an uneven pipeline layout cannot be combined with virtual stages");
  }
  int64_t sum = 0;
  for (const int64_t count : counts) {
    if (count < 0 || count > c.num_layers) {
      return InvalidArgument(Format("pipeline layout {}: {} layers in one stage of a model with {}",
                                    list, count, c.num_layers));
    }
    sum += count;
  }
  if (sum != c.num_layers) {
    return InvalidArgument(Format("pipeline layout {} has {} layers in all, and the model {}", list,
                                  sum, c.num_layers));
  }
  return OkStatus();
}

Status CheckPp(const ParallelLayout& layout, const ModelConfig& c) {
  if (layout.pp_size > c.num_layers) {
    return InvalidArgument(
        Format("pipeline-parallel size {}: more stages than the model's {} layers; "
               "use at most {}",
               layout.pp_size, c.num_layers, c.num_layers));
  }
  if (!layout.layers_per_stage.empty()) return CheckUnevenStages(layout, c);
  if (c.num_layers % layout.pp_size != 0) {
    return InvalidArgument(
        Format("pipeline-parallel size {}: num_layers {} does not divide by it; the nearest size "
               "that works is "
               "{}, or give an uneven --pipeline-layout",
               layout.pp_size, c.num_layers, NearestDivisor(c.num_layers, layout.pp_size)));
  }
  const int64_t per_stage = c.num_layers / layout.pp_size;
  if (per_stage % layout.vpp_size != 0) {
    return InvalidArgument(
        Format("virtual pipeline size {}: the {} layers of a stage do not divide by it; the "
               "nearest size that works is {}",
               layout.vpp_size, per_stage, NearestDivisor(per_stage, layout.vpp_size)));
  }
  return OkStatus();
}

/// A shard that is one box: `extent / parts` of `axis`.
Shard SplitAxis(const Shape& shape, size_t axis, int64_t parts, int64_t index) {
  Box canonical = Box::Whole(shape);
  canonical.extent[axis] = shape[axis] / parts;
  canonical.offset[axis] = canonical.extent[axis] * index;
  return Shard{canonical.extent, {{canonical, Box::Whole(canonical.extent)}}};
}

/// Appends `rows` rows from `first_row` to a shard of whole rows.
void AppendRows(Shard& shard, const Shape& shape, int64_t first_row, int64_t rows) {
  Box canonical = Box::Whole(shape);
  canonical.offset[0] = first_row;
  canonical.extent[0] = rows;
  Box local = Box::Whole(canonical.extent);
  local.offset[0] = shard.shape[0];
  shard.shape[0] += rows;
  shard.parts.push_back({std::move(canonical), std::move(local)});
}

/// The query heads of the rank, then the key and the value head of their group (whole heads on each
/// rank).
Shard DuplicatedQkv(const Shape& shape, const ModelConfig& c, int64_t tp_size, int64_t tp_rank) {
  const int64_t q_per_group = c.num_attention_heads / c.num_query_groups;
  const int64_t q_per_rank = c.num_attention_heads / tp_size;
  const int64_t first_q = tp_rank * q_per_rank;
  const int64_t group = first_q / q_per_group;
  const int64_t group_row = group * (q_per_group + 2) * c.kv_channels;
  Shard shard;
  shard.shape = shape;
  shard.shape[0] = 0;
  AppendRows(shard, shape, group_row + (first_q % q_per_group) * c.kv_channels,
             q_per_rank * c.kv_channels);
  AppendRows(shard, shape, group_row + q_per_group * c.kv_channels, 2 * c.kv_channels);
  return shard;
}

}  // namespace

Status CheckLayout(const ParallelLayout& layout, const ModelConfig& config) {
  for (const auto& [what, size] : {std::pair{"tensor-parallel", layout.tp_size},
                                   std::pair{"pipeline-parallel", layout.pp_size},
                                   std::pair{"virtual pipeline", layout.vpp_size}}) {
    if (size < 1 || size > kMaxRanks) {
      return InvalidArgument(Format("{} size {}: expected 1..{}", what, size, kMaxRanks));
    }
  }
  NEMO_RETURN_IF_ERROR(CheckTp(layout, config));
  return CheckPp(layout, config);
}

std::vector<int64_t> LayersOfStage(const ParallelLayout& layout, const ModelConfig& config,
                                   int64_t pp_rank) {
  std::vector<int64_t> layers;
  const auto append = [&](int64_t first, int64_t count) {
    const size_t old = layers.size();
    layers.resize(old + static_cast<size_t>(count));
    std::iota(layers.begin() + static_cast<int64_t>(old), layers.end(), first);
  };
  if (!layout.layers_per_stage.empty()) {
    const auto stage = layout.layers_per_stage.begin() + pp_rank;
    append(std::accumulate(layout.layers_per_stage.begin(), stage, int64_t{0}), *stage);
    return layers;
  }
  // Chunk c of stage p begins at c * L/VP + p * L/(PP * VP).
  const int64_t per_chunk = config.num_layers / (layout.pp_size * layout.vpp_size);
  for (int64_t chunk = 0; chunk < layout.vpp_size; ++chunk) {
    append(chunk * (config.num_layers / layout.vpp_size) + pp_rank * per_chunk, per_chunk);
  }
  return layers;
}

int64_t StageOf(const ParallelLayout& layout, const ModelConfig& config,
                const LogicalTensor& tensor) {
  if (tensor.role == StageRole::kFirst) return 0;
  if (tensor.role == StageRole::kLast) return layout.pp_size - 1;
  for (int64_t stage = 0; stage < layout.pp_size; ++stage) {
    const std::vector<int64_t> layers = LayersOfStage(layout, config, stage);
    if (std::binary_search(layers.begin(), layers.end(), tensor.layer_index)) return stage;
  }
  NEMO_CHECK(false);
  return 0;
}

Shard ShardOf(const LogicalTensor& tensor, const ParallelLayout& layout, const ModelConfig& config,
              int64_t tp_rank) {
  switch (tensor.rule) {
    case ShardRule::kReplicate:
      return SplitAxis(tensor.shape, 0, 1, 0);
    case ShardRule::kSplitCols:
      return SplitAxis(tensor.shape, 1, layout.tp_size, tp_rank);
    case ShardRule::kQueryGroup:
      if (layout.kv_duplicate && layout.tp_size > config.num_query_groups) {
        return DuplicatedQkv(tensor.shape, config, layout.tp_size, tp_rank);
      }
      [[fallthrough]];
    case ShardRule::kSplitRows:
    case ShardRule::kVocab:
      return SplitAxis(tensor.shape, 0, layout.tp_size, tp_rank);
  }
  NEMO_CHECK(false);
  return {};
}

std::string ToString(const ParallelLayout& layout) {
  std::string text = Format("TP{} x PP{}", layout.tp_size, layout.pp_size);
  if (layout.vpp_size > 1) text += Format(" x VP{}", layout.vpp_size);
  if (!layout.layers_per_stage.empty()) {
    text += Format(" ({})", fmt::join(layout.layers_per_stage, ","));
  }
  if (layout.kv_duplicate) text += " with duplicated K/V heads";
  return text;
}

Value ToValue(const ParallelLayout& layout) {
  Value value(
      Value::Object{{"tp", layout.tp_size}, {"pp", layout.pp_size}, {"vpp", layout.vpp_size}});
  if (!layout.layers_per_stage.empty()) {
    value.Set("layers_per_stage", Value::ArrayOf(layout.layers_per_stage));
  }
  if (layout.kv_duplicate) value.Set("kv_duplicate", true);
  return value;
}

Result<ParallelLayout> LayoutFromValue(const Value& value) {
  ParallelLayout layout;
  NEMO_ASSIGN_OR_RETURN(layout.tp_size, value.GetInt("tp"));
  NEMO_ASSIGN_OR_RETURN(layout.pp_size, value.GetInt("pp"));
  NEMO_ASSIGN_OR_RETURN(layout.vpp_size, value.GetInt("vpp"));
  if (value.Find("layers_per_stage") != nullptr) {
    NEMO_ASSIGN_OR_RETURN(layout.layers_per_stage, value.GetIntList("layers_per_stage"));
  }
  if (value.Find("kv_duplicate") != nullptr) {
    NEMO_ASSIGN_OR_RETURN(layout.kv_duplicate, value.GetBool("kv_duplicate"));
  }
  return layout;
}

}  // namespace nemo
