// Rank files against what they must hold, computed here from transformers' own tensors, whose
// queries, keys and values are apart already.
#include "formats/trtllm/trtllm.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "formats/hf/hf.h"
#include "formats/safetensors/safetensors.h"
#include "libcore/base/format.h"
#include "libcore/base/json.h"
#include "libcore/convert/convert.h"
#include "tests/testing.h"

namespace nemo::testing {
namespace {

std::string GoldenHf(std::string_view model) { return GoldenPath(Format("models/{}/hf", model)); }

/// A matrix of BF16 bits; vectors have one column.
struct Matrix {
  Shape shape;
  std::vector<uint16_t> bits;

  int64_t columns() const { return shape.size() == 2 ? shape[1] : 1; }
  Matrix Rows(int64_t first, int64_t count) const {
    const auto begin = bits.begin() + first * columns();
    return {{count, columns()}, {begin, begin + count * columns()}};
  }
  Matrix Columns(int64_t first, int64_t count) const {
    Matrix part = {{shape[0], count}, {}};
    for (int64_t row = 0; row < shape[0]; ++row) {
      const auto begin = bits.begin() + row * shape[1] + first;
      part.bits.insert(part.bits.end(), begin, begin + count);
    }
    return part;
  }
  void Append(const Matrix& below) {
    shape[0] += below.shape[0];
    bits.insert(bits.end(), below.bits.begin(), below.bits.end());
  }
  void PadRows(int64_t rows) {
    shape[0] = rows;
    bits.resize(static_cast<size_t>(rows * columns()));
  }
  bool operator==(const Matrix&) const = default;
};

using Tensors = std::map<std::string, Matrix>;

Tensors ReadTensors(const std::string& path) {
  const auto source = safetensors::OpenFile(OpenFile(path).value()).value();
  Tensors tensors;
  for (const TensorSpec& spec : source->specs()) {
    EXPECT_EQ(spec.dtype, DType::kBF16) << spec.name;
    const auto bytes = ReadTensorOrDie(*source, spec.name);
    Matrix& matrix = tensors[spec.name];
    matrix.shape = spec.shape;
    matrix.bits.resize(bytes.size() / 2);
    std::memcpy(matrix.bits.data(), bytes.data(), bytes.size());
  }
  return tensors;
}

/// The bfloat16 nearest to 1 + x; of two, the one that is even.
uint16_t OnePlus(uint16_t bits) {
  const uint32_t wide = static_cast<uint32_t>(bits) << 16;
  float value = 0;
  std::memcpy(&value, &wide, 4);
  value += 1.0f;
  if (value == 0.0f) return 0;
  int exponent = 0;
  const double fraction = std::frexp(static_cast<double>(value), &exponent);
  const auto rounded = static_cast<float>(std::ldexp(std::nearbyint(fraction * 256), exponent - 8));
  uint32_t result = 0;
  std::memcpy(&result, &rounded, 4);
  return static_cast<uint16_t>(result >> 16);
}

/// The tensors that rank (pp_rank, tp_rank) must have.
class Expected {
 public:
  Expected(const Tensors& hf, const ModelConfig& config, int64_t tp_size, int64_t pp_size)
      : hf_(hf), c_(config), tp_size_(tp_size), pp_size_(pp_size) {}

  int64_t vocab_rows() const { return (c_.vocab_size + tp_size_ - 1) / tp_size_ * tp_size_; }

  Tensors Rank(int64_t pp_rank, int64_t tp_rank) const {
    Tensors rank;
    if (pp_rank == 0)
      rank["transformer.vocab_embedding.weight"] = Vocab("model.embed_tokens.weight");
    const int64_t layers = c_.num_layers / pp_size_;
    for (int64_t j = 0; j < layers; ++j) AddLayer(pp_rank * layers + j, j, tp_rank, rank);
    if (pp_rank != pp_size_ - 1) return rank;
    AddNorm("model.norm", "transformer.ln_f", rank);
    const bool tied = c_.share_embeddings_and_output_weights;
    rank["lm_head.weight"] =
        RowPart(Vocab(tied ? "model.embed_tokens.weight" : "lm_head.weight"), tp_rank);
    return rank;
  }

