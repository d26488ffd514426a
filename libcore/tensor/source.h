// TensorSource: the one way in which the house reads weights, whatever file they lie in.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "libcore/base/status.h"
#include "libcore/tensor/box.h"
#include "libcore/tensor/spec.h"

namespace nemo {

/// A read-only set of named tensors whose bytes are fetched lazily.
/// Thread-safe: all methods may be called concurrently. Opening reads the index only.
class TensorSource {
 public:
  virtual ~TensorSource() = default;

  /// Every tensor, sorted by name; stays valid as long as the source.
  virtual std::span<const TensorSpec> specs() const = 0;

  /// Copies `box` of tensor `name` to `out`, row-major and dense, in the stored dtype.
  /// `out` must have exactly NumElements(box) * SizeOf(dtype) bytes. Touches only the chunks that
  /// `box` meets. kNotFound: no such tensor. kInvalidArgument: `box` leaves the shape, or `out` has
  /// another size. kCorruption: checksum or range wrong. kIo: the disk.
  virtual Status Read(std::string_view name, const Box& box, std::span<std::byte> out) const = 0;

  /// Memory of this remainder modulo kDirectAlignment takes `box`, whole rows of `name`, without a
  /// copy on their way. 0 where none is better than another.
  virtual int64_t PhaseOf(std::string_view, const Box&) const { return 0; }

  /// Proves what Read has handed out, where a stored checksum covers more than was read: reads the
  /// rest of that, and nothing that Read has not touched. Whoever keeps what was read calls it when
  /// the last Read has returned. kCorruption: a checksum is wrong. kIo: the disk.
  virtual Status ProveReads() const { return OkStatus(); }

  /// The files that hold `box` of `name`, relative to the checkpoint, for people (inspect,
  /// messages).
  virtual std::vector<std::string> FilesOf(std::string_view name, const Box& box) const = 0;
};

/// The spec called `name` in sorted `specs`, nullptr when there is none.
const TensorSpec* FindSpec(std::span<const TensorSpec> specs, std::string_view name);

/// The checks that every Read begins with: the spec, or the error that Read must return.
Result<const TensorSpec*> CheckRead(const TensorSource& source, std::string_view name,
                                    const Box& box, int64_t out_size_bytes);

}  // namespace nemo
