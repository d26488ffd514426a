// Broken, hostile and unusual archives: tests/golden/hostile/hostile.tar.xz, verdicts in
// tests/golden/manifest.json.
#include <cstdlib>
#include <set>

#include <gtest/gtest.h>

#include "formats/nemo/nemo.h"
#include "libcore/base/json.h"
#include "tests/formats/nemo/hf_truth.h"
#include "tests/testing.h"

namespace nemo {
namespace {

using testing::GoldenPath;

class NemoHostile : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = new testing::TempDir();
    unpacked_ = std::system(("tar xJf '" + GoldenPath("hostile/hostile.tar.xz") + "' -C '" +
                             folder_->path() + "'")
                                .c_str()) == 0;
  }
  static void TearDownTestSuite() {
    delete folder_;
    folder_ = nullptr;
  }
  void SetUp() override {
    if (!unpacked_) GTEST_SKIP() << "tar cannot unpack hostile.tar.xz; install xz-utils";
  }
  static Result<Checkpoint> Open(const std::string& name) {
    return OpenNemo(*folder_ / ("hostile_public/" + name + ".nemo"));
  }

  static testing::TempDir* folder_;
  static bool unpacked_;
};
testing::TempDir* NemoHostile::folder_ = nullptr;
bool NemoHostile::unpacked_ = false;

TEST_F(NemoHostile, RefusalsNameThePlaceAndTheCause) {
  struct Case {
    const char* name;
    StatusCode code;
    std::vector<const char*> words;
  };
  const Case cases[] = {
      {"tar_traversal", StatusCode::kCorruption, {"unsafe", "../escape.txt", "'..'"}},
      {"tar_absolute", StatusCode::kCorruption, {"unsafe", "/tmp/nemo_escape_abs", "absolute"}},
      {"tar_symlink", StatusCode::kCorruption, {"unsafe", "./lnk", "symbolic link"}},
      {"tar_truncated", StatusCode::kCorruption, {"truncated", "model_weights"}},
      {"tar_bad_checksum", StatusCode::kCorruption, {"byte 0", "checksum"}},
      {"tar_empty", StatusCode::kCorruption, {"model_config.yaml is missing"}},
      {"not_an_archive", StatusCode::kCorruption, {"not an archive"}},
      {"yaml_bomb", StatusCode::kCorruption, {"model_config.yaml", "1000000"}},
      {"yaml_deep", StatusCode::kCorruption, {"model_config.yaml"}},
      {"yaml_invalid", StatusCode::kCorruption, {"model_config.yaml", "YAML"}},
      {"cfg_missing_layers",
       StatusCode::kCorruption,
       {"model_config.yaml", "num_layers is missing"}},
      {"cfg_wrong_type", StatusCode::kCorruption, {"hidden_size", "'many'", "integer"}},
      {"cfg_groups_not_divisor", StatusCode::kCorruption, {"num_query_groups 3"}},
      {"cfg_disagrees_layers", StatusCode::kCorruption, {"num_layers 5", "2 layers"}},
      {"cfg_unsupported_norm", StatusCode::kUnsupported, {"normalization", "rmsnorm"}},
      {"cfg_tokenizer_absent",
       StatusCode::kCorruption,
       {"missing tokenizer", "deadbeef_absent.model"}},
      {"no_config", StatusCode::kCorruption, {"model_config.yaml is missing"}},
      {"pickle_os_system", StatusCode::kCorruption, {"data.pkl", "unsafe", "system"}},
      {"pickle_unknown_opcode", StatusCode::kCorruption, {"data.pkl", "opcode 0xff"}},
      {"pickle_truncated", StatusCode::kCorruption, {"data.pkl", "truncated"}},
      {"pickle_deep", StatusCode::kCorruption, {"data.pkl", "1000"}},
      {"pickle_not_a_dict", StatusCode::kCorruption, {"model_weights.ckpt", "a list"}},
      {"tensor_storage_short", StatusCode::kCorruption, {"tensor model.", "too small"}},
      {"tensor_negative_stride", StatusCode::kCorruption, {"tensor model.", "stride"}},
      {"tensor_size_overflow", StatusCode::kCorruption, {"tensor model.", "shape"}},
      {"storage_absent", StatusCode::kCorruption, {"tensor model.", "storage", "missing"}},
      {"missing_layer",
       StatusCode::kCorruption,
       {"decoder.layers.1.self_attention.linear_qkv.weight is missing"}},
      {"shape_mismatch",
       StatusCode::kCorruption,
       {"decoder.layers.0.mlp.linear_fc1.weight", "[32, 64]", "[64, 32]"}},
      {"zip_truncated", StatusCode::kCorruption, {"model_weights.ckpt", "truncated"}},
      {"zip_bomb", StatusCode::kUnsupported, {"model_weights.ckpt", "compressed"}},
      {"zip_duplicate_entry", StatusCode::kCorruption, {"data/0", "duplicate"}},
      {"duplicate_key", StatusCode::kCorruption, {"duplicate key 'model."}},
      {"rank_missing", StatusCode::kCorruption, {"missing rank", "mp_rank_01"}},
      {"rank_replicas_differ",
       StatusCode::kCorruption,
       {"replica mismatch", "decoder.final_layernorm.weight", "mp_rank_00", "mp_rank_01"}},
      {"zarr_missing_chunk", StatusCode::kCorruption, {"linear_fc1.weight/1.0.0", "missing"}},
      {"zarr_short_chunk", StatusCode::kCorruption, {"linear_fc1.weight/0.1.0", "expected"}},
      {"zarr_bad_json", StatusCode::kCorruption, {"linear_fc1.weight/.zarray", "JSON"}},
      {"zarr_huge_shape", StatusCode::kCorruption, {"linear_fc1.weight/.zarray", "shape"}},
      {"zarr_compressor", StatusCode::kUnsupported, {"linear_fc1.weight/.zarray", "blosc"}},
      {"zarr_chunk_grid", StatusCode::kCorruption, {"linear_fc1.weight/", "expected"}},
      {"zarr_common_evil", StatusCode::kCorruption, {"common.pt", "unsafe pickle", "system"}},
      {"dcp_offset_past_end", StatusCode::kCorruption, {".metadata", "past the end", ".distcp"}},
      {"dcp_path_escape", StatusCode::kCorruption, {".metadata", "unsafe path", "../etc/passwd"}},
      {"dcp_item_gone", StatusCode::kCorruption, {"linear_fc1.weight", "no storage entry"}},
      {"dcp_metadata_evil", StatusCode::kCorruption, {".metadata", "unsafe pickle", "system"}},
  };
  for (const Case& c : cases) {
    const auto checkpoint = Open(c.name);
    ASSERT_FALSE(checkpoint) << c.name;
    const std::string& message = checkpoint.error().message();
    EXPECT_EQ(checkpoint.error().code(), c.code) << c.name << ": " << message;
    for (const char* word : c.words) {
      EXPECT_NE(message.find(word), std::string::npos)
          << c.name << ": '" << word << "' in: " << message;
    }
  }
}

