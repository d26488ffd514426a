// A tree of zarr arrays: .zarray files and chunks.
#include "formats/zarr/zarr.h"
#include "tests/fuzz/harness.h"
#include "tests/testing.h"

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto tree =
      nemo::testing::MemoryTree("zarr", nemo::fuzz::SplitTree(nemo::fuzz::Bytes(data, size)));
  const nemo::fuzz::MemoryLimit limit(size, 256);
  const auto source = nemo::OpenZarr(tree, "");
  if (source) nemo::fuzz::ReadTensors(**source);
  return 0;
}
