// YAML text, anchors and aliases among it.
#include "libcore/base/json.h"
#include "libcore/base/yaml.h"
#include "tests/fuzz/harness.h"

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text = nemo::fuzz::Bytes(data, size);
  const nemo::fuzz::MemoryLimit limit(size, 768);
  const auto value = nemo::ParseYaml(text);
  if (value) static_cast<void>(nemo::ToJson(*value));
  return 0;
}
