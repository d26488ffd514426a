// Attention over KV pages: decode at several batches and lengths, prefill of a whole prompt.
#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "libcore/base/format.h"
#include "tools/nemo-bench/ops/op.h"
#include "tools/nemo-bench/ops/paged.h"

namespace nemo {
namespace {

/// Tokens whose outputs the reference computes too: the last ones, which see the most.
constexpr int64_t kSampledTokens = 2;

class AttentionOp final : public PreparedOp {
 public:
  static Result<std::unique_ptr<PreparedOp>> Prepare(const OpContext& context,
                                                     const PagedShape& shape, double bytes) {
    auto op = std::unique_ptr<AttentionOp>(
        new AttentionOp(context.backend, MakePagedInput(shape, context.threads)));
    const int64_t copies = CopiesFor(context, bytes);
    NEMO_ASSIGN_OR_RETURN(auto arrays, PagedArrays::Upload(context.backend, copies, op->input_));
    NEMO_ASSIGN_OR_RETURN(
        auto out, Copies<BF16>::Make(context.backend, copies,
                                     shape.num_tokens() * shape.num_q_heads * shape.head_dim));
    op->arrays_.emplace(std::move(arrays));
    op->out_.emplace(std::move(out));
    return std::unique_ptr<PreparedOp>(std::move(op));
  }

  Status Run(int64_t call) override {
    AttentionArgs args = Args();
    args.qkv = arrays_->qkv.at(call);
    args.positions = arrays_->positions.at(0);
    args.sequence_of = arrays_->sequence_of.at(0);
    args.page_table = arrays_->page_table.at(0);
    args.pages = arrays_->pages.at(call);
    args.out = out_->at(call);
    return backend_.ops().attention(backend_, args);
  }

  Result<double> Error(Backend& reference) override {
    NEMO_RETURN_IF_ERROR(Run(0));
    NEMO_RETURN_IF_ERROR(backend_.Synchronize());
    const PagedShape& s = input_.shape;
    const int64_t count = std::min(s.num_tokens(), kSampledTokens);
    const int64_t first = s.num_tokens() - count, width = s.num_q_heads * s.head_dim;
    NEMO_ASSIGN_OR_RETURN(const std::vector<BF16> got,
                          out_->Read(backend_, 0, first * width, count * width));
    std::vector<BF16> expected(static_cast<size_t>(count * width));
    AttentionArgs args = Args();
    args.num_tokens = count;
    args.qkv = input_.qkv.data() + first * s.qkv_columns();
    args.positions = input_.positions.data() + first;
    args.sequence_of = input_.sequence_of.data() + first;
    args.page_table = input_.page_table.data();
    args.pages = input_.pages.data();
    args.out = expected.data();
    NEMO_RETURN_IF_ERROR(reference.ops().attention(reference, args));
    ErrorMeter meter;
    meter.Compare(std::span<const BF16>(got), std::span<const BF16>(expected));
    return meter.error();
  }

 private:
  AttentionOp(Backend& backend, PagedInput input) : backend_(backend), input_(std::move(input)) {}

  /// Sizes only.
  AttentionArgs Args() const {
    const PagedShape& s = input_.shape;
    AttentionArgs args = {};
    args.num_tokens = s.num_tokens();
    args.num_q_heads = s.num_q_heads;
    args.num_kv_heads = s.num_kv_heads;
    args.head_dim = s.head_dim;
    args.scale = static_cast<float>(1 / std::sqrt(static_cast<double>(s.head_dim)));
    args.page_table_stride = s.pages_of_sequence();
    return args;
  }

  Backend& backend_;
  const PagedInput input_;
  std::optional<PagedArrays> arrays_;
  std::optional<Copies<BF16>> out_;  // [num_tokens, num_q_heads * head_dim]
};

OpCase MakeCase(std::string name, const PagedShape& s) {
  const auto tokens = static_cast<double>(s.num_tokens());
  const auto q_width = static_cast<double>(s.num_q_heads * s.head_dim);
  const auto kv_width = static_cast<double>(2 * s.num_kv_heads * s.head_dim);
  // Token i of the step sees length - num_new + i + 1 positions.
  const double seen = tokens * static_cast<double>(2 * s.length - s.num_new + 1) / 2;
  OpCase op;
  op.name = std::move(name);
  op.shape = Format("{} of {} tokens x {}, {} / {} heads, {}", s.num_new, s.length, s.num_sequences,
                    s.num_q_heads, s.num_kv_heads, s.head_dim);
  // Read: queries, keys and values once; written: the outputs. A product and a sum for q k, the
  // same for p v.
  op.work = {2 * (tokens * q_width + static_cast<double>(s.num_sequences * s.length) * kv_width),
             2 * tokens * q_width, 4 * seen * q_width};
  op.prepare = [s, bytes = op.work.bytes()](const OpContext& context) {
    return AttentionOp::Prepare(context, s, bytes);
  };
  return op;
}

}  // namespace

std::vector<OpCase> AttentionCases(const OpSizes& sizes) {
  std::vector<OpCase> cases;
  const int64_t most = sizes.config.max_position_embeddings;
  for (const int64_t batch : sizes.batches) {
    for (const int64_t length : sizes.lengths) {
      if (length > most) continue;
      cases.push_back(MakeCase(Format("decode/b{}/len{}", batch, length),
                               MakePagedShape(sizes, batch, 1, length)));
    }
  }
  const int64_t prompt =
      std::min(most, *std::max_element(sizes.tokens.begin(), sizes.tokens.end()));
  cases.push_back(
      MakeCase(Format("prefill/len{}", prompt), MakePagedShape(sizes, 1, prompt, prompt)));
  return cases;
}

}  // namespace nemo
