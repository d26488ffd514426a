#include "tools/common/machine_flags.h"

#include <algorithm>
#include <iterator>
#include <string_view>
#include <vector>

#include "kernels/registry.h"
#include "libcore/base/check.h"
#include "libcore/base/format.h"
#include "tools/common/world_flags.h"

namespace nemo {
namespace {

constexpr int64_t kMaxTokens = int64_t{1} << 24;
constexpr int64_t kMaxBatch = 4096;
constexpr int64_t kMaxReplicas = int64_t{1} << 16;
constexpr DTypeProfile kProfiles[] = {DTypeProfile::kMegatron, DTypeProfile::kHf,
                                      DTypeProfile::kFp32};

Flag BackendFlag(MachineOptions* options) {
  std::vector<std::string> names;
  std::string help;
  for (const BackendRow& row : Backends()) {
    help += Format("{}{} ({})", names.empty() ? "" : "; ", row.name, row.description);
    names.emplace_back(row.name);
  }
  options->backend = names.front();
  return {.name = "backend",
          .value = "NAME",
          .help = Format("{}; default {}", help, options->backend),
          .choices = names,
          .set = SetChoice(&options->backend, names)};
}

std::vector<Flag> StepFlags(MachineOptions* options) {
  const std::vector<std::string> on_off = {"on", "off"};
  return {{.name = "prefill-chunk",
           .value = "N",
           .help = "prompt tokens of one step (default: as many as fit)",
           .set = SetInt(&options->prefill_chunk, 1, kMaxTokens)},
          {.name = "prefix-cache",
           .value = "on|off",
           .help = "on (default): prompts that begin alike share the work for that; the answers "
                   "are the same",
           .choices = on_off,
           .set = SetChoice(&options->prefix_cache, on_off)},
          {.name = "max-batch-size",
           .value = "N",
           .help = Format("prompts side by side (default {})", options->max_batch_size),
           .set = SetInt(&options->max_batch_size, 1, kMaxBatch)}};
}

}  // namespace

DTypeProfile MachineOptions::profile() const {
  const auto* found = std::ranges::find(kProfiles, std::string_view(dtype_profile),
                                        [](DTypeProfile p) { return ToString(p); });
  NEMO_CHECK(found != std::end(kProfiles));  // the flag takes no other name
  return *found;
}

Status CheckMachine(const MachineOptions& options) {
  if (options.profile() != DTypeProfile::kFp32) return OkStatus();
  std::string able;
  for (const BackendRow& row : Backends()) {
    if (!row.fp32) continue;
    if (row.name == options.backend) return OkStatus();
    able += Format("{}{}", able.empty() ? "" : " or ", row.name);
  }
  return InvalidArgument(
      Format("--dtype-profile fp32: the backend {} rounds to bf16 between operations; give "
             "--backend {}",
             options.backend, able));
}

FlagGroup ReplicatedMachineFlags(MachineOptions* options) {
  FlagGroup group = MachineFlags(options);
  options->data_parallel_size = 0;
  // Behind the rest of the layout.
  group.flags.insert(
      group.flags.begin() + std::ssize(RunLayoutFlags(&options->layout)),
      {.name = "dp",
       .aliases = {"data-parallel-size", "dp-size"},
       .value = "N",
       .help = "copies of the model that share the work, each on its own --tp x --pp ranks "
               "(default: as many as there are processes for; 1 where ranks are threads)",
       .set = SetInt(&options->data_parallel_size, 1, kMaxReplicas)});
  return group;
}

FlagGroup PlainMachineFlags(MachineOptions* options) {
  std::vector<std::string> profiles;
  for (const DTypeProfile profile : kProfiles) profiles.emplace_back(ToString(profile));
  const std::vector<std::string> isas = {"auto", "amx", "avx512", "avx512f", "avx2", "scalar"};
  std::vector<Flag> flags = RunLayoutFlags(&options->layout);
  flags.push_back(BackendFlag(options));
  flags.push_back({.name = "isa",
                   .value = "NAME",
                   .help = "instruction set of the cpu backend: auto (default), avx512, avx512f, "
                           "avx2, scalar, which give the same bits, or amx, which does not",
                   .choices = isas,
                   .set = SetChoice(&options->isa, isas)});
  flags.push_back({.name = "deterministic",
                   .help = "on an accelerator: sums in the order of the other backends, for every "
                           "batch and layout; slower (host backends have it anyway)",
                   .set = SetSwitch(&options->deterministic)});
  flags.push_back({.name = "dtype-profile",
                   .value = "NAME",
                   .help = "round where megatron (default) does, where hf (transformers) does, or "
                           "nowhere: fp32, of the backend reference only",
                   .choices = profiles,
                   .set = SetChoice(&options->dtype_profile, profiles)});
  flags.push_back(PeerTimeoutFlag(&options->comm));
  return {"Ranks and devices (ranks are threads; under mpirun or srun, processes)",
          std::move(flags)};
}

FlagGroup MachineFlags(MachineOptions* options) {
  FlagGroup group = PlainMachineFlags(options);
  std::vector<Flag> steps = StepFlags(options);
  // Before the peers.
  std::move(steps.begin(), steps.end(), std::inserter(group.flags, std::prev(group.flags.end())));
  return group;
}

}  // namespace nemo
