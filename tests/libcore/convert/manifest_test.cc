#include "libcore/convert/manifest.h"

#include <string>

#include <gtest/gtest.h>

#include "libcore/base/json.h"

namespace nemo {
namespace {

constexpr const char* kHash = "0123456789abcdef0123456789abcdef";

/// Two ranks; one tensor split, one replicated, one whose shards have two parts.
Manifest Sample() {
  Manifest m;
  m.source = {"nemo", "model.nemo", 12345, kHash};
  m.container = "hdf5";
  m.config.num_layers = 2;
  m.config.hidden_size = 8;
  m.config.ffn_hidden_size = 16;
  m.config.num_attention_heads = 4;
  m.config.num_query_groups = 2;
  m.config.kv_channels = 4;
  m.config.max_position_embeddings = 64;
  m.config.vocab_size = 30;
  m.config.padded_vocab_size = 32;
  m.layout.tp_size = 2;
  m.files = {{"tp_rank_00_pp_rank_000.h5", 20000, kHash},
             {"tp_rank_01_pp_rank_000.h5", 20000, kHash}};
  ManifestTensor norm{{"norm", DType::kBF16, {8}}, ShardRule::kReplicate, {}};
  ManifestTensor qkv{{"qkv", DType::kBF16, {8, 2}}, ShardRule::kQueryGroup, {}};
  ManifestTensor split{{"split", DType::kF32, {4, 6}}, ShardRule::kSplitCols, {}};
  for (int64_t rank = 0; rank < 2; ++rank) {
    const std::string file = m.files[static_cast<size_t>(rank)].name;
    norm.shards.push_back({file, "norm", {{8}, {{{{0}, {8}}, {{0}, {8}}}}}, {4096, 16}, kHash});
    qkv.shards.push_back(
        {file,
         "qkv",
         {{5, 2},
          {{{{rank * 3, 0}, {3, 2}}, {{0, 0}, {3, 2}}}, {{{6, 0}, {2, 2}}, {{3, 0}, {2, 2}}}}},
         {8192, 20},
         kHash});
    split.shards.push_back({file,
                            "split.0",
                            {{4, 3}, {{{{0, rank * 3}, {4, 3}}, {{0, 0}, {4, 3}}}}},
                            {12288, 48},
                            kHash});
  }
  m.tensors = {norm, qkv, split};
  return m;
}

/// The same with `split` in two chunks of 3 and 1 rows.
Manifest Compressed() {
  Manifest m = Sample();
  m.compression = {.zstd = true, .level = 5};
  for (ManifestShard& shard : m.tensors[2].shards) {
    shard.place.size_bytes = 71;
    shard.place.chunks = {3, {41, 30}, kHash};
  }
  return m;
}

std::string Replaced(std::string text, std::string_view from, std::string_view to) {
  const size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return at == std::string::npos ? text : text.replace(at, from.size(), to);
}

TEST(Manifest, ReadsBackWhatItWrote) {
  const std::string text = ToJsonText(Sample());
  const auto manifest = ParseManifest(text);
  ASSERT_TRUE(manifest) << manifest.error().message();
  EXPECT_EQ(manifest->source, Sample().source);
  EXPECT_EQ(manifest->config, Sample().config);
  EXPECT_EQ(manifest->layout, Sample().layout);
  EXPECT_EQ(manifest->tensors[1].shards[1].shard, Sample().tensors[1].shards[1].shard);
  EXPECT_EQ(manifest->tensors[2].shards[0].stored_name, "split.0");
  EXPECT_EQ(ToJsonText(*manifest), text) << "the same manifest gives the same bytes";
}

TEST(Manifest, ReadsBackChunks) {
  const std::string text = ToJsonText(Compressed());
  EXPECT_NE(text.find("\"format_version\": 2"), std::string::npos)
      << "programs that know nothing of chunks must not read them";
  const auto manifest = ParseManifest(text);
  ASSERT_TRUE(manifest) << manifest.error().message();
  EXPECT_EQ(manifest->compression, (Compression{true, 5}));
  const TensorPlace& place = manifest->tensors[2].shards[1].place;
  EXPECT_EQ(place.size_bytes, 71);
  EXPECT_EQ(place.chunks.rows, 3);
  EXPECT_EQ(place.chunks.bytes, (std::vector<int64_t>{41, 30}));
  EXPECT_EQ(place.chunks.xxh3, kHash);
  EXPECT_TRUE(manifest->tensors[0].shards[0].place.chunks.empty());
  EXPECT_EQ(ToJsonText(*manifest), text);
}

TEST(Manifest, RefusesChunksThatDoNotAddUp) {
  const struct {
    const char* from;
    const char* to;
    const char* message;
  } kCases[] = {
      {"\"compression\": \"zstd:5\"", "\"compression\": \"none\"", "'compression' is none"},
      {"\"compression\": \"zstd:5\"", "\"compression\": \"zstd:20\"", "level from 1 to 19"},
      {"\"compression\": \"zstd:5\"", "\"compression\": \"lz4\"", "not one of none, zstd"},
      {"\"chunk_rows\":3", "\"chunk_rows\":0", "chunks of 0 rows"},
      {"\"chunk_rows\":3", "\"chunk_rows\":4", "2 chunks of 4 rows"},
      {"\"chunk_rows\":3", "\"chunk_rows\":5", "chunks of 5 rows"},
      {"\"chunk_bytes\":[41,30]", "\"chunk_bytes\":[41,29]", "leave 1 of 'bytes'"},
      {"\"chunk_bytes\":[41,30]", "\"chunk_bytes\":[41,31]", "do not add up"},
      {"\"chunk_bytes\":[41,30]", "\"chunk_bytes\":[71,0]", "do not add up"},
      {"\"chunk_bytes\":[41,30]", "\"chunk_bytes\":[-1,72]", "do not add up"},
      {"\"chunk_bytes\":[41,30]", "\"chunk_bytes\":[]", "0 chunks of 3 rows"},
      {"\"chunk_bytes\":[41,30]", "\"chunks\":[41,30]", "needs 48"},
      {"\"stored_xxh3\":\"0123", "\"stored_xxh3\":\"x123", "32 lower-case"},
  };
  const std::string text = ToJsonText(Compressed());
  for (const auto& c : kCases) {
    const auto manifest = ParseManifest(Replaced(text, c.from, c.to));
    ASSERT_FALSE(manifest) << c.to;
    EXPECT_EQ(manifest.error().code(), StatusCode::kCorruption) << manifest.error().message();
    EXPECT_NE(manifest.error().message().find(c.message), std::string::npos)
        << c.to << ": " << manifest.error().message();
  }
}

TEST(Manifest, PutsEachShardOnOneLine) {
  const std::string text = ToJsonText(Sample());
  EXPECT_NE(
      text.find(
          "\n      {\"file\":\"tp_rank_01_pp_rank_000.h5\",\"stored_name\":\"qkv\",\"shape\":[5,2],"
          "\"parts\":[{\"offset\":[3,0],\"extent\":[3,2],\"local\":[0,0]},"
          "{\"offset\":[6,0],\"extent\":[2,2],\"local\":[3,0]}],\"byte_offset\":8192,"
          "\"bytes\":20,\"xxh3\":\"0123456789abcdef0123456789abcdef\"}\n"),
      std::string::npos)
      << text;
  EXPECT_TRUE(ParseJson(text));
}

TEST(Manifest, KeepsAwkwardNames) {
  Manifest m = Sample();
  m.source.base_name = "a \"quoted\" \\ na\xc3\xafve {} name\n";
  m.tensors[0].spec.name = "an \"{}\" name";
  m.tensors[0].shards[0].stored_name = m.tensors[0].shards[1].stored_name = "{}\t";
  const auto manifest = ParseManifest(ToJsonText(m));
  ASSERT_TRUE(manifest) << manifest.error().message();
  EXPECT_EQ(manifest->source, m.source);
  EXPECT_EQ(manifest->tensors[0].spec.name, m.tensors[0].spec.name);
}

TEST(Manifest, ToleratesKeysItDoesNotKnow) {
  const std::string text = ToJsonText(Sample());
  EXPECT_TRUE(ParseManifest(Replaced(text, "{\n", "{\n \"later\": {\"x\": [1]},\n")));
  EXPECT_TRUE(ParseManifest(Replaced(text, "{\"file\":", "{\"later\":1,\"file\":")));
}

TEST(Manifest, RefusesNewerVersionsInPlainWords) {
  const auto manifest = ParseManifest(
      Replaced(ToJsonText(Sample()), "\"format_version\": 1", "\"format_version\": 3"));
  ASSERT_FALSE(manifest);
  EXPECT_EQ(manifest.error().code(), StatusCode::kUnsupported);
  EXPECT_EQ(manifest.error().message(),
            "this shard set has format version 3, and this program knows versions up to 2; use a "
            "newer release of it");
}

TEST(Manifest, RefusesWhatDoesNotHoldTogether) {
  const struct {
    const char* from;
    const char* to;
    const char* message;
  } kCases[] = {
      {"\"format_version\": 1", "\"format_version\": 0", "expected 1 or more"},
      {"\"format_version\": 1,", "", "'format_version' is missing"},
      {"\"format_version\": 1", "\"format_version\": \"1\"", "expected an integer"},
      {"\"container\": \"hdf5\"", "\"container\": 5", "'container'"},
      {"\"name\":\"tp_rank_00", "\"name\":\"../tp_rank_00", "no plain file name"},
      {"\"name\":\"tp_rank_00_pp_rank_000.h5\"", "\"name\":\"..\"", "no plain file name"},
      {"\"name\":\"tp_rank_00_pp_rank_000.h5\"", "\"name\":\"\"", "no plain file name"},
      {"\"name\":\"tp_rank_00_pp_rank_000.h5\"", "\"name\":\"a\\u0000b\"", "no plain file name"},
      {"\"name\":\"tp_rank_00", "\"name\":\"/tp_rank_00", "no plain file name"},
      {"\"name\":\"tp_rank_00", "\"name\":\"tp_rank_01", "listed twice"},
      {"\"file\":\"tp_rank_00", "\"file\":\"tp_rank_07", "is not listed"},
      {"\"size_bytes\":20000", "\"size_bytes\":-1", "expected 0 or more"},
      {"\"size_bytes\":20000", "\"size_bytes\":4100", "end past"},
      {"\"metadata_xxh3\":\"0123", "\"metadata_xxh3\":\"012", "32 lower-case"},
      {"\"xxh3\":\"0123", "\"xxh3\":\"01 3", "32 lower-case"},
      {"\"byte_offset\":4096", "\"byte_offset\":8190", "share bytes"},
      {"\"byte_offset\":4096", "\"byte_offset\":9223372036854775807", "end past"},
      {"\"bytes\":16", "\"bytes\":17", "needs 16"},
      {"\"dtype\":\"BF16\"", "\"dtype\":\"F64\"", "needs 64"},
      {"\"shard_rule\":\"replicate\"", "\"shard_rule\":\"random\"", "random"},
      {"\"shape\":[8],\"dtype\"", "\"shape\":[-8],\"dtype\"", "not possible"},
      {"\"shape\":[8],\"dtype\"", "\"shape\":[4],\"dtype\"", "leaves the tensor's shape"},
      {"\"shape\":[8],\"parts\"", "\"shape\":[9],\"parts\"", "do not fill shape"},
      {"\"shape\":[8],\"parts\"", "\"shape\":[7],\"parts\"", "does not follow"},
      {"\"shape\":[8],\"parts\"", "\"shape\":[8,1],\"parts\"", "does not follow"},
      {"\"offset\":[6,0]", "\"offset\":[7,0]", "leaves the tensor's shape"},
      {"\"offset\":[6,0]", "\"offset\":[9223372036854775807,0]", "leaves the tensor's shape"},
      {"\"local\":[3,0]", "\"local\":[2,0]", "does not follow"},
      {"\"extent\":[3,2]", "\"extent\":[2,2]", "does not follow"},
      {"\"stored_name\":\"qkv\",\"shape\":[5", "\"stored_name\":\"norm\",\"shape\":[5",
       "holds 'norm' twice"},
      {"\"name\":\"qkv\",\"shape\":[8", "\"name\":\"zzz\",\"shape\":[8", "names must ascend"},
      {"\"num_layers\":2", "\"num_layers\":0", "num_layers"},
      {"\"num_layers\":2", "\"layers\":2", "num_layers"},
      {"\"tp\":2", "\"tp\":3", "tensor-parallel size 3"},
      {"\"tp\":2", "\"tp\":-1", "tensor-parallel size -1"},
      {"\"kind\":\"nemo\"", "\"kind\":null", "'kind'"},
      {"\"tensors\"", "\"other\"", "'tensors' is missing"},
      {"{\n", "[{\n", "not valid JSON"},
  };
  const std::string text = ToJsonText(Sample());
  for (const auto& c : kCases) {
    const auto manifest = ParseManifest(Replaced(text, c.from, c.to));
    ASSERT_FALSE(manifest) << c.to;
    EXPECT_EQ(manifest.error().code(), StatusCode::kCorruption) << manifest.error().message();
    EXPECT_NE(manifest.error().message().find(c.message), std::string::npos)
        << c.to << ": " << manifest.error().message();
  }
}

TEST(Manifest, NamesTheContainersAndTypesItKnows) {
  const struct {
    const char* from;
    const char* to;
    const char* message;
  } kCases[] = {
      {"\"hdf5\"", "\"netcdf\"", "hdf5, safetensors"},
      {"\"dtype\":\"BF16\"", "\"dtype\":\"Q4\"", "tensors[0] norm: dtype 'Q4' is not known"},
  };
  for (const auto& c : kCases) {
    const auto manifest = ParseManifest(Replaced(ToJsonText(Sample()), c.from, c.to));
    ASSERT_FALSE(manifest) << c.to;
    EXPECT_EQ(manifest.error().code(), StatusCode::kUnsupported);
    EXPECT_NE(manifest.error().message().find(c.message), std::string::npos)
        << manifest.error().message();
  }
}

TEST(Manifest, RefusesEveryTruncation) {
  const std::string text = ToJsonText(Sample());
  for (size_t size = 0; size + 2 < text.size(); ++size) {
    EXPECT_FALSE(ParseManifest(text.substr(0, size))) << size;
  }
}

TEST(Manifest, SurvivesEveryChangedByte) {
  std::string text = ToJsonText(Sample());
  for (size_t at = 0; at < text.size(); ++at) {
    for (const char other : {'9', '-', '"', ']', '}', '\0', '\xff'}) {
      const char kept = std::exchange(text[at], other);
      static_cast<void>(ParseManifest(text).has_value());
      text[at] = kept;
    }
  }
}

}  // namespace
}  // namespace nemo
