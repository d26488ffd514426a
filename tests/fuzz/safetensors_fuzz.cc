// safetensors files.
#include "formats/safetensors/safetensors.h"
#include "tests/fuzz/harness.h"
#include "tests/testing.h"

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto file = nemo::testing::MemoryFile("a.safetensors", nemo::fuzz::Bytes(data, size));
  const nemo::fuzz::MemoryLimit limit(size, 256);
  const auto source = nemo::safetensors::OpenFile(file);
  if (source) nemo::fuzz::ReadTensors(**source);
  return 0;
}