TEST_F(NemoHostile, UnusualArchivesAreRead) {
  for (const char* name : {"ok_tar_gnu", "ok_no_dot_slash", "ok_extra_files", "ok_gzip",
                           "ok_transposed_view", "ok_cuda_location"}) {
    SCOPED_TRACE(name);
    const auto checkpoint = Open(name);
    ASSERT_TRUE(checkpoint) << checkpoint.error().message();
    testing::ExpectEqualsHfModel(*checkpoint->source, checkpoint->config, "micro");
  }
}

/// Reads every tensor.
Status ReadAllTensors(const CanonicalSource& source) {
  for (const TensorSpec& spec : source.specs()) {
    std::vector<std::byte> out(static_cast<size_t>(spec.size_bytes()));
    NEMO_RETURN_IF_ERROR(source.Read(spec.name, Box::Whole(spec.shape), out));
  }
  return OkStatus();
}

TEST_F(NemoHostile, NothingThatMustBeRejectedIsRead) {
  const auto manifest = ParseJson(testing::ReadFileOrDie(GoldenPath("manifest.json")));
  ASSERT_TRUE(manifest) << manifest.error().message();
  for (const Value& hostile : manifest->Find("hostile")->as_array()) {
    const std::string file = *hostile.GetString("file");
    if (*hostile.GetString("expect") != "reject" || *hostile.GetString("tool") != "any") continue;
    const auto checkpoint = OpenNemo(*folder_ / file);
    // A checksum is only known to be wrong when the bytes are read.
    EXPECT_TRUE(!checkpoint || !ReadAllTensors(*checkpoint->source).ok()) << file;
  }
}

TEST_F(NemoHostile, AFlippedBitIsFoundWhenTheTensorIsRead) {
  const auto checkpoint = Open("zip_wrong_crc");
  ASSERT_TRUE(checkpoint) << checkpoint.error().message();
  const Status status = ReadAllTensors(*checkpoint->source);
  EXPECT_EQ(status.code(), StatusCode::kCorruption);
  EXPECT_NE(status.message().find("checksum"), std::string::npos) << status.message();
}

}  // namespace
}  // namespace nemo
