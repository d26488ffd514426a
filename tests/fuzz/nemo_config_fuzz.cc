// model_config.yaml of NeMo 1, OmegaConf's interpolations among it.
#include "formats/nemo/config.h"
#include "tests/fuzz/harness.h"

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text = nemo::fuzz::Bytes(data, size);
  const nemo::fuzz::MemoryLimit limit(size, 768);
  auto config = nemo::ParseNemoConfig(text);
  if (!config) return 0;
  config->model.padded_vocab_size = 256000;  // as the weights would show it
  static_cast<void>(nemo::CheckConfig(config->model).ok());
  return 0;
}