 private:
  Matrix Vocab(const char* name) const {
    Matrix matrix = hf_.at(name).Rows(0, c_.vocab_size);
    matrix.PadRows(vocab_rows());
    return matrix;
  }
  Matrix RowPart(const Matrix& whole, int64_t tp_rank) const {
    const int64_t rows = whole.shape[0] / tp_size_;
    return whole.Rows(tp_rank * rows, rows);
  }
  Matrix ColumnPart(const Matrix& whole, int64_t tp_rank) const {
    const int64_t columns = whole.shape[1] / tp_size_;
    return whole.Columns(tp_rank * columns, columns);
  }
  /// Whole heads; fewer heads than ranks are shared by neighbours.
  Matrix KeyValuePart(const Matrix& whole, int64_t tp_rank) const {
    if (c_.num_query_groups >= tp_size_) return RowPart(whole, tp_rank);
    return whole.Rows(tp_rank * c_.num_query_groups / tp_size_ * c_.kv_channels, c_.kv_channels);
  }
  void AddNorm(const std::string& from, const std::string& to, Tensors& rank) const {
    Matrix weight = hf_.at(from + ".weight");
    for (uint16_t& bits : weight.bits) bits = OnePlus(bits);
    rank[to + ".weight"] = weight;
    rank[to + ".bias"] = hf_.at(from + ".bias");
  }
  void AddLayer(int64_t layer, int64_t local_index, int64_t tp_rank, Tensors& rank) const {
    const std::string from = Format("model.layers.{}.", layer);
    const std::string to = Format("transformer.layers.{}.", local_index);
    AddNorm(from + "input_layernorm", to + "input_layernorm", rank);
    AddNorm(from + "post_attention_layernorm", to + "post_layernorm", rank);
    Matrix qkv = RowPart(hf_.at(from + "self_attn.q_proj.weight"), tp_rank);
    qkv.Append(KeyValuePart(hf_.at(from + "self_attn.k_proj.weight"), tp_rank));
    qkv.Append(KeyValuePart(hf_.at(from + "self_attn.v_proj.weight"), tp_rank));
    rank[to + "attention.qkv.weight"] = qkv;
    rank[to + "attention.dense.weight"] =
        ColumnPart(hf_.at(from + "self_attn.o_proj.weight"), tp_rank);
    rank[to + "mlp.fc.weight"] = RowPart(hf_.at(from + "mlp.up_proj.weight"), tp_rank);
    rank[to + "mlp.proj.weight"] = ColumnPart(hf_.at(from + "mlp.down_proj.weight"), tp_rank);
  }

