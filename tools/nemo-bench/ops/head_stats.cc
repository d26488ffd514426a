// What is kept of each row of logits.
#include <algorithm>
#include <optional>
#include <utility>

#include "libcore/base/format.h"
#include "tools/nemo-bench/ops/arrays.h"
#include "tools/nemo-bench/ops/op.h"

namespace nemo {
namespace {

constexpr int64_t kMaxRows = 64;  // EngineOptions::logit_rows
/// A comparison, and the exponential: libcore/runtime/math.h has eight fused multiply-adds, two
/// products or sums and integer steps.
constexpr double kFlopsPerColumn = 20;

struct StatsShape {
  int64_t num_rows, num_columns, column_begin, vocab_size, chunk_columns;
};

class HeadStatsOp final : public PreparedOp {
 public:
  static Result<std::unique_ptr<PreparedOp>> Prepare(const OpContext& context,
                                                     const StatsShape& shape, double bytes) {
    auto op = std::unique_ptr<HeadStatsOp>(new HeadStatsOp(context.backend, shape));
    const int64_t copies = CopiesFor(context, bytes);
    for (const BF16 value :
         RandomVector("logits", shape.num_rows * shape.num_columns, context.threads, 2)) {
      op->logits_host_.push_back(FloatFromBF16(value));
    }
    NEMO_ASSIGN_OR_RETURN(auto logits,
                          Copies<float>::Of(context.backend, copies, op->logits_host_));
    NEMO_ASSIGN_OR_RETURN(auto out,
                          Copies<ChunkStats>::Make(context.backend, copies, op->num_chunks()));
    op->logits_.emplace(std::move(logits));
    op->out_.emplace(std::move(out));
    return std::unique_ptr<PreparedOp>(std::move(op));
  }

  Status Run(int64_t call) override {
    return backend_.ops().head_stats(backend_, Args(logits_->at(call), out_->at(call)));
  }

  Result<double> Error(Backend& reference) override {
    NEMO_RETURN_IF_ERROR(Run(0));
    NEMO_RETURN_IF_ERROR(backend_.Synchronize());
    NEMO_ASSIGN_OR_RETURN(const std::vector<ChunkStats> got,
                          out_->Read(backend_, 0, 0, num_chunks()));
    std::vector<ChunkStats> expected(got.size());
    NEMO_RETURN_IF_ERROR(
        reference.ops().head_stats(reference, Args(logits_host_.data(), expected.data())));
    ErrorMeter sums, others;
    for (size_t i = 0; i < got.size(); ++i) {
      sums.Take(got[i].sum, expected[i].sum);
      others.Take(got[i].max, expected[i].max);
      others.Take(got[i].argmax, expected[i].argmax);
    }
    return std::max(sums.error(), others.error());
  }

 private:
  HeadStatsOp(Backend& backend, const StatsShape& shape) : backend_(backend), shape_(shape) {}

  int64_t num_chunks() const { return shape_.num_rows * shape_.num_columns / shape_.chunk_columns; }
  HeadStatsArgs Args(const float* logits, ChunkStats* out) const {
    return {logits,
            shape_.num_rows,
            shape_.num_columns,
            shape_.column_begin,
            shape_.vocab_size,
            shape_.chunk_columns,
            out};
  }

  Backend& backend_;
  const StatsShape shape_;
  std::vector<float> logits_host_;  // [num_rows, num_columns]
  std::optional<Copies<float>> logits_;
  std::optional<Copies<ChunkStats>> out_;  // [num_rows, chunks]
};

}  // namespace

std::vector<OpCase> HeadStatsCases(const OpSizes& sizes) {
  const VocabCut& vocab = sizes.shape.vocab;
  std::vector<OpCase> cases;
  int64_t last = 0;
  for (const int64_t tokens : sizes.tokens) {
    const int64_t rows = std::min(tokens, kMaxRows);
    if (rows == last || vocab.num_columns() == 0) continue;
    last = rows;
    const StatsShape shape = {rows, vocab.num_columns(), vocab.column_begin(),
                              sizes.config.vocab_size, vocab.chunk_columns};
    const auto elements = static_cast<double>(rows * shape.num_columns);
    OpCase op;
    op.name = Format("m{}", rows);
    op.shape = Format("[{}, {}] in chunks of {}", rows, shape.num_columns, shape.chunk_columns);
    op.dtype = "fp32";
    op.work = {4 * elements,
               static_cast<double>(sizeof(ChunkStats)) * elements /
                   static_cast<double>(shape.chunk_columns),
               kFlopsPerColumn * elements};
    op.prepare = [shape, work = op.work](const OpContext& context) {
      return HeadStatsOp::Prepare(context, shape, work.bytes());
    };
    cases.push_back(std::move(op));
  }
  return cases;
}

}  // namespace nemo
