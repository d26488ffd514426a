// PyTorch's distributed checkpoints: .metadata and the items it places in other files.
#include "formats/dcp/dcp.h"
#include "tests/fuzz/harness.h"
#include "tests/fuzz/repair.h"
#include "tests/testing.h"

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  auto files = nemo::fuzz::SplitTree(nemo::fuzz::Bytes(data, size));
  for (auto& [name, bytes] : files) nemo::fuzz::RepairZip(bytes);
  const auto tree = nemo::testing::MemoryTree("dcp", std::move(files));
  const nemo::fuzz::MemoryLimit limit(size, 256);
  const auto source = nemo::OpenDcp(tree, "", [](std::string_view) { return true; });
  if (source) nemo::fuzz::ReadTensors(**source);
  return 0;
}
