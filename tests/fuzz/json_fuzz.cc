// JSON text; what is printed parses to the same value.
#include "libcore/base/check.h"
#include "libcore/base/json.h"
#include "tests/fuzz/harness.h"

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text = nemo::fuzz::Bytes(data, size);
  const nemo::fuzz::MemoryLimit limit(size, 256);
  const auto value = nemo::ParseJson(text);
  if (!value) return 0;
  const auto again = nemo::ParseJson(nemo::ToJson(*value));
  NEMO_CHECK(again && *again == *value);
  return 0;
}
