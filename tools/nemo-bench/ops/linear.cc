// The matrix products of a layer and of the output layer, at the shapes of one rank.
#include <algorithm>
#include <utility>

#include "libcore/base/format.h"
#include "tools/nemo-bench/ops/arrays.h"
#include "tools/nemo-bench/ops/onednn.h"
#include "tools/nemo-bench/ops/op.h"

namespace nemo {
namespace {

/// The engine keeps logits of so many rows at once (EngineOptions::logit_rows).
constexpr int64_t kMaxHeadRows = 64;
constexpr int64_t kSampledColumns = 64, kSampledRows = 4;

/// Rows of W from which the reference computes its sample: the first ones and the last ones.
std::vector<int64_t> SampledColumns(int64_t n) {
  std::vector<int64_t> columns;
  for (int64_t i = 0; i < std::min(n, kSampledColumns); ++i) {
    columns.push_back(i < kSampledColumns / 2 ? i : n - std::min(n, kSampledColumns) + i);
  }
  return columns;
}

class LinearOp final : public PreparedOp {
 public:
  using Product = Status (*)(Backend& backend, const LinearArgs& args);

  static Result<std::unique_ptr<PreparedOp>> Prepare(const OpContext& context,
                                                     const LinearShape& shape, Product product) {
    auto op = std::unique_ptr<LinearOp>(new LinearOp(context.backend, shape, product));
    const int64_t copies = CopiesFor(context, WorkOf(shape).bytes());
    {
      const std::vector<BF16> weight = RandomVector("weight", shape.n * shape.k, context.threads);
      for (int64_t i = 0; i < copies; ++i) {
        NEMO_ASSIGN_OR_RETURN(std::unique_ptr<PackedWeight> packed,
                              context.backend.Pack(weight, shape.n, shape.k, shape.leaves));
        op->weights_.push_back(std::move(packed));
      }
      for (const int64_t column : op->columns_) {
        const auto row = Rows(weight, column, 1, shape.k);
        op->sampled_weight_.insert(op->sampled_weight_.end(), row.begin(), row.end());
      }
    }
    op->x_host_ = RandomVector("x", shape.m * shape.k, context.threads, 1);
    NEMO_ASSIGN_OR_RETURN(auto x, Copies<BF16>::Of(context.backend, copies, op->x_host_));
    op->x_.emplace(std::move(x));
    NEMO_ASSIGN_OR_RETURN(auto y, Copies<std::byte>::Make(context.backend, copies,
                                                          shape.m * shape.n * ItemBytes(shape)));
    op->y_.emplace(std::move(y));
    return std::unique_ptr<PreparedOp>(std::move(op));
  }

  Status Run(int64_t call) override {
    const LinearArgs args = {weights_[static_cast<size_t>(call) % weights_.size()].get(),
                             x_->at(call), shape_.m, y_->at(call), shape_.epilogue};
    return product_(backend_, args);
  }

  Result<double> Error(Backend& reference) override {
    NEMO_RETURN_IF_ERROR(Run(0));
    NEMO_RETURN_IF_ERROR(backend_.Synchronize());
    const auto num_columns = static_cast<int64_t>(columns_.size());
    const int64_t rows = std::min(shape_.m, kSampledRows);
    NEMO_ASSIGN_OR_RETURN(const std::unique_ptr<PackedWeight> weight,
                          reference.Pack(sampled_weight_, num_columns, shape_.k, shape_.leaves));
    std::vector<std::byte> expected(static_cast<size_t>(rows * num_columns * ItemBytes(shape_)));
    NEMO_RETURN_IF_ERROR(reference.ops().linear(
        reference, {weight.get(), x_host_.data(), rows, expected.data(), shape_.epilogue}));
    ErrorMeter meter;
    for (int64_t row = 0; row < rows; ++row) {
      for (int64_t i = 0; i < num_columns; ++i) {
        NEMO_ASSIGN_OR_RETURN(const std::vector<std::byte> got, Output(row, columns_[i]));
        meter.Take(NumberAt(got, 0), NumberAt(expected, row * num_columns + i));
      }
    }
    return meter.error();
  }

