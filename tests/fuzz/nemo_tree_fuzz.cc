// The files of a .nemo: configuration, and the weights in each form that NeMo has.
#include "formats/nemo/config.h"
#include "formats/nemo/weights.h"
#include "tests/fuzz/harness.h"
#include "tests/fuzz/repair.h"
#include "tests/testing.h"

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  auto files = nemo::fuzz::SplitTree(nemo::fuzz::Bytes(data, size));
  for (auto& [name, bytes] : files) nemo::fuzz::RepairZip(bytes);
  const std::string yaml = files["model_config.yaml"];
  const auto tree = nemo::testing::MemoryTree("a.nemo", std::move(files));
  const nemo::fuzz::MemoryLimit limit(size, 768);
  const auto config = nemo::ParseNemoConfig(yaml);
  if (!config) return 0;
  const auto weights = nemo::OpenNemoWeights(tree, *config);
  if (weights) nemo::fuzz::ReadTensors(*weights->source);
  return 0;
}
