// Files of torch.save in the zip form. CRC-32s are repaired, so that lies in the pickle are read.
#include "formats/torch/state_dict.h"
#include "formats/torch/torch_file.h"
#include "tests/fuzz/harness.h"
#include "tests/fuzz/repair.h"
#include "tests/testing.h"

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string bytes = nemo::fuzz::Bytes(data, size);
  nemo::fuzz::RepairZip(bytes);
  const auto file = nemo::testing::MemoryFile("a.pt", std::move(bytes));
  const nemo::fuzz::MemoryLimit limit(size, 256);
  const auto torch_file = nemo::torch::OpenTorchFile(file);
  if (!torch_file) return 0;
  const auto source = nemo::torch::OpenStateDict(*torch_file, (*torch_file)->pickle.root(), "a.pt");
  if (source) nemo::fuzz::ReadTensors(**source);
  return 0;
}