  const Tensors& hf_;
  const ModelConfig& c_;
  int64_t tp_size_, pp_size_;
};

Status WriteTrtLlm(const std::string& path, const Checkpoint& checkpoint,
                   const ParallelLayout& layout, const Attachments& attachments = {}) {
  PlanOptions options;
  options.layout = layout;
  NEMO_ASSIGN_OR_RETURN(const Plan plan,
                        PlanTrtLlm(checkpoint.config, checkpoint.source->specs(), options));
  NEMO_ASSIGN_OR_RETURN(const auto target, CreateTrtLlmTarget(path, {.attachments = attachments}));
  ConvertOptions convert;
  convert.jobs = 2;
  convert.block_bytes = 1000;
  return Convert(*checkpoint.source, plan, *target, convert, NullProgress()).error();
}

TEST(TrtLlm, RanksHoldWhatTheModelHas) {
  const struct {
    const char* model;
    int64_t tp_size, pp_size;
    int64_t vocab_size = 0;  // of the tokenizer; 0: all rows
  } kCases[] = {
      {"micro", 1, 1},
      {"micro", 2, 2},
      {"micro", 4, 1},  // 2 groups: 4 ranks share their
                        // heads
      {"tiny", 1, 2},
      {"tiny", 2, 1},
      {"tiny", 4, 2},
      {"tiny", 8, 1},
      {"tiny", 8, 2},
      {"odd", 1, 1},
      {"odd", 2, 2},
      {"odd", 2, 3},
      {"tied", 1, 1},
      {"tied", 1, 2},
      {"micro", 4, 2, 1097},
      {"tied", 1, 2, 1001},
      {"tiny", 8, 1, 2039},
  };
  for (const auto& c : kCases) {
    SCOPED_TRACE(Format("{} TP{} PP{}", c.model, c.tp_size, c.pp_size));
    TempDir dir;
    auto golden = OpenHf(GoldenHf(c.model));
    ASSERT_TRUE(golden) << golden.error().message();
    if (c.vocab_size > 0) golden->config.vocab_size = c.vocab_size;
    const Status status = WriteTrtLlm(dir / "out", *golden, {c.tp_size, c.pp_size});
    ASSERT_TRUE(status.ok()) << status.message();
    const Tensors hf = ReadTensors(GoldenHf(c.model) + "/model.safetensors");
    ModelConfig config = golden->config;
    if (c.vocab_size == 0) config.vocab_size = hf.at("model.embed_tokens.weight").shape[0];
    const Expected expected(hf, config, c.tp_size, c.pp_size);
    for (int64_t rank = 0; rank < c.tp_size * c.pp_size; ++rank) {
      const Tensors found = ReadTensors(dir / Format("out/rank{}.safetensors", rank));
      const Tensors wanted = expected.Rank(rank / c.tp_size, rank % c.tp_size);
      EXPECT_EQ(found.size(), wanted.size()) << rank;
      for (const auto& [name, matrix] : wanted) {
        ASSERT_TRUE(found.contains(name)) << rank << " " << name;
        EXPECT_EQ(found.at(name).shape, matrix.shape) << rank << " " << name;
        EXPECT_TRUE(found.at(name).bits == matrix.bits) << rank << " " << name;
      }
    }
    const auto files = OpenDirectory(dir / "out").value()->files();
    EXPECT_EQ(files.size(), static_cast<size_t>(c.tp_size * c.pp_size + 1));
    const Value json = ParseJson(ReadFileOrDie(dir / "out/config.json")).value();
    EXPECT_EQ(json.GetInt("vocab_size").value(), expected.vocab_rows());
    EXPECT_EQ(json.GetBool("share_embedding_table").value(), std::string_view(c.model) == "tied");
  }
}

TEST(TrtLlm, ConfigurationSaysWhatTheClassAsksFor) {
  TempDir dir;
  const auto golden = OpenHf(GoldenHf("odd"));
  ASSERT_TRUE(WriteTrtLlm(dir / "out", *golden, {2, 3}).ok());
  const Value expected = ParseJson(R"({
    "architecture": "GPTForCausalLM", "dtype": "bfloat16", "logits_dtype": "float32",
    "num_hidden_layers": 6, "num_attention_heads": 6, "num_key_value_heads": 2, "head_size": 24,
    "hidden_size": 96, "intermediate_size": 320, "norm_epsilon": 1e-05, "vocab_size": 1100,
    "position_embedding_type": "rope_gpt_neox", "max_position_embeddings": 512,
    "hidden_act": "squared-relu", "rotary_pct": 0.5, "rotary_base": 50000.0, "bias": false,
    "apply_query_key_layer_scaling": false, "share_embedding_table": false,
    "use_parallel_embedding": false, "embedding_sharding_dim": 0,
    "mapping": {"world_size": 6, "tp_size": 2, "pp_size": 3},
    "quantization": {"quant_algo": null, "kv_cache_quant_algo": null}})")
                             .value();
  EXPECT_EQ(ToJson(ParseJson(ReadFileOrDie(dir / "out/config.json")).value(), 2),
            ToJson(expected, 2));
}

TEST(TrtLlm, PlainNormsAreCopied) {
  TempDir dir;
  auto golden = OpenHf(GoldenHf("micro"));
  golden->config.layernorm_zero_centered_gamma = false;
  ASSERT_TRUE(WriteTrtLlm(dir / "out", *golden, {}).ok());
  EXPECT_EQ(ReadTensors(dir / "out/rank0.safetensors").at("transformer.ln_f.weight"),
            ReadTensors(GoldenHf("micro") + "/model.safetensors").at("model.norm.weight"));
}

TEST(TrtLlm, RefusesLayoutsThatItsLoaderDoesNotHave) {
  const auto golden = OpenHf(GoldenHf("tiny"));
  const struct {
    ParallelLayout layout;
    const char* message;
  } kCases[] = {
      {{.pp_size = 2, .vpp_size = 2}, "--vpp"},
      {{.pp_size = 2, .layers_per_stage = {1, 3}}, "--pipeline-layout"},
      {{.tp_size = 3}, "tensor-parallel size 3"},
      {{.tp_size = 16}, "tensor-parallel size 16"},
      {{.pp_size = 3}, "pipeline-parallel size 3"},
  };
  for (const auto& c : kCases) {
    TempDir dir;
    const Status status = WriteTrtLlm(dir / "out", *golden, c.layout);
    EXPECT_EQ(status.code(), StatusCode::kInvalidArgument) << c.message;
    EXPECT_NE(status.message().find(c.message), std::string::npos) << status.message();
    EXPECT_EQ(KindOf(dir / "out"), PathKind::kAbsent);
  }
}

TEST(TrtLlm, IsRecognisedAndNotRead) {
  TempDir dir;
  const auto golden = OpenHf(GoldenHf("micro"));
  Attachments attachments;
  attachments.tokenizer_model = "pieces";
  ASSERT_TRUE(WriteTrtLlm(dir / "out", *golden, {2, 1}, attachments).ok());
  EXPECT_EQ(ReadFileOrDie(dir / "out/tokenizer.model"), "pieces");
  EXPECT_TRUE(SniffTrtLlm(dir / "out"));
  EXPECT_FALSE(SniffTrtLlm(GoldenHf("micro")));
  EXPECT_FALSE(SniffTrtLlm(dir / "out/config.json"));
  const auto opened = OpenTrtLlm(dir / "out");
  EXPECT_EQ(opened.error().code(), StatusCode::kUnsupported);
  EXPECT_NE(opened.error().message().find("does not read"), std::string::npos);
}

TEST(TrtLlm, ReplacesOnlyADirectoryOfItsKind) {
  TempDir dir;
  ASSERT_TRUE(WriteTrtLlm(dir / "out", OpenHf(GoldenHf("micro")).value(), {}).ok());
  TargetOptions force;
  force.force = true;
  EXPECT_EQ(CreateTrtLlmTarget(dir / "out", {}).error().code(), StatusCode::kInvalidArgument);
  EXPECT_TRUE(CreateTrtLlmTarget(dir / "out", force));
  WriteFileOrDie(dir / "out/rank.safetensors", "mine");
  EXPECT_EQ(CreateTrtLlmTarget(dir / "out", force).error().code(), StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace nemo::testing
