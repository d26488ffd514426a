// Files of torch.save from before torch 1.6: pickles one behind the other, then raw storages.
#include "formats/torch/state_dict.h"
#include "formats/torch/stream_form.h"
#include "tests/fuzz/harness.h"
#include "tests/testing.h"

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto file = nemo::testing::MemoryFile("a.pt", nemo::fuzz::Bytes(data, size));
  const nemo::fuzz::MemoryLimit limit(size, 256);
  if (!nemo::torch::LooksLikeStreamForm(*file)) return 0;
  auto opened = nemo::torch::OpenStreamForm(file);
  if (!opened) return 0;
  const auto torch_file = std::make_shared<const nemo::torch::TorchFile>(std::move(opened).value());
  const auto source = nemo::torch::OpenStateDict(torch_file, torch_file->pickle.root(), "a.pt");
  if (source) nemo::fuzz::ReadTensors(**source);
  return 0;
}
