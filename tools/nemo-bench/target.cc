#include "tools/nemo-bench/target.h"

#include <utility>

#include "libcore/base/format.h"
#include "tools/common/model_yaml.h"
#include "tools/nemo-bench/measure/probes.h"

namespace nemo {
namespace {

constexpr int64_t kMaxRanks = 65536;

Result<ParallelLayout> LayoutOfFile(const std::string& path) {
  const auto value = ReadYaml(path);
  if (!value) return InvalidArgument(value.error().message());
  Value whole = *value;
  for (const char* key : {"tp", "pp", "vpp"}) {
    if (whole.Find(key) == nullptr && (whole.is_object() || whole.is_null())) whole.Set(key, 1);
  }
  auto layout = LayoutFromValue(whole);
  if (!layout) return InvalidArgument(layout.error().At(path).message());
  return layout;
}

}  // namespace

std::vector<Flag> BackendFlags(BackendChoice* choice) {
  std::vector<std::string> names;
  std::string help;
  for (const BackendRow& row : Backends()) {
    help += help.empty() ? "" : "; ";
    help += std::string(row.name) + " (" + std::string(row.description) + ")";
    names.emplace_back(row.name);
  }
  choice->name = names.front();
  return {
      {.name = "backend",
       .value = "NAME",
       .help = help + "; default " + choice->name,
       .choices = names,
       .set = SetChoice(&choice->name, names)},
      {.name = "isa",
       .value = "NAME",
       .help = "instruction set of the cpu backend: auto (default), amx, avx512, avx512f, avx2, "
               "scalar",
       .choices = {"auto", "amx", "avx512", "avx512f", "avx2", "scalar"},
       .set = SetText(&choice->isa)},
      {.name = "device",
       .value = "N",
       .help = "index of the accelerator (default 0)",
       .set = SetInt(&choice->device, 0, 1024)},
      {.name = "deterministic",
       .help = "on an accelerator: the sums that the host's backends have, bit for bit",
       .set = SetSwitch(&choice->deterministic)}};
}

Result<std::unique_ptr<Backend>> MakeBackend(const BackendChoice& choice, int threads) {
  return CreateBackend(choice.name, {.num_threads = threads,
                                     .isa = choice.isa,
                                     .device = static_cast<int>(choice.device),
                                     .deterministic = choice.deterministic});
}

Result<std::optional<Limits>> ProbeLimits(Backend& backend, int threads) {
  if (backend.host_memory()) {
    NEMO_ASSIGN_OR_RETURN(Limits limits, ProbeHost(backend, {.threads = threads}));
    return std::optional<Limits>(std::move(limits));
  }
  const BackendRow& row = RowOf(backend);
  if (row.probe == nullptr) return std::optional<Limits>();
  NEMO_ASSIGN_OR_RETURN(DeviceRates rates, row.probe(backend));
  return std::optional<Limits>(Limits{rates.read_bytes_per_second, rates.copy_bytes_per_second,
                                      rates.flops_per_second, std::move(rates.compute)});
}

std::string DescribeBackend(const Backend& backend) {
  return Format("{} ({})", backend.name(), backend.variant());
}

Flag LayoutFlag(std::string* text) {
  return {.name = "layout",
          .value = "TP,PP",
          .help =
              "tensor- and pipeline-parallel ranks, such as 8,2, or a YAML file of "
              "configs/layouts (default 1,1)",
          .set = SetText(text)};
}

Result<ParallelLayout> ParseLayout(const std::string& text) {
  ParallelLayout layout;
  if (text.empty()) return layout;
  if (text.ends_with(".yaml") || text.ends_with(".yml")) return LayoutOfFile(text);
  const size_t comma = text.find(',');
  const auto tp = ParseInt(text.substr(0, comma), 1, kMaxRanks);
  const auto pp = comma == std::string::npos ? Result<int64_t>(1)
                                             : ParseInt(text.substr(comma + 1), 1, kMaxRanks);
  if (!tp || !pp) {
    return InvalidArgument(
        Format("--layout: '{}' is neither TP,PP, such as 8,2, nor a YAML file", text));
  }
  layout.tp_size = *tp;
  layout.pp_size = *pp;
  return layout;
}

}  // namespace nemo
