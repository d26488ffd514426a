// Where two models part: the first place whose stream differs is the one behind the changed weight,
// on every layout.
#include "libcore/runtime/trace.h"

#include <cstring>
#include <limits>
#include <mutex>
#include <string>

#include <gtest/gtest.h>

#include "kernels/comm/thread_comm.h"
#include "libcore/base/format.h"
#include "tests/libcore/runtime/model/golden_model.h"
#include "tests/testing.h"

namespace nemo {
namespace {

using testing::RunOptions;
using testing::TestModel;

const std::vector<std::vector<int32_t>> kSequences = {{5, 17, 300, 2, 9, 9, 41}, {8}, {1, 2, 3}};
constexpr int64_t kNumTokens = 11;

/// `model` with `value` in the first row of a tensor, or in all of it.
TestModel With(const TestModel& model, const std::string& tensor, float value, bool whole = false) {
  auto changed = std::make_shared<testing::MemorySource>();
  for (const TensorSpec& spec : model.canonical->specs()) {
    std::vector<std::byte> data = testing::ReadTensorOrDie(*model.canonical, spec.name);
    if (spec.name == tensor) {
      EXPECT_EQ(spec.dtype, DType::kBF16);
      const size_t row = spec.shape.size() > 1 ? data.size() / spec.shape[0] : data.size();
      const BF16 bits = BF16FromFloat(value);
      for (size_t at = 0; at < (whole ? data.size() : row); at += sizeof(bits)) {
        std::memcpy(data.data() + at, &bits, sizeof(bits));
      }
    }
    changed->Add(spec, std::move(data));
  }
  TestModel result = model;
  result.canonical = changed;
  return result;
}

/// The traces of all ranks as one.
Result<Trace> TraceOf(const TestModel& model, const RunOptions& options) {
  std::vector<Trace> of_rank(options.layout.world_size());
  NEMO_RETURN_IF_ERROR(testing::RunEngines(model, options, [&](Engine& engine) -> Status {
    NEMO_ASSIGN_OR_RETURN(of_rank[engine.world().rank()],
                          TraceModel(engine, kSequences, NullProgress()));
    return OkStatus();
  }));
  Trace all;
  for (Trace& part : of_rank) {
    std::move(part.streams.begin(), part.streams.end(), std::back_inserter(all.streams));
    if (!part.logits.empty()) all.logits = std::move(part.logits);
  }
  return all;
}

class TraceTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto model = testing::LoadGoldenModel("micro");
    ASSERT_TRUE(model) << model.error().message();
    model_ = *std::move(model);
    options_.engine.max_step_tokens = 5;
    options_.engine.max_sequences = 1;
  }

  TraceDeviation Compare(const TestModel& a, const TestModel& b, const RunOptions& options) {
    const auto trace_a = TraceOf(a, options_), trace_b = TraceOf(b, options);
    EXPECT_TRUE(trace_a) << trace_a.error().message();
    EXPECT_TRUE(trace_b) << trace_b.error().message();
    auto found =
        CompareTraces(*trace_a, *trace_b, model_.config, options_.engine.profile, *MakeSelf());
    EXPECT_TRUE(found) << found.error().message();
    return *std::move(found);
  }
  std::string LayerName(int64_t layer, std::string_view rest) const {
    return Format("decoder.layers.{}.{}", layer, rest);
  }

  TestModel model_;
  RunOptions options_;
};

