// x += update, then LayerNorm of it.
#include <optional>
#include <utility>

#include "libcore/base/format.h"
#include "tools/nemo-bench/ops/arrays.h"
#include "tools/nemo-bench/ops/op.h"

namespace nemo {
namespace {

struct NormShape {
  int64_t num_tokens, hidden;
  float epsilon;
  bool zero_centered_gamma;
};

class ResidualNormOp final : public PreparedOp {
 public:
  static Result<std::unique_ptr<PreparedOp>> Prepare(const OpContext& context,
                                                     const NormShape& shape, double bytes) {
    auto op = std::unique_ptr<ResidualNormOp>(new ResidualNormOp(context.backend, shape));
    const int64_t copies = CopiesFor(context, bytes), size = shape.num_tokens * shape.hidden;
    op->x_host_ = RandomVector("x", size, context.threads, 1);
    for (const BF16 value : RandomVector("update", size, context.threads)) {
      op->update_host_.push_back(FloatFromBF16(value));
    }
    op->weight_host_ = RandomVector("gamma", shape.hidden, 1);
    op->bias_host_ = RandomVector("bias", shape.hidden, 1);
    NEMO_ASSIGN_OR_RETURN(auto x, Copies<BF16>::Of(context.backend, copies, op->x_host_));
    NEMO_ASSIGN_OR_RETURN(auto h, Copies<BF16>::Make(context.backend, copies, size));
    NEMO_ASSIGN_OR_RETURN(auto update,
                          Copies<float>::Of(context.backend, copies, op->update_host_));
    NEMO_ASSIGN_OR_RETURN(auto weight, Copies<BF16>::Of(context.backend, 1, op->weight_host_));
    NEMO_ASSIGN_OR_RETURN(auto bias, Copies<BF16>::Of(context.backend, 1, op->bias_host_));
    op->x_.emplace(std::move(x));
    op->h_.emplace(std::move(h));
    op->update_.emplace(std::move(update));
    op->weight_.emplace(std::move(weight));
    op->bias_.emplace(std::move(bias));
    return std::unique_ptr<PreparedOp>(std::move(op));
  }

  Status Run(int64_t call) override {
    return backend_.ops().residual_norm(backend_, Args(x_->at(call), update_->at(call),
                                                       weight_->at(0), bias_->at(0), h_->at(call)));
  }

  Result<double> Error(Backend& reference) override {
    NEMO_RETURN_IF_ERROR(x_->Fill(backend_, 0, x_host_));
    NEMO_RETURN_IF_ERROR(Run(0));
    NEMO_RETURN_IF_ERROR(backend_.Synchronize());
    NEMO_ASSIGN_OR_RETURN(const std::vector<BF16> x, x_->Read(backend_, 0, 0, x_->size()));
    NEMO_ASSIGN_OR_RETURN(const std::vector<BF16> h, h_->Read(backend_, 0, 0, h_->size()));
    std::vector<BF16> x_expected = x_host_, h_expected(x_host_.size());
    NEMO_RETURN_IF_ERROR(reference.ops().residual_norm(
        reference, Args(x_expected.data(), update_host_.data(), weight_host_.data(),
                        bias_host_.data(), h_expected.data())));
    ErrorMeter meter;
    meter.Compare(std::span<const BF16>(x), std::span<const BF16>(x_expected));
    meter.Compare(std::span<const BF16>(h), std::span<const BF16>(h_expected));
    return meter.error();
  }

 private:
  ResidualNormOp(Backend& backend, const NormShape& shape) : backend_(backend), shape_(shape) {}

  ResidualNormArgs Args(BF16* x, const float* update, const BF16* weight, const BF16* bias,
                        BF16* h) const {
    return {x,
            update,
            false,
            weight,
            bias,
            h,
            shape_.num_tokens,
            shape_.hidden,
            shape_.epsilon,
            shape_.zero_centered_gamma,
            DTypeProfile::kMegatron};
  }

  Backend& backend_;
  const NormShape shape_;
  std::vector<BF16> x_host_, weight_host_, bias_host_;
  std::vector<float> update_host_;
  std::optional<Copies<BF16>> x_, h_, weight_, bias_;  // [num_tokens, hidden]; [hidden]
  std::optional<Copies<float>> update_;                // [num_tokens, hidden]
};

}  // namespace

std::vector<OpCase> ResidualNormCases(const OpSizes& sizes) {
  std::vector<OpCase> cases;
  for (const int64_t tokens : sizes.tokens) {
    const NormShape shape = {tokens, sizes.shape.hidden_size,
                             static_cast<float>(sizes.config.layernorm_epsilon),
                             sizes.config.layernorm_zero_centered_gamma};
    const auto elements = static_cast<double>(tokens * shape.hidden);
    OpCase op;
    op.name = Format("m{}", tokens);
    op.shape = Format("[{}, {}]", tokens, shape.hidden);
    op.dtype = "bf16, fp32 update";
    // Read: x, update; written: x, h. The sum, the mean, squared differences, scale and shift.
    op.work = {(2 + 4) * elements, (2 + 2) * elements, 9 * elements};
    op.prepare = [shape, work = op.work](const OpContext& context) {
      return ResidualNormOp::Prepare(context, shape, work.bytes());
    };
    cases.push_back(std::move(op));
  }
  return cases;
}

}  // namespace nemo
