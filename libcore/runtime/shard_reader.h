// ShardReader: boxes of canonical tensors as dense bf16 staging for one rank.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "libcore/base/progress.h"
#include "libcore/base/status.h"
#include "libcore/tensor/dtype.h"
#include "libcore/tensor/source.h"

namespace nemo {

/// Rows [from, from + count) of a canonical tensor become row `to` and following of a shard.
struct RowRun {
  int64_t from = 0, to = 0, count = 0;
};

/// Some rows and columns of the matrix `name`. Rows of the shard that no run fills are zero.
struct MatrixShard {
  std::string name;
  Shape shape;                ///< of the whole matrix, as the configuration has it
  bool more_rows_ok = false;  ///< the stored matrix may have more rows (vocabulary padding)
  std::vector<RowRun> runs;
  int64_t num_rows = 0;  ///< of the shard
  int64_t column_begin = 0, num_columns = 0;
};

/// Reads shards of one source into a staging buffer, which grows to the largest of them and is
/// reused. fp32 and fp16 become bf16 (RNE). Not thread-safe.
class ShardReader {
 public:
  ShardReader(const TensorSource& source, int threads, Progress& progress)
      : source_(source), threads_(threads), progress_(progress) {}

  /// Dense [num_rows, num_columns], valid until the next call. kNotFound: no such tensor.
  /// kCorruption: another shape or dtype. kIo: no memory for the staging.
  Result<std::span<const BF16>> Read(const MatrixShard& shard);
  /// The whole vector `name` of `size` elements, in the same way.
  Result<std::span<const BF16>> ReadVector(const std::string& name, int64_t size);

 private:
  Result<const TensorSpec*> Find(const std::string& name, const Shape& shape,
                                 bool more_rows_ok) const;
  Status Reserve(int64_t num_elements);
  Status ReadBox(const TensorSpec& spec, const Box& box, BF16* out) const;

  const TensorSource& source_;
  int threads_;
  Progress& progress_;
  std::unique_ptr<BF16[]> staging_;
  int64_t capacity_ = 0;
};

}  // namespace nemo
