// Checkpoints written by hand: what is read, and what is refused. Those of Megatron Core are read
// in tests/formats/nemo/dist_checkpoint_test.cc.
#include "formats/dcp/dcp.h"

#include <sys/resource.h>

#include <gtest/gtest.h>

#include "libcore/base/format.h"
#include "tests/conformance/sample_tensors.h"
#include "tests/conformance/source_suite.h"
#include "tests/formats/dcp/dcp_bytes.h"
#include "tests/formats/dcp/pickle_bytes.h"

namespace nemo::testing {
namespace {

bool Everything(std::string_view) { return true; }

std::shared_ptr<MemorySource> Truth() {
  return std::make_shared<MemorySource>(SampleSource({{"model.b", DType::kBF16, {5, 6}},
                                                      {"model.a", DType::kI32, {2, 2, 3}},
                                                      {"model.c", DType::kU8, {}},
                                                      {"model.e", DType::kF32, {0, 3}}}));
}

DcpFiles SampleFiles(const MemorySource& truth) {
  DcpFiles files(truth);
  files.Add("model.b", {{3, 0}, {2, 4}}, "__1_0.distcp");
  files.Add("model.a", {{1, 0, 0}, {1, 2, 3}}, "__0_0.distcp");
  files.Add("model.b", {{0, 0}, {3, 4}}, "__0_0.distcp");
  files.Add("model.b", {{0, 4}, {3, 2}}, "__0_1.distcp");
  files.Add("model.a", {{0, 0, 0}, {1, 2, 3}}, "__0_1.distcp");
  files.Add("model.b", {{3, 4}, {2, 2}}, "__1_0.distcp");
  files.Add("model.c", {{}, {}}, "__1_0.distcp");
  files.Add("model.e", {{0, 0}, {0, 3}}, "__1_0.distcp");
  return files;
}

SourceUnderTest HandWritten(const TempDir& folder) {
  const auto truth = Truth();
  for (const auto& [name, bytes] : SampleFiles(*truth).Files()) {
    WriteFileOrDie(folder / ("weights/" + name), bytes);
  }
  const auto tree = OpenDirectory(folder.path());
  EXPECT_TRUE(tree) << tree.error().message();
  auto source = OpenDcp(*tree, "weights", Everything);
  EXPECT_TRUE(source) << source.error().message();
  return {source ? *source : nullptr, truth};
}

INSTANTIATE_TEST_SUITE_P(Dcp, SourceSuite, ::testing::Values(HandWritten));

Result<std::shared_ptr<TensorSource>> Open(const std::map<std::string, std::string>& files) {
  return OpenDcp(MemoryTree("memory", files), "", Everything);
}

void ExpectRefused(const std::map<std::string, std::string>& files, StatusCode code,
                   const std::vector<std::string>& words) {
  const auto source = Open(files);
  ASSERT_FALSE(source) << words.front();
  EXPECT_EQ(source.error().code(), code) << source.error().message();
  for (const std::string& word : words) {
    EXPECT_NE(source.error().message().find(word), std::string::npos)
        << "'" << word << "' in: " << source.error().message();
  }
}

TEST(Dcp, NamesTheFilesThatABoxMeets) {
  const auto truth = Truth();
  const auto source = OpenDcp(MemoryTree("memory", SampleFiles(*truth).Files()), "", Everything);
  ASSERT_TRUE(source) << source.error().message();
  using Files = std::vector<std::string>;
  EXPECT_EQ((*source)->FilesOf("model.b", {{0, 0}, {1, 4}}), Files{"__0_0.distcp"});
  EXPECT_EQ((*source)->FilesOf("model.b", {{2, 0}, {2, 1}}),
            (Files{"__0_0.distcp", "__1_0.distcp"}));
}

TEST(Dcp, TouchesOnlyTheChunksThatABoxMeets) {
  const auto truth = Truth();
  DcpFiles files = SampleFiles(*truth);
  files.data_files()["__1_0.distcp"].assign(files.data_files()["__1_0.distcp"].size(), 'x');
  const auto source = Open(files.Files());
  ASSERT_TRUE(source) << source.error().message();
  std::vector<std::byte> out(3 * 6 * 2);
  EXPECT_TRUE((*source)->Read("model.b", {{0, 0}, {3, 6}}, out).ok());
  out.resize(4 * 6 * 2);
  const Status status = (*source)->Read("model.b", {{0, 0}, {4, 6}}, out);
  EXPECT_EQ(status.code(), StatusCode::kUnsupported);
  EXPECT_NE(status.message().find("tensor model.b: __1_0.distcp (bytes 0.."), std::string::npos)
      << status.message();
}

TEST(Dcp, LeavesOutWhatIsNotWanted) {
  const auto truth = Truth();
  DcpFiles files = SampleFiles(*truth);
  files.tensors()[0].dtype = "complex64";  // model.b
  const auto source = OpenDcp(MemoryTree("memory", files.Files()), "",
                              [](std::string_view name) { return name != "model.b"; });
  ASSERT_TRUE(source) << source.error().message();
  EXPECT_EQ((*source)->specs().size(), 3u);
}

/// Lowers the number of files that the process may hold open for the life of the object.
class OpenFileLimit {
 public:
  explicit OpenFileLimit(rlim_t limit) {
    getrlimit(RLIMIT_NOFILE, &before_);
    const rlimit lowered{limit, before_.rlim_max};
    setrlimit(RLIMIT_NOFILE, &lowered);
  }
  ~OpenFileLimit() { setrlimit(RLIMIT_NOFILE, &before_); }

