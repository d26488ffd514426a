// config.json of Hugging Face; what we would write of it is read as the same model.
#include "formats/hf/config.h"
#include "libcore/base/check.h"
#include "libcore/base/json.h"
#include "tests/fuzz/harness.h"

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text = nemo::fuzz::Bytes(data, size);
  const nemo::fuzz::MemoryLimit limit(size, 256);
  const auto config = nemo::hf::ParseConfig(text);
  if (!config || !nemo::hf::CheckExpressible(*config).ok()) return 0;
  const auto value = nemo::hf::ConfigValue(*config, nemo::DType::kBF16, {});
  NEMO_CHECK(value);
  const auto again = nemo::hf::ParseConfig(nemo::ToJson(*value));
  NEMO_CHECK(again && *again == *config);
  return 0;
}
