// Gzip streams, read from both ends: the index of restart points, and going on in the middle.
#include "formats/codec/gzip.h"
#include "tests/fuzz/harness.h"
#include "tests/testing.h"

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto compressed = nemo::testing::MemoryFile("a.gz", nemo::fuzz::Bytes(data, size));
  // A restart point of 32 KiB for each MiB of output, a thousandth of which is input.
  const nemo::fuzz::MemoryLimit limit(size, 64);
  const auto file = nemo::OpenGzip(compressed);
  if (file) nemo::fuzz::ReadEnds(**file);
  return 0;
}