 private:
  rlimit before_;
};

TEST(Dcp, MoreFilesThanAProcessMayHoldOpenAreRead) {
  MemorySource truth = SampleSource({{"t", DType::kBF16, {300, 2}}});
  DcpFiles files(truth);
  const TempDir folder;
  for (int64_t row = 0; row < 300; ++row) {
    files.Add("t", {{row, 0}, {1, 2}}, Format("__{}_0.distcp", row));
  }
  for (const auto& [name, bytes] : files.Files()) WriteFileOrDie(folder / name, bytes);
  const OpenFileLimit limit(128);
  const auto tree = OpenDirectory(folder.path());
  ASSERT_TRUE(tree) << tree.error().message();
  const auto source = OpenDcp(*tree, "", Everything);
  ASSERT_TRUE(source) << source.error().message();
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(ReadTensorOrDie(**source, "t"), ReadTensorOrDie(truth, "t"));
  }
}

TEST(Dcp, MetadataThatDoesNotHoldTogetherIsRefused) {
  using Change = void (*)(std::vector<MetadataTensor>&);  // [0] is model.b, [1] model.a
  constexpr auto kCorruption = StatusCode::kCorruption;
  const struct {
    StatusCode code;
    std::vector<std::string> words;
    Change change;
  } cases[] = {
      {kCorruption,
       {"model.b", "the chunk at [3, 0] has no storage entry"},
       [](auto& t) { t[0].chunks[0].has_storage = false; }},
      {kCorruption,
       {"model.b", "3 chunks do not fill shape [5, 6]"},
       [](auto& t) { t[0].chunks.pop_back(); }},
      {kCorruption, {"model.b", "do not fill shape [6, 6]"}, [](auto& t) { t[0].shape[0] = 6; }},
      {kCorruption,
       {"model.b", "leaves the tensor's shape [4, 6]"},
       [](auto& t) { t[0].shape[0] = 4; }},
      {kCorruption,
       {"model.b"},
       [](auto& t) {
         t[0].shape = {INT64_MAX, INT64_MAX};
       }},
      {kCorruption,
       {"model.b"},
       [](auto& t) {
         t[0].chunks[0].box.extent = {-2, -4};
       }},
      {kCorruption,
       {"model.b", "two storage entries"},
       [](auto& t) { t[0].chunks.push_back(t[0].chunks[0]); }},
      {kCorruption,
       {"model.b", "unsafe path", "../../etc/passwd"},
       [](auto& t) { t[0].chunks[0].relative_path = "../../etc/passwd"; }},
      {kCorruption,
       {"model.b", "unsafe path"},
       [](auto& t) { t[0].chunks[0].relative_path = ".."; }},
      {kCorruption,
       {"model.b", "'__7_0.distcp' is missing"},
       [](auto& t) { t[0].chunks[0].relative_path = "__7_0.distcp"; }},
      {kCorruption,
       {"model.b", "past the end of '__1_0.distcp'"},
       [](auto& t) { t[0].chunks[0].offset_bytes = int64_t{1} << 40; }},
      {kCorruption,
       {"model.b", "bytes at byte"},
       [](auto& t) {
         t[0].chunks[0].size_bytes = INT64_MAX;
         t[0].chunks[0].offset_bytes = 1;
       }},
      {kCorruption, {"model.b", "-1"}, [](auto& t) { t[0].chunks[0].offset_bytes = -1; }},
      {kCorruption,
       {"overlap in '__1_0.distcp'"},
       [](auto& t) { t[0].chunks[3].offset_bytes = 10; }},
      {StatusCode::kUnsupported,
       {"model.b", "'zstd'"},
       [](auto& t) { t[0].chunks[0].transform = "zstd"; }},
      {StatusCode::kUnsupported,
       {"model.b", "complex64"},
       [](auto& t) { t[0].dtype = "complex64"; }},
      {kCorruption, {"a name of 5000 bytes"}, [](auto& t) { t[0].name = std::string(5000, 'n'); }},
  };
  const auto truth = Truth();
  for (const auto& c : cases) {
    DcpFiles files = SampleFiles(*truth);
    c.change(files.tensors());
    ExpectRefused(files.Files(), c.code, c.words);
  }
}

TEST(Dcp, AMetadataOfAnotherShapeIsRefused) {
  const struct {
    std::string bytes;
    const char* words;
  } cases[] = {
      {"", ".metadata"},
      {"no pickle", ".metadata"},
      {Pickle(Int(1)), "has no field 'storage_data'"},
      {Pickle(Dict({})), "has no field 'storage_data'"},
      {Pickle(Object(Global("m", "Metadata"), Dict({{Text("storage_data"), Dict({})}}))),
       "has no field 'state_dict_metadata'"},
      {Pickle(Call(Global("os", "system"), Tuple({Text("true")}))), "unsafe pickle"},
  };
  for (const auto& c : cases) {
    ExpectRefused({{".metadata", c.bytes}}, StatusCode::kCorruption, {c.words});
  }
  ExpectRefused({{"__0_0.distcp", ""}}, StatusCode::kCorruption, {".metadata is missing"});
}

TEST(Dcp, AnItemThatIsAnotherTensorIsRefusedWhenItIsRead) {
  const auto truth = Truth();
  for (const bool other_shape : {true, false}) {
    DcpFiles files = SampleFiles(*truth);
    MetadataTensor& a = files.tensors()[1];
    if (other_shape) {
      std::swap(a.chunks[0].box.extent[0], a.chunks[0].box.extent[1]);
      a.shape = {2, 1, 3};
      a.chunks = {a.chunks[0]};
      a.chunks[0].box.offset[0] = 0;
    } else {
      a.dtype = "float32";
    }
    const auto source = Open(files.Files());
    ASSERT_TRUE(source) << source.error().message();
    const TensorSpec* spec = FindSpec((*source)->specs(), "model.a");
    std::vector<std::byte> out(static_cast<size_t>(spec->size_bytes()));
    const Status status = (*source)->Read("model.a", Box::Whole(spec->shape), out);
    EXPECT_EQ(status.code(), StatusCode::kCorruption);
    EXPECT_NE(status.message().find("the item is a I32 tensor of shape [1, 2, 3]"),
              std::string::npos)
        << status.message();
  }
}

TEST(Dcp, AShapeOfVeryManyAxesIsRefusedBeforeItIsCopied) {
  const Opcodes properties = Object(Global("m", "P"), Tuple({Global("torch", "bfloat16")}));
  const Opcodes tensor = Object(Global("m", "TensorStorageMetadata"),
                                Dict({{Text("properties"), properties},
                                      {Text("size"), Size(std::vector<int64_t>(1'000'000, 1))},
                                      {Text("chunks"), List({})}}));
  const std::string bytes =
      Pickle(Object(Global("m", "Metadata"),
                    Dict({{Text("storage_data"), Dict({})},
                          {Text("state_dict_metadata"), Dict({{Text("model.b"), tensor}})}})));
  ExpectRefused({{".metadata", bytes}}, StatusCode::kCorruption,
                {"tensor model.b: size: expected at most 32 integers"});
}

TEST(Dcp, AnyDamageToTheMetadataIsAnErrorOrHarmless) {
  const auto truth = Truth();
  const std::map<std::string, std::string> files = SampleFiles(*truth).Files();
  const std::string& whole = files.at(".metadata");
  for (size_t size = 0; size < whole.size(); ++size) {
    std::map<std::string, std::string> cut = files;
    cut[".metadata"].resize(size);
    EXPECT_FALSE(Open(cut)) << size;
  }
  for (size_t at = 0; at < whole.size(); ++at) {
    for (const char flip : {'\x01', '\x80'}) {
      std::map<std::string, std::string> flipped = files;
      flipped[".metadata"][at] ^= flip;
      const auto source = Open(flipped);
      if (!source) continue;
      for (const TensorSpec& spec : (*source)->specs()) {
        std::vector<std::byte> out(static_cast<size_t>(spec.size_bytes()));
        static_cast<void>((*source)->Read(spec.name, Box::Whole(spec.shape), out).ok());
      }
    }
  }
}

TEST(Dcp, AnyDamageToAnItemIsFoundOrHarmless) {
  const auto truth = Truth();
  DcpFiles files = SampleFiles(*truth);
  std::string& data = files.data_files()["__0_0.distcp"];
  const std::string whole = data;
  const auto expected = ReadTensorOrDie(*truth, "model.b");
  for (size_t at = 0; at < whole.size(); ++at) {
    data = whole;
    data[at] ^= '\x04';
    const auto source = Open(files.Files());
    ASSERT_TRUE(source) << source.error().message();
    std::vector<std::byte> out(expected.size());
    const bool read = (*source)->Read("model.b", {{0, 0}, {5, 6}}, out).ok();
    EXPECT_TRUE(!read || out == expected) << at;
  }
}

}  // namespace
}  // namespace nemo::testing
