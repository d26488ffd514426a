// A directory as the tools get it: recognised, opened, read, verified. On disk, because the rows of
// formats/registry.cc take paths.
#include "formats/format.h"
#include "libcore/base/progress.h"
#include "tests/fuzz/harness.h"
#include "tests/fuzz/repair.h"
#include "tests/testing.h"

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  auto files = nemo::fuzz::SplitTree(nemo::fuzz::Bytes(data, size));
  const nemo::testing::TempDir directory;
  for (auto& [name, bytes] : files) {
    nemo::fuzz::RepairZip(bytes);
    const std::string path = directory / name;
    if (nemo::CreateDirectories(nemo::DirName(path)).ok() &&
        nemo::KindOf(path) == nemo::PathKind::kAbsent) {
      nemo::testing::WriteFileOrDie(path, bytes);
    }
  }
  const nemo::fuzz::MemoryLimit limit(size, 768);
  const auto format = nemo::DetectFormat(directory.path());
  if (!format) return 0;
  const auto checkpoint = (*format)->open(directory.path());
  if (checkpoint) nemo::fuzz::ReadTensors(*checkpoint->source);
  if ((*format)->verify != nullptr) {
    static_cast<void>(
        (*format)->verify(directory.path(), nemo::CheckLevel::kChecksums, 1, nemo::NullProgress()));
  }
  return 0;
}
