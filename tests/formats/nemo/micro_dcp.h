// The model `micro` as Megatron Core saved it with the torch_dist backend at TP2. Its only copy
// here is one that was damaged on purpose (tests/golden/hostile): the damage is known, and undone.
#pragma once

#include <cstdlib>
#include <string>

#include "libcore/base/format.h"
#include "tests/testing.h"

namespace nemo::testing {

/// Unpacks it into `folder` as an unpacked .nemo. False when the machine has no xz.
inline bool UnpackMicroDcp(const TempDir& folder) {
  const TempDir archives;
  const std::string command = Format(
      "tar xJf '{}' -C '{}' hostile_public/dcp_offset_past_end.nemo && "
      "tar xf '{}/hostile_public/dcp_offset_past_end.nemo' -C '{}'",
      GoldenPath("hostile/hostile.tar.xz"), archives.path(), archives.path(), folder.path());
  if (std::system(command.c_str()) != 0) return false;
  // LONG1 of six bytes: 2^40, where 54488 was.
  const std::string lie("\x8a\x06\x00\x00\x00\x00\x00\x01", 8);
  const std::string truth("\x8a\x06\xd8\xd4\x00\x00\x00\x00", 8);
  const std::string path = folder / "model_weights/.metadata";
  std::string bytes = ReadFileOrDie(path);
  const size_t at = bytes.find(lie);
  if (at == std::string::npos || bytes.find(lie, at + 1) != std::string::npos) return false;
  WriteFileOrDie(path, bytes.replace(at, lie.size(), truth));
  return true;
}

}  // namespace nemo::testing
