// What is benched, as the flags of several verbs name it: a model's sizes, a layout, a backend.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "kernels/registry.h"
#include "libcore/base/status.h"
#include "libcore/layout/parallel_layout.h"
#include "tools/common/flag.h"
#include "tools/nemo-bench/measure/roofline.h"

namespace nemo {

struct BackendChoice {
  std::string name;
  std::string isa = "auto";
  int64_t device = 0;
  bool deterministic = false;
};
/// --backend, --isa, --device, --deterministic.
std::vector<Flag> BackendFlags(BackendChoice* choice);
Result<std::unique_ptr<Backend>> MakeBackend(const BackendChoice& choice, int threads);
/// What the memory and the arithmetic of a backend can do at best, by the host's probes or its own;
/// nothing where it has none. `threads`: of the host.
Result<std::optional<Limits>> ProbeLimits(Backend& backend, int threads);
/// "cpu (avx512)".
std::string DescribeBackend(const Backend& backend);

Flag LayoutFlag(std::string* text);
/// "8,2" (TP, PP), "8", or a YAML file with the keys tp, pp and those of LayoutFromValue; "" is one
/// rank. kInvalidArgument.
Result<ParallelLayout> ParseLayout(const std::string& text);

}  // namespace nemo
