#include "libcore/layout/capacity.h"

#include <algorithm>

#include "libcore/base/format.h"
#include "libcore/model/architecture.h"

namespace nemo {
namespace {

constexpr int64_t kItemBytes = 2;  // BF16

Status CheckDevices(const Devices& devices) {
  if (devices.count < 1 || devices.count > 4096) {
    return InvalidArgument(Format("{} devices, expected 1..4096", devices.count));
  }
  if (devices.memory_bytes < 1 || devices.per_node < 1 || !(devices.bandwidth_bytes_per_s > 0)) {
    return InvalidArgument("memory, bandwidth and devices per node must be above zero");
  }
  return OkStatus();
}

/// Layers of the stage that has most of them.
int64_t MostLayers(const ParallelLayout& layout, const ModelConfig& config) {
  int64_t most = 0;
  for (int64_t stage = 0; stage < layout.pp_size; ++stage) {
    most = std::max(most, static_cast<int64_t>(LayersOfStage(layout, config, stage).size()));
  }
  return most;
}

LayoutCapacity CapacityOf(const ParallelLayout& layout, const ModelConfig& config,
                          const std::vector<LogicalTensor>& tensors, const Devices& devices) {
  LayoutCapacity capacity;
  capacity.layout = layout;
  std::vector<int64_t> stage_bytes(static_cast<size_t>(layout.pp_size), 0);
  int64_t read_bytes = 0;
  const auto add = [&](const LogicalTensor& tensor, int64_t stage, bool is_read) {
    // Padding rows that TP asks for: the share is rounded up.
    const int64_t elements = NumElements(tensor.shape);
    const int64_t share = tensor.rule == ShardRule::kReplicate
                              ? elements
                              : (elements + layout.tp_size - 1) / layout.tp_size;
    stage_bytes[static_cast<size_t>(stage)] += share * kItemBytes;
    if (is_read) read_bytes += share * kItemBytes;
  };
  const bool tied = config.share_embeddings_and_output_weights;
  for (const LogicalTensor& tensor : tensors) {
    add(tensor, StageOf(layout, config, tensor),
        tensor.role != StageRole::kFirst || (tied && layout.pp_size == 1));
  }
  if (tied && layout.pp_size > 1) add(tensors.front(), layout.pp_size - 1, true);

  capacity.weight_bytes = *std::max_element(stage_bytes.begin(), stage_bytes.end());
  const int64_t kv_heads = std::max<int64_t>(1, config.num_query_groups / layout.tp_size);
  capacity.kv_bytes_per_token =
      MostLayers(layout, config) * 2 * kv_heads * config.kv_channels * kItemBytes;
  const auto usable =
      static_cast<int64_t>(kUsableMemory * static_cast<double>(devices.memory_bytes));
  capacity.kv_tokens =
      std::max<int64_t>(0, usable - capacity.weight_bytes) / capacity.kv_bytes_per_token;
  capacity.roofline_ms_per_token =
      1e3 * static_cast<double>(read_bytes) / devices.bandwidth_bytes_per_s;
  return capacity;
}

}  // namespace

Result<std::vector<LayoutCapacity>> LayoutCapacities(const ModelConfig& config,
                                                     const Devices& devices) {
  NEMO_RETURN_IF_ERROR(CheckDevices(devices));
  NEMO_ASSIGN_OR_RETURN(const std::vector<LogicalTensor> tensors, LogicalTensors(config));
  std::vector<LayoutCapacity> capacities;
  for (int64_t tp = 1; tp <= std::min(devices.count, devices.per_node); ++tp) {
    if (devices.count % tp != 0) continue;
    const ParallelLayout layout = {.tp_size = tp, .pp_size = devices.count / tp};
    if (!CheckLayout(layout, config).ok()) continue;
    capacities.push_back(CapacityOf(layout, config, tensors, devices));
  }
  return capacities;
}

}  // namespace nemo
