// The pickled command line in checkpoints of Megatron-LM.
#include "formats/megatron_lm/args.h"
#include "formats/torch/pickle.h"
#include "tests/fuzz/harness.h"

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string bytes = nemo::fuzz::Bytes(data, size);
  const nemo::fuzz::MemoryLimit limit(size, 256);
  const auto pickle = nemo::torch::ParsePickle(bytes);
  if (!pickle) return 0;
  const auto* args = pickle->root().Find("args");
  if (args != nullptr) static_cast<void>(nemo::megatron_lm::ParseArgs(*args));
  return 0;
}
