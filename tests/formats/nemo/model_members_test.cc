// The configuration and the tokenizer that a written .nemo has: read back they mean the model, and
// a text that was there is kept.
#include "formats/nemo/model_members.h"

#include <algorithm>
#include <sstream>

#include <gtest/gtest.h>

#include "formats/nemo/config.h"
#include "formats/nemo/nemo.h"
#include "libcore/base/hash.h"
#include "tests/testing.h"

namespace nemo {
namespace {

using testing::GoldenPath;

const std::string& TextOf(const Member& member) { return member.pieces.front().bytes; }

Attachments AttachmentsOf(const Checkpoint& checkpoint) {
  return {checkpoint.provenance, checkpoint.model_config_yaml, checkpoint.tokenizer_model};
}

Checkpoint Golden(std::string_view name) {
  auto checkpoint = OpenNemo(GoldenPath("nemo/" + std::string(name)));
  EXPECT_TRUE(checkpoint) << checkpoint.error().message();
  return *checkpoint;
}

std::vector<std::string> LinesOf(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

/// Lines of `after` that are not those of `before` at the same place.
std::vector<std::string> ChangedLines(const std::string& before, const std::string& after) {
  const std::vector<std::string> old = LinesOf(before), now = LinesOf(after);
  std::vector<std::string> changed;
  for (size_t i = 0; i < now.size(); ++i) {
    if (i >= old.size() || old[i] != now[i]) changed.push_back(now[i]);
  }
  EXPECT_GE(now.size(), old.size());
  return changed;
}

TEST(ModelMembers, TheTextOfTheSameLayoutStaysByteForByte) {
  for (const char* name : {"tiny_zarr_tp2pp2.nemo", "odd_realnemo_zarr.nemo"}) {
    const Checkpoint golden = Golden(name);
    const auto members = ModelMembers(golden.config, golden.layout, AttachmentsOf(golden));
    ASSERT_EQ(members.size(), 2u);
    EXPECT_EQ(members[0].name, "model_config.yaml");
    EXPECT_EQ(TextOf(members[0]), golden.model_config_yaml);
    EXPECT_EQ(members[1].name, golden.tokenizer_name);
    EXPECT_EQ(TextOf(members[1]), golden.tokenizer_model);
  }
}

TEST(ModelMembers, AnotherLayoutChangesItsOwnLinesOnly) {
  const Checkpoint golden = Golden("tiny_zarr_tp2pp2.nemo");
  ModelConfig config = golden.config;
  config.make_vocab_size_divisible_by = 64;
  ParallelLayout layout{4, 1};
  layout.vpp_size = 3;
  const auto members = ModelMembers(config, layout, AttachmentsOf(golden));
  EXPECT_EQ(ChangedLines(golden.model_config_yaml, TextOf(members[0])),
            (std::vector<std::string>{
                "tensor_model_parallel_size: 4", "pipeline_model_parallel_size: 1",
                "virtual_pipeline_model_parallel_size: 3", "make_vocab_size_divisible_by: 64"}));
  const auto parsed = ParseNemoConfig(TextOf(members[0]));
  ASSERT_TRUE(parsed) << parsed.error().message();
  EXPECT_EQ(parsed->layout, layout);
}

TEST(ModelMembers, AKeyThatIsMissingIsAddedAtTheEnd) {
  const Checkpoint golden = Golden("tiny_zarr_tp2pp2.nemo");
  Attachments attachments = AttachmentsOf(golden);
  std::string& text = attachments.model_config_yaml;
  const std::string line = "pipeline_model_parallel_size: 2\n";
  text.erase(text.find(line), line.size());
  const auto members = ModelMembers(golden.config, golden.layout, attachments);
  EXPECT_EQ(TextOf(members[0]), text + line);
}

TEST(ModelMembers, AConfigurationBelowAKeyIsChangedThere) {
  const Checkpoint golden = Golden("tiny_zarr_tp2pp2.nemo");
  Attachments attachments = AttachmentsOf(golden);
  std::string text = "trainer:\n  tensor_model_parallel_size: 9\nmodel:\n";
  for (const std::string& line : LinesOf(golden.model_config_yaml)) text += "  " + line + "\n";
  attachments.model_config_yaml = text;
  const auto members = ModelMembers(golden.config, {8, 2}, attachments);
  EXPECT_EQ(ChangedLines(text, TextOf(members[0])),
            (std::vector<std::string>{"  tensor_model_parallel_size: 8"}));
}

TEST(ModelMembers, EveryNameThatTheConfigurationAsksForIsThere) {
  const Checkpoint golden = Golden("tiny_zarr_tp2pp2.nemo");
  Attachments attachments = AttachmentsOf(golden);
  std::string& text = attachments.model_config_yaml;
  const std::string other = "8223bf8eaa194eb8920af568bb52e2d0_megatron_2.model";
  const size_t at = text.find("  tokenizer_model: nemo:") + 24;
  text.replace(at, text.find('\n', at) - at, other);
  const auto members = ModelMembers(golden.config, golden.layout, attachments);
  ASSERT_EQ(members.size(), 3u);
  EXPECT_EQ(TextOf(members[0]), text);
  EXPECT_EQ(members[1].name, other);
  EXPECT_EQ(members[2].name, golden.tokenizer_name);
  EXPECT_EQ(TextOf(members[1]), TextOf(members[2]));
}

TEST(ModelMembers, ATokenizerThatWasAPathElsewhereGetsAName) {
  const Checkpoint golden = Golden("odd_realnemo_zarr.nemo");
  Attachments attachments = AttachmentsOf(golden);
  std::string& text = attachments.model_config_yaml;
  const std::string reference = "nemo:" + golden.tokenizer_name;
  text.replace(text.find(reference), reference.size(), "/cluster/my tokens.model");
  const auto members = ModelMembers(golden.config, golden.layout, attachments);
  const std::string name =
      HashHex(std::as_bytes(std::span(golden.tokenizer_model))) + "_my_tokens.model";
  EXPECT_EQ(ChangedLines(text, TextOf(members[0])),
            (std::vector<std::string>{"  model: nemo:" + name}));
  ASSERT_EQ(members.size(), 2u);
  EXPECT_EQ(members[1].name, name);
}

TEST(ModelMembers, ATextOfAnotherModelIsNotTaken) {
  const Checkpoint golden = Golden("tiny_zarr_tp2pp2.nemo");
  ModelConfig config = golden.config;
  config.rotary_base = 50000;
  for (const std::string& text : {golden.model_config_yaml, std::string("a: [1"), std::string()}) {
    Attachments attachments = AttachmentsOf(golden);
    attachments.model_config_yaml = text;
    const auto members = ModelMembers(config, golden.layout, attachments);
    const auto parsed = ParseNemoConfig(TextOf(members[0]));
    ASSERT_TRUE(parsed) << parsed.error().message();
    EXPECT_EQ(parsed->model.rotary_base, 50000);
    EXPECT_EQ(members[1].name,
              HashHex(std::as_bytes(std::span(golden.tokenizer_model))) + "_tokenizer.model");
    EXPECT_EQ(parsed->tokenizer_references, (std::vector<std::string>{"nemo:" + members[1].name}));
  }
}

TEST(ModelMembers, AnOwnTextMeansTheModelItIsOf) {
  ModelConfig config;
  config.num_layers = 96;
  config.hidden_size = 18432;
  config.ffn_hidden_size = 73728;
  config.num_attention_heads = 96;
  config.num_query_groups = 8;
  config.kv_channels = 192;
  config.max_position_embeddings = 4096;
  config.vocab_size = config.padded_vocab_size = 256000;
  ModelConfig padded = config;
  padded.vocab_size = 255001;
  ModelConfig other = config;
  other.make_vocab_size_divisible_by = 64;
  other.rotary_percent = 1;
  other.rotary_base = 1234567.5;
  other.layernorm_epsilon = 1e-12;
  other.layernorm_zero_centered_gamma = false;
  other.share_embeddings_and_output_weights = true;
  ParallelLayout layout{8, 4};
  layout.vpp_size = 12;
  for (const ModelConfig& model : {config, padded, other}) {
    const auto members = ModelMembers(model, layout, {});
    ASSERT_EQ(members.size(), 1u);
    auto parsed = ParseNemoConfig(TextOf(members[0]));
    ASSERT_TRUE(parsed) << parsed.error().message();
    EXPECT_EQ(parsed->model.padded_vocab_size, 0);
    parsed->model.padded_vocab_size = model.padded_vocab_size;
    EXPECT_EQ(parsed->model, model);
    EXPECT_EQ(parsed->layout, layout);
    EXPECT_TRUE(parsed->tokenizer_references.empty());
  }
}

}  // namespace
}  // namespace nemo
