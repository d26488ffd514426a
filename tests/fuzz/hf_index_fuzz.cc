// model.safetensors.index.json of Hugging Face.
#include "formats/hf/index.h"
#include "tests/fuzz/harness.h"

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text = nemo::fuzz::Bytes(data, size);
  const nemo::fuzz::MemoryLimit limit(size, 256);
  static_cast<void>(nemo::hf::ParseIndex(text));
  return 0;
}
