// The journal of a stopped conversion.
#include "libcore/convert/journal.h"
#include "tests/fuzz/harness.h"
#include "tests/testing.h"

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const nemo::testing::TempDir directory;
  nemo::testing::WriteFileOrDie(directory / "journal", nemo::fuzz::Bytes(data, size));
  const nemo::fuzz::MemoryLimit limit(size, 256);
  static_cast<void>(nemo::Journal::Read(directory / "journal", "key"));
  return 0;
}
