// The table of architectures: a new one is a file of its own and a row here.
#include "libcore/base/format.h"
#include "libcore/model/architecture.h"
#include "libcore/model/nemotron.h"

namespace nemo {
namespace {

constexpr Architecture kArchitectures[] = {
    {"nemotron", CheckNemotron, NemotronTensors},
};

}  // namespace

std::span<const Architecture> Architectures() { return kArchitectures; }

Result<std::vector<LogicalTensor>> LogicalTensors(const ModelConfig& config) {
  std::string known;
  for (const Architecture& row : Architectures()) {
    if (row.name == config.architecture) {
      NEMO_RETURN_IF_ERROR(row.check(config));
      return row.tensors(config);
    }
    known += Format(" {}", row.name);
  }
  return Unsupported(Format("architecture '{}'; known are:{}", config.architecture, known));
}

}  // namespace nemo
