// Tar archives. Header checksums are repaired, so that lies in the other fields are read.
#include "formats/tar/tar.h"
#include "tests/fuzz/harness.h"
#include "tests/fuzz/repair.h"
#include "tests/testing.h"

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string bytes = nemo::fuzz::Bytes(data, size);
  nemo::fuzz::RepairTar(bytes);
  static_cast<void>(nemo::LooksLikeTar(std::as_bytes(std::span(bytes))));
  const auto file = nemo::testing::MemoryFile("a.tar", std::move(bytes));
  const nemo::fuzz::MemoryLimit limit(size, 16);
  const auto tree = nemo::OpenTar(file);
  if (tree) nemo::fuzz::ReadFiles(**tree);
  return 0;
}