TEST_F(TraceTest, SeesTheSameOnEveryLayout) {
  RunOptions cut = options_;
  cut.layout.tp_size = cut.layout.pp_size = 2;
  cut.engine.max_step_tokens = 64;
  const TraceDeviation found = Compare(model_, model_, cut);
  EXPECT_EQ(std::ssize(found.streams), 1 + 2 * model_.config.num_layers);
  EXPECT_EQ(found.first_difference(), nullptr);
  EXPECT_EQ(found.first_not_finite(), nullptr);
  EXPECT_TRUE(found.logits.values.equal());
  EXPECT_EQ(found.logits.num_rows, kNumTokens);
  EXPECT_EQ(found.logits.num_same_choice, kNumTokens);
  EXPECT_EQ(found.logits.kl_sum, 0);
  EXPECT_EQ(found.logits.values.num_values, kNumTokens * model_.config.vocab_size);
  EXPECT_EQ(found.streams[0].deviation.num_values, kNumTokens * model_.config.hidden_size);
  EXPECT_LT(found.logits.min_a, found.logits.max_a);
}

TEST_F(TraceTest, NamesTheBlockBehindTheChangedWeight) {
  using After = StreamPoint::After;
  const int64_t last = model_.config.num_layers - 1;
  const struct {
    std::string tensor;
    StreamPoint point;
  } kCases[] = {
      {"embedding.word_embeddings.weight", {}},
      {LayerName(0, "self_attention.linear_qkv.layer_norm_bias"), {After::kAttention, 0}},
      {LayerName(last, "self_attention.linear_proj.weight"), {After::kAttention, last}},
      {LayerName(0, "mlp.linear_fc1.weight"), {After::kMlp, 0}},
      {LayerName(last, "mlp.linear_fc2.weight"), {After::kMlp, last}},
  };
  for (const auto& row : kCases) {
    SCOPED_TRACE(row.tensor);
    RunOptions cut = options_;
    cut.layout.pp_size = 2;
    const bool whole = row.point == StreamPoint{};
    const TraceDeviation found = Compare(model_, With(model_, row.tensor, 1, whole), cut);
    ASSERT_NE(found.first_difference(), nullptr);
    EXPECT_EQ(found.first_difference()->point, row.point)
        << ToString(found.first_difference()->point);
    EXPECT_GT(found.first_difference()->deviation.max_abs, 0);
    EXPECT_GE(found.first_difference()->deviation.max_abs,
              found.first_difference()->deviation.rms());
    EXPECT_FALSE(found.logits.values.equal());
    EXPECT_GT(found.logits.max_kl, 0);
    EXPECT_GE(found.logits.kl_sum, found.logits.max_kl);
  }
}

TEST_F(TraceTest, TellsAnOutputLayerThatDiffersByItsLogitsAlone) {
  const TraceDeviation found =
      Compare(model_, With(model_, "decoder.final_layernorm.weight", 1), options_);
  EXPECT_EQ(found.first_difference(), nullptr);
  EXPECT_FALSE(found.logits.values.equal());
}

TEST_F(TraceTest, FindsWhereNumbersEnd) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const TestModel broken = With(model_, LayerName(1, "mlp.linear_fc2.weight"), nan);
  const TraceDeviation alone = Compare(broken, broken, options_);
  ASSERT_NE(alone.first_not_finite(), nullptr);
  EXPECT_EQ(ToString(alone.first_not_finite()->point), "layer 1, mlp");
  EXPECT_GT(alone.logits.values.num_not_finite, 0);
  EXPECT_EQ(alone.first_difference(), nullptr) << "NaN on both sides is no difference";
  const TraceDeviation both = Compare(model_, broken, options_);
  EXPECT_EQ(ToString(both.first_difference()->point), "layer 1, mlp");
  EXPECT_EQ(both.first_difference()->deviation.max_abs, std::numeric_limits<double>::infinity());
}

TEST_F(TraceTest, CountsRowsThatSayNothing) {
  const std::string head = model_.config.share_embeddings_and_output_weights
                               ? "decoder.final_layernorm.weight"
                               : "output_layer.weight";
  const TestModel mute = With(model_, head, 0, /*whole=*/true);
  EXPECT_EQ(Compare(mute, mute, options_).logits.num_constant_a, kNumTokens);
  EXPECT_EQ(Compare(model_, model_, options_).logits.num_constant_a, 0);
}

}  // namespace
}  // namespace nemo
