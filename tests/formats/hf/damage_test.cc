// Directories that somebody or something has damaged: one change each, to two shards and an index.
#include <algorithm>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "formats/safetensors/safetensors.h"
#include "tests/formats/hf/hf_files.h"

namespace nemo::testing {
namespace {

constexpr const char* kFirst = "model-00001-of-00002.safetensors";
constexpr const char* kSecond = "model-00002-of-00002.safetensors";
constexpr const char* kIndex = "model.safetensors.index.json";
constexpr const char* kQuery = "model.layers.0.self_attn.q_proj.weight";

struct RawTensor {
  std::string dtype;
  Shape shape;
  std::string data;
};
using RawFile = std::map<std::string, RawTensor>;

std::string BytesOf(const RawFile& tensors) {
  Value header(Value::Object{{"__metadata__", Value(Value::Object{{"format", "pt"}})}});
  std::string data;
  for (const auto& [name, tensor] : tensors) {
    const auto begin = static_cast<int64_t>(data.size());
    data += tensor.data;
    Value entry;
    entry.Set("dtype", tensor.dtype);
    entry.Set("shape", Value::ArrayOf(tensor.shape));
    entry.Set("data_offsets", Value::Array{begin, static_cast<int64_t>(data.size())});
    header.Set(name, std::move(entry));
  }
  const std::string json = ToJson(header);
  std::string bytes;
  for (int i = 0; i < 8; ++i) bytes += static_cast<char>(json.size() >> (8 * i) & 0xff);
  return bytes + json + data;
}

/// A directory in memory; `texts` win over what is made of the rest.
struct Directory {
  std::map<std::string, RawFile> files;
  std::map<std::string, std::string> file_of;  ///< the index
  Value config;
  std::map<std::string, std::string> texts;
  std::vector<std::string> removed;

  void Put(const std::string& file, const std::string& name, RawTensor tensor) {
    files[file][name] = std::move(tensor);
    file_of[name] = file;
  }

