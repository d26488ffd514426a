// safetensors files: an 8-byte length, a JSON header, then the tensors without holes.
// Facts: huggingface/safetensors: README.md, safetensors/src/tensor.rs. Grammar and what we write:
// docs/formats/safetensors.md.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "libcore/base/file.h"
#include "libcore/base/status.h"
#include "libcore/tensor/placed_source.h"
#include "libcore/tensor/sink.h"

namespace nemo::safetensors {

/// What stands in a file: its tensors and the texts of `__metadata__`.
struct Contents {
  std::shared_ptr<PlacedSource> source;
  std::map<std::string, std::string> metadata;
};

/// Reads the header only. Memory is a small multiple of the header (at most 100,000,000 bytes).
/// kCorruption: anything but the format: a lying length, a name twice, ranges that overlap or leave
/// holes, a size that contradicts shape and dtype, trailing bytes. kUnsupported: a dtype the house
/// lacks.
Result<Contents> ReadContents(std::shared_ptr<RandomAccessFile> file);

/// ReadContents for those who want the tensors only.
Result<std::shared_ptr<PlacedSource>> OpenFile(std::shared_ptr<RandomAccessFile> file);

/// What leaves a writer room: the defaults are those of our own files.
struct SinkOptions {
  /// Each tensor's box and checksum under its name in `__metadata__`; without them there is only
  /// `format`.
  bool notes = true;
  /// Larger elements first, then by name, as the reference writer does. Without it, tensors lie in
  /// the order declared when that keeps each aligned to its element, else larger elements come
  /// first.
  bool sort_by_name = false;
  /// The data start at a multiple of this.
  int64_t data_alignment = 4096;
};

/// The file that the reference writer (Python's save_file with metadata {"format": "pt"}) makes of
/// the same tensors, byte for byte while elements of one size have one type.
inline constexpr SinkOptions kReferenceSink = {
    .notes = false, .sort_by_name = true, .data_alignment = 8};

/// A file to be written at `path` (as `path`.partial until Finish). Names `format` and
/// `__metadata__` are refused: they mean something else here.
std::unique_ptr<TensorSink> CreateSinkWith(const std::string& path, const SinkOptions& options);
/// CreateSinkWith for our own files.
std::unique_ptr<TensorSink> CreateSink(const std::string& path);

}  // namespace nemo::safetensors