  static int64_t ItemBytes(const LinearShape& shape) {
    return shape.epilogue == Epilogue::kFloat ? 4 : 2;
  }
  static Work WorkOf(const LinearShape& s) {
    const auto m = static_cast<double>(s.m), n = static_cast<double>(s.n),
               k = static_cast<double>(s.k);
    return {2 * n * k + 2 * m * k, m * n * static_cast<double>(ItemBytes(s)), 2 * m * n * k};
  }

 private:
  LinearOp(Backend& backend, const LinearShape& shape, Product product)
      : backend_(backend), shape_(shape), product_(product), columns_(SampledColumns(shape.n)) {}

  /// The bytes of one element of y.
  Result<std::vector<std::byte>> Output(int64_t row, int64_t column) const {
    const int64_t item = ItemBytes(shape_);
    return y_->Read(backend_, 0, (row * shape_.n + column) * item, item);
  }
  double NumberAt(std::span<const std::byte> outputs, int64_t index) const {
    const DType dtype = shape_.epilogue == Epilogue::kFloat ? DType::kF32 : DType::kBF16;
    return ElementAsDouble(dtype, outputs.data(), index);
  }

  Backend& backend_;
  const LinearShape shape_;
  const Product product_;
  const std::vector<int64_t> columns_;
  std::vector<BF16> sampled_weight_;  // [columns_.size(), k]
  std::vector<BF16> x_host_;          // [m, k]
  std::vector<std::unique_ptr<PackedWeight>> weights_;
  std::optional<Copies<BF16>> x_;       // [m, k]
  std::optional<Copies<std::byte>> y_;  // [m, n]
};

/// The accelerator's library, or oneDNN on the host.
Result<std::unique_ptr<PreparedOp>> PreparePeer(const OpContext& context,
                                                const LinearShape& shape) {
  if (context.library_linear == nullptr) return PrepareOneDnnLinear(context, shape);
  NEMO_ASSIGN_OR_RETURN(auto op, LinearOp::Prepare(context, shape, context.library_linear));
  // What it cannot do is seen before anything is timed.
  NEMO_RETURN_IF_ERROR(op->Run(0));
  return op;
}

}  // namespace

std::vector<OpCase> LinearCases(const OpSizes& sizes) {
  const RankShape& s = sizes.shape;
  const int64_t heads = s.num_q_heads * s.head_dim;
  const struct {
    const char* name;
    int64_t n, k;
    int leaves;
    Epilogue epilogue;
    const char* dtype;
    int64_t max_rows;
  } products[] = {
      {"qkv", s.qkv_columns(), s.hidden_size, 1, Epilogue::kBf16, "bf16", INT64_MAX},
      {"proj", s.hidden_size, heads, s.proj_leaves, Epilogue::kFloat, "bf16, fp32 out", INT64_MAX},
      {"fc1", s.ffn_size, s.hidden_size, 1, Epilogue::kRelu2Bf16, "bf16, relu^2", INT64_MAX},
      {"fc2", s.hidden_size, s.ffn_size, s.fc2_leaves, Epilogue::kFloat, "bf16, fp32 out",
       INT64_MAX},
      {"head", s.vocab.num_columns(), s.hidden_size, 1, Epilogue::kFloat, "bf16, fp32 out",
       kMaxHeadRows}};
  std::vector<OpCase> cases;
  for (const auto& product : products) {
    int64_t last = 0;
    for (const int64_t tokens : sizes.tokens) {
      const int64_t m = std::min(tokens, product.max_rows);
      if (m == last || product.n == 0) continue;
      last = m;
      const LinearShape shape = {m, product.n, product.k, product.leaves, product.epilogue};
      OpCase op;
      op.name = Format("{}/m{}", product.name, m);
      op.shape = Format("[{}, {}] x [{}, {}]", m, product.k, product.n, product.k);
      op.dtype = product.dtype;
      op.work = LinearOp::WorkOf(shape);
      op.prepare = [shape](const OpContext& context) {
        return LinearOp::Prepare(context, shape, context.backend.ops().linear);
      };
      op.peer_name = OneDnnName();
      op.prepare_peer = [shape](const OpContext& context) { return PreparePeer(context, shape); };
      cases.push_back(std::move(op));
    }
  }
  return cases;
}

}  // namespace nemo
