// ShardReader: boxes of canonical tensors as dense bf16 rows for one rank.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "libcore/base/aligned_buffer.h"
#include "libcore/base/status.h"
#include "libcore/tensor/dtype.h"
#include "libcore/tensor/source.h"

namespace nemo {

/// Rows [from, from + count) of a canonical tensor become row `to` and following of a shard.
struct RowRun {
  int64_t from = 0, to = 0, count = 0;
};

/// Some rows and columns of the matrix `name`; of a vector some elements, as rows of one column.
/// Rows of the shard that no run fills are zero.
struct TensorShard {
  std::string name;
  Shape shape;                ///< of the whole tensor, as the configuration has it
  bool more_rows_ok = false;  ///< the stored one may have more rows (vocabulary padding)
  std::vector<RowRun> runs;   ///< ascending in `to`, without overlap
  int64_t num_rows = 0;       ///< of the shard
  int64_t column_begin = 0, num_columns = 1;

  int64_t num_elements() const { return num_rows * num_columns; }
};

/// Reads shards of one source, a piece at a time. fp32 and fp16 become bf16 (RNE). Thread-safe.
class ShardReader {
 public:
  /// Memory of one read at a time; keeps its size between reads.
  struct Staging {
    AlignedBuffer rows, stored;
  };

  explicit ShardReader(const TensorSource& source) : source_(source) {}

  /// kNotFound: no such tensor. kCorruption: another shape, or a dtype that holds no weights.
  Status Check(const TensorShard& shard) const { return Find(shard).error(); }
  /// Rows [row_begin, row_begin + num_rows) of the shard, dense, in `staging` until its next use.
  /// Errors of Check and of TensorSource::Read.
  Result<std::span<const BF16>> ReadRows(const TensorShard& shard, int64_t row_begin,
                                         int64_t num_rows, Staging& staging) const;

 private:
  struct Piece {
    int64_t row;  ///< of what is read
    Box box;      ///< of the stored tensor
  };
  static std::vector<Piece> PiecesOf(const TensorShard& shard, int64_t row_begin, int64_t row_end);
  Result<const TensorSpec*> Find(const TensorShard& shard) const;
  Status ReadBox(const TensorSpec& spec, const Box& box, BF16* out, Staging& staging) const;

  const TensorSource& source_;
};

/// Hands out staging memory to as many readers as there are at once, and takes it back.
class StagingPool {
 public:
  class Lease {
   public:
    explicit Lease(StagingPool& pool) : pool_(pool), staging_(pool.Take()) {}
    ~Lease() { pool_.PutBack(std::move(staging_)); }
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;
    ShardReader::Staging& operator*() { return *staging_; }

   private:
    StagingPool& pool_;
    std::unique_ptr<ShardReader::Staging> staging_;
  };

 private:
  std::unique_ptr<ShardReader::Staging> Take();
  void PutBack(std::unique_ptr<ShardReader::Staging> staging);

  std::mutex mutex_;
  std::vector<std::unique_ptr<ShardReader::Staging>> free_;
};

}  // namespace nemo
