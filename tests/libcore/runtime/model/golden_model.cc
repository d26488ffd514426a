#include "tests/libcore/runtime/model/golden_model.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <utility>

#include "formats/format.h"
#include "formats/safetensors/safetensors.h"
#include "kernels/comm/mpi_comm.h"
#include "kernels/comm/run_ranks.h"
#include "kernels/registry.h"
#include "libcore/base/format.h"
#include "libcore/base/json.h"
#include "libcore/base/progress.h"
#include "libcore/model/architecture.h"
#include "libcore/runtime/philox.h"
#include "tests/libcore/runtime/model/far_backend.h"
#include "tests/testing.h"

namespace nemo::testing {
namespace {

Result<ModelConfig> ConfigFromHf(const Value& hf) {
  ModelConfig c;
  NEMO_ASSIGN_OR_RETURN(c.num_layers, hf.GetInt("num_hidden_layers"));
  NEMO_ASSIGN_OR_RETURN(c.hidden_size, hf.GetInt("hidden_size"));
  NEMO_ASSIGN_OR_RETURN(c.ffn_hidden_size, hf.GetInt("intermediate_size"));
  NEMO_ASSIGN_OR_RETURN(c.num_attention_heads, hf.GetInt("num_attention_heads"));
  NEMO_ASSIGN_OR_RETURN(c.num_query_groups, hf.GetInt("num_key_value_heads"));
  NEMO_ASSIGN_OR_RETURN(c.kv_channels, hf.GetInt("head_dim"));
  NEMO_ASSIGN_OR_RETURN(c.max_position_embeddings, hf.GetInt("max_position_embeddings"));
  NEMO_ASSIGN_OR_RETURN(c.vocab_size, hf.GetInt("vocab_size"));
  c.padded_vocab_size = c.vocab_size;
  NEMO_ASSIGN_OR_RETURN(c.layernorm_epsilon, hf.GetDouble("norm_eps"));
  NEMO_ASSIGN_OR_RETURN(c.share_embeddings_and_output_weights, hf.GetBool("tie_word_embeddings"));
  const Value* rope = hf.Find("rope_parameters");
  NEMO_ASSIGN_OR_RETURN(c.rotary_percent, rope->GetDouble("partial_rotary_factor"));
  NEMO_ASSIGN_OR_RETURN(c.rotary_base, rope->GetDouble("rope_theta"));
  return c;
}

/// q, k and v rows of one layer, query group by query group.
std::vector<std::byte> FuseQkv(const ModelConfig& c, const TensorSource& hf,
                               const std::string& layer) {
  const int64_t head_bytes = c.kv_channels * c.hidden_size * 2;
  const int64_t q_per_group = c.num_attention_heads / c.num_query_groups;
  const auto q = ReadTensorOrDie(hf, layer + "self_attn.q_proj.weight");
  const auto k = ReadTensorOrDie(hf, layer + "self_attn.k_proj.weight");
  const auto v = ReadTensorOrDie(hf, layer + "self_attn.v_proj.weight");
  std::vector<std::byte> fused;
  const auto append = [&](const std::vector<std::byte>& from, int64_t head, int64_t count) {
    fused.insert(fused.end(), from.begin() + head * head_bytes,
                 from.begin() + (head + count) * head_bytes);
  };
  for (int64_t group = 0; group < c.num_query_groups; ++group) {
    append(q, group * q_per_group, q_per_group);
    append(k, group, 1);
    append(v, group, 1);
  }
  return fused;
}

std::shared_ptr<MemorySource> CanonicalFromHf(const ModelConfig& c, const TensorSource& hf) {
  auto canonical = std::make_shared<MemorySource>();
  const auto copy = [&](const std::string& to, const std::string& from) {
    const TensorSpec* spec = FindSpec(hf.specs(), from);
    NEMO_CHECK(spec != nullptr);
    canonical->Add({to, spec->dtype, spec->shape}, ReadTensorOrDie(hf, from));
  };
  copy("embedding.word_embeddings.weight", "model.embed_tokens.weight");
  const int64_t qkv_rows = (c.num_attention_heads + 2 * c.num_query_groups) * c.kv_channels;
  for (int64_t i = 0; i < c.num_layers; ++i) {
    const std::string to = Format("decoder.layers.{}.", i), from = Format("model.layers.{}.", i);
    for (const char* part : {"weight", "bias"}) {
      copy(Format("{}self_attention.linear_qkv.layer_norm_{}", to, part),
           Format("{}input_layernorm.{}", from, part));
      copy(Format("{}mlp.linear_fc1.layer_norm_{}", to, part),
           Format("{}post_attention_layernorm.{}", from, part));
    }
    canonical->Add(
        {to + "self_attention.linear_qkv.weight", DType::kBF16, {qkv_rows, c.hidden_size}},
        FuseQkv(c, hf, from));
    copy(to + "self_attention.linear_proj.weight", from + "self_attn.o_proj.weight");
    copy(to + "mlp.linear_fc1.weight", from + "mlp.up_proj.weight");
    copy(to + "mlp.linear_fc2.weight", from + "mlp.down_proj.weight");
  }
  copy("decoder.final_layernorm.weight", "model.norm.weight");
  copy("decoder.final_layernorm.bias", "model.norm.bias");
  if (!c.share_embeddings_and_output_weights) copy("output_layer.weight", "lm_head.weight");
  return canonical;
}

Result<std::shared_ptr<PlacedSource>> OpenSafetensors(const std::string& path) {
  NEMO_ASSIGN_OR_RETURN(auto file, OpenFile(path));
  return safetensors::OpenFile(std::move(file));
}

}  // namespace

Result<TestModel> LoadGoldenModel(const std::string& name) {
  const std::string folder = GoldenPath("models/" + name);
  TestModel model;
  NEMO_ASSIGN_OR_RETURN(const Value hf_config,
                        ParseJson(ReadFileOrDie(folder + "/hf/config.json")));
  NEMO_ASSIGN_OR_RETURN(model.config, ConfigFromHf(hf_config));
  NEMO_ASSIGN_OR_RETURN(const auto hf, OpenSafetensors(folder + "/hf/model.safetensors"));
  model.canonical = CanonicalFromHf(model.config, *hf);
  NEMO_ASSIGN_OR_RETURN(model.logits, OpenSafetensors(folder + "/oracle.safetensors"));
  NEMO_ASSIGN_OR_RETURN(model.oracle, ParseJson(ReadFileOrDie(folder + "/oracle.json")));
  const std::string& tokenizer = model.oracle.Find("spec")->Find("tokenizer")->as_string();
  NEMO_ASSIGN_OR_RETURN(
      auto loaded,
      LoadSentencePiece(ReadFileOrDie(GoldenPath(Format("tokenizers/{}.model", tokenizer)))));
  model.tokenizer = std::move(loaded);
  return model;
}

Result<TestModel> LoadDemoModel() {
  TestModel model;
  NEMO_ASSIGN_OR_RETURN(Checkpoint checkpoint, OpenCheckpoint(DataPath("shakespeare.nemo")));
  NEMO_ASSIGN_OR_RETURN(auto tokenizer, LoadSentencePiece(checkpoint.tokenizer_model));
  model.tokenizer = std::move(tokenizer);
  model.config = checkpoint.config;
  model.config.vocab_size = model.tokenizer->vocab_size();
  model.canonical = checkpoint.source;
  NEMO_ASSIGN_OR_RETURN(model.oracle,
                        ParseJson(ReadFileOrDie(DataPath("shakespeare.oracle.json"))));
  return model;
}

TestModel MakeRandomModel(const ModelConfig& config, const TestModel& tokenizer_of) {
  auto tensors = LogicalTensors(config);
  NEMO_CHECK(tensors.has_value());
  auto canonical = std::make_shared<MemorySource>();
  uint32_t tensor_index = 0;
  for (const LogicalTensor& tensor : *tensors) {
    const int64_t count = NumElements(tensor.shape);
    std::vector<std::byte> data(static_cast<size_t>(count) * sizeof(BF16));
    for (int64_t i = 0; i < count; ++i) {
      const uint32_t bits = Philox4x32({static_cast<uint32_t>(i), tensor_index, 0, 0}, {7, 0})[0];
      const BF16 value = BF16FromFloat(0.4f * (static_cast<float>(bits) * 0x1p-32f - 0.5f));
      std::memcpy(data.data() + i * static_cast<int64_t>(sizeof(BF16)), &value, sizeof(BF16));
    }
    canonical->Add({tensor.name, DType::kBF16, tensor.shape}, std::move(data));
    ++tensor_index;
  }
  TestModel model = tokenizer_of;
  model.config = config;
  model.canonical = canonical;
  return model;
}

std::vector<int32_t> IdsOf(const Value& list) {
  std::vector<int32_t> ids;
  for (const Value& id : list.as_array()) ids.push_back(static_cast<int32_t>(id.as_int()));
  return ids;
}

std::vector<double> NumbersOf(const Value& list) {
  std::vector<double> numbers;
  for (const Value& number : list.as_array()) numbers.push_back(number.as_double());
  return numbers;
}

int32_t ArgMax(const std::vector<float>& values) {
  return static_cast<int32_t>(std::max_element(values.begin(), values.end()) - values.begin());
}

std::vector<float> FloatsOf(const TensorSource& source, const std::string& name) {
  const std::vector<std::byte> bytes = ReadTensorOrDie(source, name);
  std::vector<float> values(bytes.size() / sizeof(float));
  std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}

Status RunEngines(const TestModel& model, const RunOptions& options,
                  const std::function<Status(Engine&)>& body) {
  const auto ranks = static_cast<int>(options.layout.world_size());
  const auto run = [&](Communicator& world) -> Status {
    NEMO_ASSIGN_OR_RETURN(std::unique_ptr<Backend> backend,
                          CreateBackend(options.backend, {1, options.isa, 0}));
    if (options.far) backend = MakeFarBackend(std::move(backend));
    NEMO_ASSIGN_OR_RETURN(RankWeights weights,
                          LoadWeights(*model.canonical, model.config, options.layout, world.rank(),
                                      *backend, 1, NullProgress()));
    NEMO_ASSIGN_OR_RETURN(const std::unique_ptr<Engine> engine,
                          Engine::Create(model.config, options.layout, options.engine,
                                         std::move(weights), *backend, world));
    return body(*engine);
  };
  if (LaunchedByMpi()) {
    static const auto mpi_world = MakeMpiWorld({.deadline_ms = 60'000});
    if (!mpi_world) return mpi_world.error();
    if ((*mpi_world)->size() == ranks) return run(**mpi_world);
  }
  return RunRanks(ranks, run);
}

Result<std::vector<GenerateResult>> GenerateWith(const TestModel& model, const RunOptions& options,
                                                 const std::vector<GenerateRequest>& requests,
                                                 const GenerateOptions& generate) {
  std::vector<GenerateResult> results;
  NEMO_RETURN_IF_ERROR(RunEngines(model, options, [&](Engine& engine) -> Status {
    NEMO_ASSIGN_OR_RETURN(auto mine, Generate(engine, *model.tokenizer, requests, generate));
    if (engine.world().rank() == 0) results = std::move(mine);
    return OkStatus();
  }));
  return results;
}

}  // namespace nemo::testing
