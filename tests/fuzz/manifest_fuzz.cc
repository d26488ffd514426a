// manifest.json of a shard set; what is printed says the same.
#include "libcore/base/check.h"
#include "libcore/convert/manifest.h"
#include "tests/fuzz/harness.h"

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text = nemo::fuzz::Bytes(data, size);
  const nemo::fuzz::MemoryLimit limit(size, 256);
  const auto manifest = nemo::ParseManifest(text);
  if (!manifest) return 0;
  const std::string printed = nemo::ToJsonText(*manifest);
  const auto again = nemo::ParseManifest(printed);
  NEMO_CHECK(again && nemo::ToJsonText(*again) == printed);
  return 0;
}
