#include "tools/nemo-inspect/capacity.h"

#include <utility>

#include "libcore/base/format.h"
#include "tools/common/table.h"

namespace nemo {

FlagGroup CapacityFlags(CapacityOptions* options) {
  return {
      "Plan",
      {{.name = "plan",
        .help =
            "which TP x PP layouts fit the GPUs: bytes per rank, room for the KV cache, and the "
            "least time a token can take",
        .set = SetSwitch(&options->plan)},
       {.name = "gpus",
        .value = "N",
        .help = "GPUs of the job (default 8)",
        .set = SetInt(&options->gpus, 1, 4096)},
       {.name = "gpu-memory",
        .value = "BYTES",
        .help = "memory of each (default 80GB)",
        .set = SetBytes(&options->gpu_memory, 1)},
       {.name = "gpu-bandwidth",
        .value = "BYTES",
        .help =
            "what each can read in a second (default 3350GB, an H100; 4800GB is an H200, 2039GB "
            "an A100 80 GB)",
        .set = SetBytes(&options->gpu_bandwidth, 1)},
       {.name = "gpus-per-node",
        .value = "N",
        .help = "tensor-parallel ranks stay inside a node (default 8)",
        .set = SetInt(&options->gpus_per_node, 1, 4096)}}};
}

Result<std::vector<LayoutCapacity>> PlanCapacities(const ModelConfig& config,
                                                   const CapacityOptions& options) {
  const Devices devices = {options.gpus, options.gpu_memory,
                           static_cast<double>(options.gpu_bandwidth), options.gpus_per_node};
  NEMO_ASSIGN_OR_RETURN(std::vector<LayoutCapacity> capacities, LayoutCapacities(config, devices));
  if (capacities.empty()) {
    return InvalidArgument(
        Format("--gpus {}: no even layout of this model has that many ranks", options.gpus));
  }
  return capacities;
}

Value ToValue(const std::vector<LayoutCapacity>& capacities) {
  Value::Array rows;
  for (const LayoutCapacity& capacity : capacities) {
    Value row;
    row.Set("tp", capacity.layout.tp_size);
    row.Set("pp", capacity.layout.pp_size);
    row.Set("fits", capacity.fits());
    row.Set("weight_bytes", capacity.weight_bytes);
    row.Set("kv_bytes_per_token", capacity.kv_bytes_per_token);
    row.Set("kv_tokens", capacity.kv_tokens);
    row.Set("roofline_ms_per_token", capacity.roofline_ms_per_token);
    rows.push_back(std::move(row));
  }
  return Value(std::move(rows));
}

std::string ToText(const std::vector<LayoutCapacity>& capacities, const CapacityOptions& options) {
  using Align = Table::Align;
  Table table({{"layout"},
               {"fits"},
               {"weights/GPU", Align::kRight},
               {"KV bytes/token", Align::kRight},
               {"KV room, tokens", Align::kRight},
               {"ms/token at best", Align::kRight}});
  for (const LayoutCapacity& capacity : capacities) {
    table.AddRow({ToString(capacity.layout), capacity.fits() ? "yes" : "no",
                  FormatBytes(capacity.weight_bytes), Format("{}", capacity.kv_bytes_per_token),
                  Format("{}", capacity.kv_tokens),
                  Format("{:.2f}", capacity.roofline_ms_per_token)});
  }
  return Format("{} GPUs of {} at {}/s, {} to a node; {:.0f} % of the memory counted\n{}",
                options.gpus, FormatBytes(options.gpu_memory), FormatBytes(options.gpu_bandwidth),
                options.gpus_per_node, 100 * kUsableMemory, table.ToText(TableWidth()));
}

}  // namespace nemo
