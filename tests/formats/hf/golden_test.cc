// Directories that transformers wrote against archives that Megatron Core wrote of the same models.
#include <set>
#include <string>

#include <gtest/gtest.h>

#include "formats/native/native.h"
#include "formats/nemo/nemo.h"
#include "tests/formats/hf/hf_files.h"

namespace nemo::testing {
namespace {

struct Pair {
  const char* archive;
  const char* model;
  int64_t vocab_size;  ///< the tokenizer's
};
constexpr Pair kPairs[] = {
    {"nemo/tiny_zarr_tp1pp1.nemo", "tiny", 2048},  {"nemo/tiny_zarr_tp2pp2.nemo", "tiny", 2048},
    {"nemo/tiny_zarr_tp4pp1_dir", "tiny", 2048},   {"nemo/odd_zarr_tp2pp3.nemo", "odd", 1100},
    {"nemo/odd_zarr_tp1pp1_gz.nemo", "odd", 1100}, {"nemo/odd_realnemo_zarr.nemo", "odd", 1100},
    {"nemo/tied_zarr_tp1pp2.nemo", "tied", 1100},
};
constexpr const char* kModels[] = {"tiny", "odd", "tied", "micro"};

/// As the tools open it: the tokenizer has said how many pieces there are.
Checkpoint OpenArchiveOf(const Pair& pair) {
  auto checkpoint = OpenNemo(GoldenPath(pair.archive));
  EXPECT_TRUE(checkpoint) << checkpoint.error().message();
  checkpoint->config.vocab_size = pair.vocab_size;
  return *std::move(checkpoint);
}

Checkpoint OpenHfOrDie(const std::string& path) {
  auto checkpoint = OpenHf(path);
  EXPECT_TRUE(checkpoint) << checkpoint.error().message();
  return *std::move(checkpoint);
}

Attachments AttachmentsOf(const Checkpoint& checkpoint) {
  return {checkpoint.provenance, checkpoint.model_config_yaml, checkpoint.tokenizer_model};
}

Value ReadJson(const std::string& path) { return ParseJson(ReadFileOrDie(path)).value(); }

TEST(HfGolden, EqualsTheArchivesOfTheSameModels) {
  for (const Pair& pair : kPairs) {
    SCOPED_TRACE(pair.archive);
    const Checkpoint nemo = OpenArchiveOf(pair);
    const Checkpoint hf = OpenHfOrDie(GoldenHf(pair.model));
    ExpectEqual(nemo, hf);
    ExpectEqual(hf, nemo);
  }
}

TEST(HfGolden, ReadsConfigAndIndexOfEveryModel) {
  for (const char* model : kModels) {
    SCOPED_TRACE(model);
    EXPECT_TRUE(SniffHf(GoldenHf(model)));
    const Checkpoint hf = OpenHfOrDie(GoldenHf(model));
    const Value theirs = ReadJson(GoldenHf(model) + "/config.json");
    EXPECT_EQ(hf.format, "hf");
    EXPECT_EQ(hf.container, "safetensors");
    EXPECT_EQ(hf.layout, ParallelLayout{});
    EXPECT_EQ(hf.provenance.kind, "hf");
    EXPECT_EQ(hf.provenance.base_name, "hf");
    EXPECT_EQ(hf.provenance.index_xxh3.size(), 32u);
    EXPECT_EQ(hf.config.num_layers, theirs.GetInt("num_hidden_layers").value());
    EXPECT_EQ(hf.config.num_query_groups, theirs.GetInt("num_key_value_heads").value());
    EXPECT_EQ(hf.config.vocab_size, theirs.GetInt("vocab_size").value());
    EXPECT_EQ(hf.config.rotary_base,
              theirs.Find("rope_parameters")->GetDouble("rope_theta").value());
    const auto problems = VerifyHf(GoldenHf(model), CheckLevel::kChecksums, 1, NullProgress());
    ASSERT_TRUE(problems);
    EXPECT_TRUE(problems->empty());
  }
}

TEST(HfGolden, ArchivesBecomeTheFilesThatTransformersWrote) {
  for (const Pair& pair : kPairs) {
    SCOPED_TRACE(pair.archive);
    TempDir dir;
    const Checkpoint nemo = OpenArchiveOf(pair);
    const Status written = WriteHf(dir / "hf", *nemo.source, nemo.config, {}, AttachmentsOf(nemo));
    ASSERT_TRUE(written.ok()) << written.message();
    const std::string golden = GoldenHf(pair.model);
    EXPECT_TRUE(ReadFileOrDie(dir / "hf/model.safetensors") ==
                ReadFileOrDie(golden + "/model.safetensors"));
    EXPECT_EQ(ReadFileOrDie(dir / "hf/tokenizer.model"), nemo.tokenizer_model);
    EXPECT_EQ(KindOf(dir / "hf/model.safetensors.index.json"), PathKind::kAbsent);
  }
}

TEST(HfGolden, ConfigsSayWhatTransformersSays) {
  // What save_pretrained adds and loading does not need, or takes from elsewhere: the pad id is the
  // tokenizer's, the spelling of RoPE and dtype that of transformers 4.
  const std::set<std::string> kElsewhere = {
      "attention_dropout",    "dtype",     "initializer_range", "pad_token_id", "rope_parameters",
      "transformers_version", "use_cache",
  };
  for (const Pair& pair : kPairs) {
    SCOPED_TRACE(pair.archive);
    TempDir dir;
    const Checkpoint nemo = OpenArchiveOf(pair);
    ASSERT_TRUE(WriteHf(dir / "hf", *nemo.source, nemo.config, {}, AttachmentsOf(nemo)).ok());
    const Value ours = ReadJson(dir / "hf/config.json");
    const Value theirs = ReadJson(GoldenHf(pair.model) + "/config.json");
    for (const auto& [key, value] : theirs.as_object()) {
      if (kElsewhere.contains(key)) continue;
      ASSERT_NE(ours.Find(key), nullptr) << key;
      EXPECT_EQ(ToJson(*ours.Find(key)), ToJson(value)) << key;
    }
    EXPECT_EQ(*ours.Find("torch_dtype"), *theirs.Find("dtype"));
    const Value* rope = theirs.Find("rope_parameters");
    EXPECT_EQ(*ours.Find("rope_theta"), *rope->Find("rope_theta"));
    EXPECT_EQ(*ours.Find("partial_rotary_factor"), *rope->Find("partial_rotary_factor"));
    EXPECT_EQ(ours.GetInt("pad_token_id").value(), 1) << "the tokenizer's <pad>";
    const Value generation = ReadJson(dir / "hf/generation_config.json");
    EXPECT_EQ(generation.GetInt("bos_token_id").value(), 2);
    EXPECT_EQ(generation.GetInt("eos_token_id").value(), 3);
  }
}

TEST(HfGolden, SurvivesTheWayThroughAShardSet) {
  for (const char* model : kModels) {
    SCOPED_TRACE(model);
    TempDir dir;
    const Checkpoint hf = OpenHfOrDie(GoldenHf(model));
    PlanOptions options;
    const auto plan = PlanNative(hf.config, hf.source->specs(), options);
    ASSERT_TRUE(plan) << plan.error().message();
    const auto target = CreateNativeTarget(dir / "set", {.attachments = AttachmentsOf(hf)});
    ASSERT_TRUE(Convert(*hf.source, *plan, **target, {}, NullProgress()));
    const auto native = OpenNative(dir / "set");
    ASSERT_TRUE(native) << native.error().message();
    ASSERT_TRUE(
        WriteHf(dir / "hf", *native->source, native->config, {}, AttachmentsOf(*native)).ok());
    EXPECT_TRUE(ReadFileOrDie(dir / "hf/model.safetensors") ==
                ReadFileOrDie(GoldenHf(model) + "/model.safetensors"));
    EXPECT_EQ(OpenHfOrDie(dir / "hf").config, hf.config);
  }
}

TEST(HfGolden, TheTokenizerKnowsThePaddingOfAKeptVocabulary) {
  TempDir dir;
  const Checkpoint nemo = OpenArchiveOf(kPairs[3]);
  PlanOptions options;
  options.vocab = VocabRule{VocabRule::Kind::kKeep};
  ASSERT_TRUE(WriteHf(dir / "hf", *nemo.source, nemo.config, options, AttachmentsOf(nemo)).ok());
  const Checkpoint hf = OpenHfOrDie(dir / "hf");
  EXPECT_EQ(hf.config.padded_vocab_size, 1280);
  EXPECT_EQ(hf.config.vocab_size, 0) << "until the tokenizer is asked";
  EXPECT_EQ(hf.tokenizer_name, "tokenizer.model");
  ExpectEqual(nemo, hf);
}

}  // namespace
}  // namespace nemo::testing