  void WriteTo(const std::string& path) const {
    std::map<std::string, std::string> all;
    for (const auto& [name, tensors] : files) all[name] = BytesOf(tensors);
    all["config.json"] = ToJson(config);
    Value weight_map(Value::Object{});
    for (const auto& [tensor, file] : file_of) weight_map.Set(tensor, file);
    all[kIndex] = ToJson(Value(Value::Object{{"weight_map", weight_map}}));
    for (const auto& [name, text] : texts) all[name] = text;
    for (const std::string& name : removed) all.erase(name);
    for (const auto& [name, bytes] : all) WriteFileOrDie(JoinPath(path, name), bytes);
  }
};

/// The micro model in two shards.
Directory Sound() {
  const std::string golden = GoldenHf("micro");
  Directory directory;
  directory.config = ParseJson(ReadFileOrDie(golden + "/config.json")).value();
  const auto source =
      safetensors::OpenFile(OpenFile(golden + "/model.safetensors").value()).value();
  size_t count = 0;
  for (const TensorSpec& spec : source->specs()) {
    const auto bytes = ReadTensorOrDie(*source, spec.name);
    directory.Put(count++ % 2 == 0 ? kFirst : kSecond, spec.name,
                  {"BF16", spec.shape,
                   std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size())});
  }
  return directory;
}

RawTensor Zeros(const char* dtype, Shape shape, size_t size_bytes) {
  return {dtype, std::move(shape), std::string(size_bytes, '\0')};
}

struct Case {
  const char* what;
  std::function<void(Directory&)> damage;
  StatusCode code;
  const char* message;
};

const Case kCases[] = {
    {"a shard is absent", [](Directory& d) { d.removed = {kSecond}; }, StatusCode::kNotFound,
     "the copy is incomplete"},
    {"the index is absent", [](Directory& d) { d.removed = {kIndex}; }, StatusCode::kCorruption,
     "neither model.safetensors nor"},
    {"the config is absent", [](Directory& d) { d.removed = {"config.json"}; },
     StatusCode::kCorruption, "config.json: missing"},
    {"only a pickle is there",
     [](Directory& d) {
       d.removed = {kIndex, kFirst, kSecond};
       d.texts["pytorch_model.bin"] = "PK";
     },
     StatusCode::kUnsupported, "pickle"},
    {"a path out of the directory", [](Directory& d) { d.file_of[kQuery] = "../x.safetensors"; },
     StatusCode::kCorruption, "'../x.safetensors'"},
    {"an absolute path", [](Directory& d) { d.file_of[kQuery] = "/etc/passwd"; },
     StatusCode::kCorruption, "'/etc/passwd'"},
    {"the directory above", [](Directory& d) { d.file_of[kQuery] = ".."; }, StatusCode::kCorruption,
     "'..'"},
    {"a name with a zero byte", [](Directory& d) { d.file_of[kQuery] = std::string("a\0b", 3); },
     StatusCode::kCorruption, "weight_map"},
    {"an empty name", [](Directory& d) { d.file_of[kQuery] = ""; }, StatusCode::kCorruption,
     "weight_map"},
    {"a directory for a file",
     [](Directory& d) {
       d.file_of[kQuery] = "sub";
       d.texts["sub/x"] = "";
     },
     StatusCode::kIo, "sub"},
    {"a tensor in neither file and index",
     [](Directory& d) {
       d.files[d.file_of.at(kQuery)].erase(kQuery);
       d.file_of.erase(kQuery);
     },
     StatusCode::kCorruption, "q_proj.weight is missing"},
    {"a tensor that only the index has",
     [](Directory& d) { d.files[d.file_of.at(kQuery)].erase(kQuery); }, StatusCode::kCorruption,
     "is missing there"},
    {"a tensor that only the file has", [](Directory& d) { d.file_of.erase(kQuery); },
     StatusCode::kCorruption, "do not belong together"},
    {"a tensor in another file than the index says",
     [](Directory& d) { d.file_of[kQuery] = d.file_of[kQuery] == kFirst ? kSecond : kFirst; },
     StatusCode::kCorruption, "it lies in model-0000"},
    {"a tensor in both files",
     [](Directory& d) {
       d.files[kFirst][kQuery] = d.files[kSecond][kQuery] = Zeros("BF16", {32, 32}, 2048);
     },
     StatusCode::kCorruption, "as well"},
    {"a tensor too many",
     [](Directory& d) {
       d.Put(kFirst, "model.layers.0.self_attn.q_proj.bias", Zeros("BF16", {32}, 64));
     },
     StatusCode::kUnsupported, "q_proj.bias"},
    {"a layer too many",
     [](Directory& d) { d.Put(kFirst, "model.layers.2.mlp.up_proj.weight", Zeros("U8", {1}, 1)); },
     StatusCode::kCorruption, "num_hidden_layers 2, and the weights have 3"},
    {"a layer in the config too many", [](Directory& d) { d.config.Set("num_hidden_layers", 3); },
     StatusCode::kCorruption, "num_hidden_layers 3, and the weights have 2"},
    {"100,000 layers in the config",
     [](Directory& d) { d.config.Set("num_hidden_layers", 100'000); }, StatusCode::kCorruption,
     "num_hidden_layers 100000"},
    {"a wrong shape",
     [](Directory& d) {
       d.Put(kFirst, kQuery, Zeros("BF16", {16, 64}, 2048));
     },
     StatusCode::kCorruption, "stored shape [16, 64]"},
    {"another number of axes",
     [](Directory& d) { d.Put(kSecond, "model.norm.weight", Zeros("BF16", {}, 2)); },
     StatusCode::kCorruption, "stored shape []"},
    {"another number of heads", [](Directory& d) { d.config.Set("num_key_value_heads", 4); },
     StatusCode::kCorruption, "k_proj.weight"},
    {"another vocabulary", [](Directory& d) { d.config.Set("vocab_size", 1101); },
     StatusCode::kCorruption, "embed_tokens.weight"},
    {"query and key of different types",
     [](Directory& d) {
       d.Put(d.file_of.at(kQuery), kQuery, Zeros("F16", {32, 32}, 2048));
     },
     StatusCode::kCorruption, "dtype"},
    {"a tied model's head that is missing untied",
     [](Directory& d) {
       d.files[d.file_of.at("lm_head.weight")].erase("lm_head.weight");
       d.file_of.erase("lm_head.weight");
     },
     StatusCode::kCorruption, "lm_head.weight is missing"},
    {"another architecture",
     [](Directory& d) { d.config.Set("architectures", Value::Array{"MistralForCausalLM"}); },
     StatusCode::kUnsupported, "MistralForCausalLM"},
    {"an index that is no JSON", [](Directory& d) { d.texts[kIndex] = "{\"weight_map\": {"; },
     StatusCode::kCorruption, "index.json: not valid JSON"},
    {"an index without a map", [](Directory& d) { d.texts[kIndex] = "{\"weight_map\": []}"; },
     StatusCode::kCorruption, "weight_map is missing"},
    {"an index that maps to numbers",
     [](Directory& d) { d.texts[kIndex] = R"({"weight_map": {"a": 1}})"; }, StatusCode::kCorruption,
     "tensor a is mapped to integer"},
    {"an index of nothing", [](Directory& d) { d.texts[kIndex] = R"({"weight_map": {}})"; },
     StatusCode::kCorruption, "names no tensor"},
    {"an index that says it twice",
     [](Directory& d) { d.texts[kIndex] = R"({"weight_map": {"a": "x", "a": "y"}})"; },
     StatusCode::kCorruption, "duplicate key"},
    {"a deep index", [](Directory& d) { d.texts[kIndex] = std::string(1'000'000, '['); },
     StatusCode::kCorruption, "nested deeper"},
    {"a deep config", [](Directory& d) { d.texts["config.json"] = std::string(1'000'000, '['); },
     StatusCode::kCorruption, "nested deeper"},
    {"a huge config", [](Directory& d) { d.texts["config.json"] = std::string(17 << 20, ' '); },
     StatusCode::kCorruption, "config.json"},
    {"a truncated shard",
     [](Directory& d) { d.texts[kFirst] = BytesOf(d.files[kFirst]).substr(0, 4000); },
     StatusCode::kCorruption, kFirst},
    {"an empty tokenizer", [](Directory& d) { d.texts["tokenizer.model"] = ""; },
     StatusCode::kCorruption, "tokenizer.model: empty"},
};

TEST(HfDamage, IsNamed) {
  for (const Case& c : kCases) {
    SCOPED_TRACE(c.what);
    TempDir dir;
    Directory directory = Sound();
    c.damage(directory);
    directory.WriteTo(dir / "hf");
    const auto checkpoint = OpenHf(dir / "hf");
    ASSERT_FALSE(checkpoint);
    EXPECT_EQ(checkpoint.error().code(), c.code) << checkpoint.error().message();
    EXPECT_NE(checkpoint.error().message().find(c.message), std::string::npos)
        << checkpoint.error().message();
    EXPECT_TRUE(checkpoint.error().message().starts_with(dir / "hf"))
        << checkpoint.error().message();
  }
}

TEST(HfDamage, WithoutItTheDirectoryIsSound) {
  TempDir dir;
  Directory directory = Sound();
  directory.Put(kFirst, "model.layers.0.self_attn.rotary_emb.inv_freq", Zeros("F32", {2}, 8));
  directory.WriteTo(dir / "hf");
  const auto checkpoint = OpenHf(dir / "hf");
  ASSERT_TRUE(checkpoint) << checkpoint.error().message();
  ExpectEqual(OpenHf(GoldenHf("micro")).value(), *checkpoint);
}

TEST(HfDamage, AStoredHeadOfATiedModelIsAReplica) {
  TempDir dir;
  Directory directory = Sound();
  directory.config.Set("tie_word_embeddings", true);
  directory.Put(kFirst, "lm_head.weight", Zeros("BF16", {1100, 32}, 70400));
  directory.file_of["model.embed_tokens.weight"] = kSecond;
  RawTensor embedding = Zeros("BF16", {1100, 32}, 70400);
  for (auto& [name, file] : directory.files) file.erase("model.embed_tokens.weight");
  directory.Put(kSecond, "model.embed_tokens.weight", embedding);
  directory.WriteTo(dir / "same");
  directory.files[kFirst]["lm_head.weight"].data[70399] = '\x3f';
  directory.WriteTo(dir / "other");
  const auto same = OpenHf(dir / "same");
  const auto other = OpenHf(dir / "other");
  ASSERT_TRUE(same) << same.error().message();
  ASSERT_TRUE(other) << other.error().message();
  ExpectEqual(*same, *same);
  const auto comparison =
      Compare(*same->source, same->config, *other->source, other->config, 1, NullProgress());
  ASSERT_TRUE(comparison);
  ASSERT_EQ(comparison->different.size(), 1u);
  EXPECT_EQ(comparison->different[0].name, "embedding.word_embeddings.weight");
}

TEST(HfDamage, WrongTotalsAreWorthALook) {
  TempDir dir;
  const Directory directory = Sound();
  directory.WriteTo(dir / "hf");
  const std::string path = dir / "hf/model.safetensors.index.json";
  const struct {
    const char* metadata;
    size_t num_problems;
  } kTotals[] = {
      {"{}", 1},
      {"7", 1},
      {R"({"total_size": 0})", 1},
      {R"({"total_size": 170112, "total_parameters": 5})", 1},
      {R"({"total_size": 170112})", 0},
      {R"({"total_size": 170112, "total_parameters": 85056})", 0},
  };
  for (const auto& c : kTotals) {
    Value index = ParseJson(ReadFileOrDie(path)).value();
    index.Set("metadata", ParseJson(c.metadata).value());
    WriteFileOrDie(path, ToJson(index));
    EXPECT_TRUE(OpenHf(dir / "hf"));
    const auto problems = VerifyHf(dir / "hf", CheckLevel::kIndex, 1, NullProgress());
    ASSERT_TRUE(problems) << problems.error().message();
    EXPECT_EQ(problems->size(), c.num_problems) << c.metadata;
    for (const Problem& problem : *problems) {
      EXPECT_FALSE(problem.fatal);
      EXPECT_EQ(problem.where, kIndex) << problem.message;
    }
  }
}

TEST(HfDamage, AnyTruncationOfASingleFileIsSeen) {
  const std::string bytes = ReadFileOrDie(GoldenHf("micro") + "/model.safetensors");
  TempDir dir;
  WriteFileOrDie(dir / "hf/config.json", ReadFileOrDie(GoldenHf("micro") + "/config.json"));
  for (size_t size = 0; size < bytes.size(); size += 1 + size / 2) {
    WriteFileOrDie(dir / "hf/model.safetensors", std::string_view(bytes).substr(0, size));
    EXPECT_TRUE(SniffHf(dir / "hf"));
    EXPECT_EQ(OpenHf(dir / "hf").error().code(), StatusCode::kCorruption) << size;
  }
}

TEST(HfDamage, ManyByteFlipsInTheConfigNeverCrash) {
  const std::string bytes = ReadFileOrDie(GoldenHf("micro") + "/config.json");
  TempDir dir;
  Directory directory = Sound();
  directory.WriteTo(dir / "hf");
  for (size_t at = 0; at < bytes.size(); ++at) {
    for (const int bit : {0, 1, 4}) {
      std::string flipped = bytes;
      flipped[at] = static_cast<char>(flipped[at] ^ (1 << bit));
      WriteFileOrDie(dir / "hf/config.json", flipped);
      if (const auto checkpoint = OpenHf(dir / "hf")) {
        EXPECT_EQ(checkpoint->source->specs().size(), 8u * 2 + 4) << flipped;
      }
    }
  }
}

}  // namespace
}  // namespace nemo::testing
