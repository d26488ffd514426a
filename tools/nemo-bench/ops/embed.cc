// The embedding: rows of a large table, at random.
#include <algorithm>
#include <optional>
#include <utility>

#include "libcore/base/format.h"
#include "tools/nemo-bench/ops/arrays.h"
#include "tools/nemo-bench/ops/op.h"

namespace nemo {
namespace {

struct EmbedShape {
  int64_t num_tokens, num_rows, hidden;
};

class EmbedOp final : public PreparedOp {
 public:
  static Result<std::unique_ptr<PreparedOp>> Prepare(const OpContext& context,
                                                     const EmbedShape& shape) {
    auto op = std::unique_ptr<EmbedOp>(new EmbedOp(context.backend, shape));
    // Every call reads other rows, so one table is enough where it is larger than what must be
    // rotated; a smaller one is copied.
    const auto table_bytes = static_cast<double>(2 * shape.num_rows * shape.hidden);
    op->table_host_ = RandomVector("embedding", shape.num_rows * shape.hidden, context.threads);
    NEMO_ASSIGN_OR_RETURN(
        auto table,
        Copies<BF16>::Of(context.backend, CopiesFor(context, table_bytes), op->table_host_));
    op->table_.emplace(std::move(table));
    const int64_t copies =
        CopiesFor(context, static_cast<double>(6 * shape.hidden * shape.num_tokens));
    NEMO_ASSIGN_OR_RETURN(auto ids,
                          Copies<int32_t>::Make(context.backend, copies, shape.num_tokens));
    for (int64_t i = 0; i < copies; ++i) {
      NEMO_RETURN_IF_ERROR(ids.Fill(context.backend, i, op->Ids(i)));
    }
    op->ids_.emplace(std::move(ids));
    NEMO_ASSIGN_OR_RETURN(
        auto out, Copies<float>::Make(context.backend, copies, shape.num_tokens * shape.hidden));
    op->out_.emplace(std::move(out));
    return std::unique_ptr<PreparedOp>(std::move(op));
  }

  Status Run(int64_t call) override {
    return backend_.ops().embed(backend_, {ids_->at(call), shape_.num_tokens, table_->at(call), 0,
                                           shape_.num_rows, shape_.hidden, out_->at(call)});
  }

  Result<double> Error(Backend& reference) override {
    NEMO_RETURN_IF_ERROR(Run(0));
    NEMO_RETURN_IF_ERROR(backend_.Synchronize());
    const int64_t size = shape_.num_tokens * shape_.hidden;
    NEMO_ASSIGN_OR_RETURN(const std::vector<float> got, out_->Read(backend_, 0, 0, size));
    std::vector<float> expected(static_cast<size_t>(size));
    const std::vector<int32_t> ids = Ids(0);
    NEMO_RETURN_IF_ERROR(
        reference.ops().embed(reference, {ids.data(), shape_.num_tokens, table_host_.data(), 0,
                                          shape_.num_rows, shape_.hidden, expected.data()}));
    ErrorMeter meter;
    meter.Compare(std::span<const float>(got), std::span<const float>(expected));
    return meter.error();
  }

 private:
  EmbedOp(Backend& backend, const EmbedShape& shape) : backend_(backend), shape_(shape) {}

  std::vector<int32_t> Ids(int64_t copy) const {
    std::vector<int32_t> ids;
    for (int64_t i = 0; i < shape_.num_tokens; ++i) {
      // A large prime steps through the table without a pattern that a prefetcher could follow.
      constexpr int64_t kPrime = 1'000'003;
      ids.push_back(
          static_cast<int32_t>((copy * shape_.num_tokens + i + 1) * kPrime % shape_.num_rows));
    }
    return ids;
  }

  Backend& backend_;
  const EmbedShape shape_;
  std::vector<BF16> table_host_;  // [num_rows, hidden]
  std::optional<Copies<BF16>> table_;
  std::optional<Copies<int32_t>> ids_;  // [num_tokens]
  std::optional<Copies<float>> out_;    // [num_tokens, hidden]
};

}  // namespace

std::vector<OpCase> EmbedCases(const OpSizes& sizes) {
  std::vector<OpCase> cases;
  for (const int64_t tokens : sizes.tokens) {
    const EmbedShape shape = {tokens, sizes.shape.vocab.num_columns(), sizes.shape.hidden_size};
    if (shape.num_rows == 0) continue;
    const auto elements = static_cast<double>(tokens * shape.hidden);
    OpCase op;
    op.name = Format("m{}", tokens);
    op.shape = Format("{} of [{}, {}]", tokens, shape.num_rows, shape.hidden);
    op.dtype = "bf16, fp32 out";
    op.work = {2 * elements, 4 * elements, 0};
    op.memory_bytes = 4 * static_cast<double>(shape.num_rows * shape.hidden);
    op.prepare = [shape](const OpContext& context) { return EmbedOp::Prepare(context, shape); };
    cases.push_back(std::move(op));
  }
  return cases;
}

}  // namespace nemo
