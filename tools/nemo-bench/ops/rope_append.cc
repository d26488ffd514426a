// Rotary positions of queries and keys, keys and values into their pages.
#include <optional>
#include <utility>

#include "libcore/base/format.h"
#include "libcore/runtime/rope.h"
#include "tools/nemo-bench/ops/op.h"
#include "tools/nemo-bench/ops/paged.h"

namespace nemo {
namespace {

class RopeAppendOp final : public PreparedOp {
 public:
  static Result<std::unique_ptr<PreparedOp>> Prepare(const OpContext& context,
                                                     const PagedShape& shape, double bytes) {
    auto op = std::unique_ptr<RopeAppendOp>(
        new RopeAppendOp(context.backend, MakePagedInput(shape, context.threads)));
    op->rope_ = MakeRopeTables(shape.length, shape.rotary_dim, shape.rotary_base);
    NEMO_ASSIGN_OR_RETURN(
        auto arrays, PagedArrays::Upload(context.backend, CopiesFor(context, bytes), op->input_));
    NEMO_ASSIGN_OR_RETURN(auto cos, Copies<BF16>::Of(context.backend, 1, op->rope_.cos));
    NEMO_ASSIGN_OR_RETURN(auto sin, Copies<BF16>::Of(context.backend, 1, op->rope_.sin));
    op->arrays_.emplace(std::move(arrays));
    op->cos_.emplace(std::move(cos));
    op->sin_.emplace(std::move(sin));
    return std::unique_ptr<PreparedOp>(std::move(op));
  }

  Status Run(int64_t call) override {
    RopeAppendArgs args = Args();
    args.qkv = arrays_->qkv.at(call);
    args.pages = arrays_->pages.at(call);
    args.cos = cos_->at(0);
    args.sin = sin_->at(0);
    args.positions = arrays_->positions.at(0);
    args.sequence_of = arrays_->sequence_of.at(0);
    args.page_table = arrays_->page_table.at(0);
    return backend_.ops().rope_append(backend_, args);
  }

  Result<double> Error(Backend& reference) override {
    NEMO_RETURN_IF_ERROR(arrays_->qkv.Fill(backend_, 0, input_.qkv));
    NEMO_RETURN_IF_ERROR(arrays_->pages.Fill(backend_, 0, input_.pages));
    NEMO_RETURN_IF_ERROR(Run(0));
    NEMO_RETURN_IF_ERROR(backend_.Synchronize());
    NEMO_ASSIGN_OR_RETURN(const std::vector<BF16> qkv,
                          arrays_->qkv.Read(backend_, 0, 0, arrays_->qkv.size()));
    NEMO_ASSIGN_OR_RETURN(const std::vector<BF16> pages,
                          arrays_->pages.Read(backend_, 0, 0, arrays_->pages.size()));
    std::vector<BF16> qkv_expected = input_.qkv, pages_expected = input_.pages;
    RopeAppendArgs args = Args();
    args.qkv = qkv_expected.data();
    args.pages = pages_expected.data();
    args.cos = rope_.cos.data();
    args.sin = rope_.sin.data();
    args.positions = input_.positions.data();
    args.sequence_of = input_.sequence_of.data();
    args.page_table = input_.page_table.data();
    NEMO_RETURN_IF_ERROR(reference.ops().rope_append(reference, args));
    ErrorMeter meter;
    meter.Compare(std::span<const BF16>(qkv), std::span<const BF16>(qkv_expected));
    meter.Compare(std::span<const BF16>(pages), std::span<const BF16>(pages_expected));
    return meter.error();
  }

 private:
  RopeAppendOp(Backend& backend, PagedInput input) : backend_(backend), input_(std::move(input)) {}

  /// Sizes only.
  RopeAppendArgs Args() const {
    const PagedShape& s = input_.shape;
    RopeAppendArgs args = {};
    args.num_tokens = s.num_tokens();
    args.num_q_heads = s.num_q_heads;
    args.num_kv_heads = s.num_kv_heads;
    args.head_dim = s.head_dim;
    args.rotary_dim = s.rotary_dim;
    args.page_table_stride = s.pages_of_sequence();
    return args;
  }

  Backend& backend_;
  const PagedInput input_;
  RopeTables rope_;
  std::optional<PagedArrays> arrays_;
  std::optional<Copies<BF16>> cos_, sin_;
};

}  // namespace

std::vector<OpCase> RopeAppendCases(const OpSizes& sizes) {
  std::vector<OpCase> cases;
  for (const int64_t tokens : sizes.tokens) {
    const PagedShape shape = MakePagedShape(sizes, 1, tokens, tokens);
    const auto rows = static_cast<double>(tokens);
    const double kv = rows * static_cast<double>(shape.num_kv_heads * shape.head_dim);
    const double rotated =
        rows * static_cast<double>((shape.num_q_heads + shape.num_kv_heads) * shape.rotary_dim);
    const double q_rotated = rows * static_cast<double>(shape.num_q_heads * shape.rotary_dim);
    OpCase op;
    op.name = Format("m{}", tokens);
    op.shape = Format("[{}, {} + 2 x {} heads, {}]", tokens, shape.num_q_heads, shape.num_kv_heads,
                      shape.head_dim);
    // Read: the rotated part of the queries, keys, values; written: that part, the pages. Two
    // products and a sum for each rotated element.
    op.work = {2 * (q_rotated + 2 * kv), 2 * (q_rotated + 2 * kv), 3 * rotated};
    op.prepare = [shape, work = op.work](const OpContext& context) {
      return RopeAppendOp::Prepare(context, shape, work.bytes());
    };
    cases.push_back(std::move(op));
  }
  return cases;
}

}  // namespace nemo
