// What fuzz targets share: the bound on memory, several files in one input, and use of what was
// parsed, so that ranges and offsets are really followed. docs/fuzzing.md.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>

#include "libcore/base/file.h"
#include "libcore/tensor/source.h"

/// Every target's entry; 0. Bad input is an answer, a crash is a finding.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace nemo::fuzz {

/// The bytes of an input.
std::string Bytes(const uint8_t* data, size_t size);

/// While it lives, memory held through operator new may grow by kFixedBytes and `factor` bytes per
/// byte of input. The destructor aborts with both numbers when it grew by more.
class MemoryLimit {
 public:
  static constexpr int64_t kFixedBytes = int64_t{1} << 20;  // buffers whose size is a constant

  MemoryLimit(size_t input_bytes, int64_t factor);
  ~MemoryLimit();
  MemoryLimit(const MemoryLimit&) = delete;
  MemoryLimit& operator=(const MemoryLimit&) = delete;

 private:
  int64_t before_bytes_;
  int64_t input_bytes_, factor_;
};

/// A tree in one input: each file is a line "=== name" and what follows up to the newline before
/// the next such line. Names that no directory can have are left out.
std::map<std::string, std::string> SplitTree(const std::string& input);

/// Reads tensors up to a few KB whole, and of larger ones both ends.
void ReadTensors(const TensorSource& source);
/// Opens every file and reads both ends of it.
void ReadFiles(const FileTree& tree);
void ReadEnds(const RandomAccessFile& file);

}  // namespace nemo::fuzz
