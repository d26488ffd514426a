#include "formats/zarr/zarr.h"

#include <map>
#include <string>

#include <gtest/gtest.h>

#include "formats/zarr/array_metadata.h"
#include "libcore/base/format.h"
#include "tests/testing.h"

namespace nemo {
namespace {

using Files = std::map<std::string, std::string>;

/// A .zarray of int16 with one field replaced or added.
std::string Zarray(const std::string& shape, const std::string& chunks,
                   const std::string& field = "", const std::string& value = "") {
  std::map<std::string, std::string> fields = {
      {"chunks", chunks},  {"compressor", "null"}, {"dtype", "\"<i2\""}, {"fill_value", "null"},
      {"filters", "null"}, {"order", "\"C\""},     {"shape", shape},     {"zarr_format", "2"},
  };
  if (!field.empty()) fields[field] = value;
  std::string text;
  for (const auto& [key, v] : fields) {
    if (!v.empty()) text += Format("{}\"{}\": {}", text.empty() ? "{" : ", ", key, v);
  }
  return text + "}";
}

/// Elements 10*i + j of a [5, 3] array in chunks of [2, 2]; -1 pads the edges.
Files FiveByThree(const std::string& separator) {
  Files files = {
      {"w/t/.zarray", Zarray("[5, 3]", "[2, 2]", "dimension_separator", "\"" + separator + "\"")}};
  for (int ci = 0; ci < 3; ++ci) {
    for (int cj = 0; cj < 2; ++cj) {
      std::string chunk;
      for (int i = 2 * ci; i < 2 * ci + 2; ++i) {
        for (int j = 2 * cj; j < 2 * cj + 2; ++j) {
          const int16_t v = i < 5 && j < 3 ? static_cast<int16_t>(10 * i + j) : int16_t{-1};
          chunk += static_cast<char>(v & 0xff);
          chunk += static_cast<char>((v >> 8) & 0xff);
        }
      }
      files[Format("w/t/{}{}{}", ci, separator, cj)] = chunk;
    }
  }
  return files;
}

Result<std::shared_ptr<TensorSource>> Open(Files files) {
  return OpenZarr(testing::MemoryTree("tree", std::move(files)), "w");
}

TEST(Zarr, EveryBoxOfAChunkedArrayIsRight) {
  for (const char* separator : {".", "/"}) {
    const auto source = Open(FiveByThree(separator));
    ASSERT_TRUE(source) << source.error().message();
    ASSERT_EQ((*source)->specs().size(), 1u);
    EXPECT_EQ((*source)->specs()[0], (TensorSpec{"t", DType::kI16, {5, 3}}));
    for (int64_t i = 0; i < 5; ++i) {
      for (int64_t j = 0; j < 3; ++j) {
        for (int64_t ni = 0; ni <= 5 - i; ++ni) {
          for (int64_t nj = 0; nj <= 3 - j; ++nj) {
            std::vector<int16_t> out(static_cast<size_t>(ni * nj), -2);
            const Box box{{i, j}, {ni, nj}};
            const Status status = (*source)->Read("t", box, std::as_writable_bytes(std::span(out)));
            ASSERT_TRUE(status.ok()) << status.message();
            for (int64_t k = 0; k < ni * nj; ++k) {
              ASSERT_EQ(out[static_cast<size_t>(k)], 10 * (i + k / nj) + j + k % nj)
                  << ToString(box);
            }
          }
        }
      }
    }
  }
}

/// Remembers which files were opened.
class WatchedTree : public FileTree {
 public:
  explicit WatchedTree(std::shared_ptr<FileTree> tree) : tree_(std::move(tree)) {}
  const std::vector<std::string>& files() const override { return tree_->files(); }
  const std::string& name() const override { return tree_->name(); }
  Result<std::shared_ptr<RandomAccessFile>> Open(std::string_view name) const override {
    opened.emplace_back(name);
    return tree_->Open(name);
  }
  mutable std::vector<std::string> opened;

 private:
  std::shared_ptr<FileTree> tree_;
};

TEST(Zarr, ReadTouchesOnlyTheChunksThatTheBoxMeets) {
  const auto tree = std::make_shared<WatchedTree>(testing::MemoryTree("tree", FiveByThree(".")));
  const auto source = OpenZarr(tree, "w");
  ASSERT_TRUE(source) << source.error().message();
  tree->opened.clear();
  std::vector<std::byte> out(2 * 2);
  const Box box{{2, 1}, {2, 1}};
  ASSERT_TRUE((*source)->Read("t", box, out).ok());
  EXPECT_EQ(tree->opened, std::vector<std::string>{"w/t/1.0"});
  EXPECT_EQ((*source)->FilesOf("t", box), std::vector<std::string>{"w/t/1.0"});
  EXPECT_EQ((*source)->FilesOf("t", Box::Whole({5, 3})).size(), 6u);
}

TEST(Zarr, ReadChecksItsArguments) {
  const auto source = Open(FiveByThree("."));
  ASSERT_TRUE(source) << source.error().message();
  std::vector<std::byte> out(2);
  EXPECT_EQ((*source)->Read("u", {{0, 0}, {1, 1}}, out).code(), StatusCode::kNotFound);
  EXPECT_EQ((*source)->Read("t", {{5, 0}, {1, 1}}, out).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ((*source)->Read("t", {{0, 0}, {1, 2}}, out).code(), StatusCode::kInvalidArgument);
}

TEST(Zarr, DTypesOfMegatronAndNumpyAreKnown) {
  const struct {
    const char* text;
    DType dtype;
  } cases[] = {{"bfloat16", DType::kBF16}, {"|V2", DType::kBF16}, {"<V2", DType::kBF16},
               {"<f2", DType::kF16},       {"<f4", DType::kF32},  {"<f8", DType::kF64},
               {"<i4", DType::kI32},       {"<i8", DType::kI64},  {"|u1", DType::kU8},
               {"|i1", DType::kI8},        {"|b1", DType::kBool}};
  for (const auto& c : cases) {
    const auto source =
        Open({{"w/t/.zarray", Zarray("[1]", "[1]", "dtype", Format("\"{}\"", c.text))},
              {"w/t/0", std::string(static_cast<size_t>(SizeOf(c.dtype)), 'x')}});
    ASSERT_TRUE(source) << c.text << source.error().message();
    EXPECT_EQ((*source)->specs()[0].dtype, c.dtype) << c.text;
  }
}

TEST(Zarr, AScalarHasOneChunk) {
  const auto source = Open({{"w/t/.zarray", Zarray("[]", "[]")}, {"w/t/0", "ab"}});
  ASSERT_TRUE(source) << source.error().message();
  EXPECT_EQ(testing::ReadTensorOrDie(**source, "t").size(), 2u);
}

TEST(Zarr, OtherFilesAreLeftAlone) {
  Files files = FiveByThree(".");
  const std::string broken = "not json";
  files["w/a._extra_state/.zarray"] = broken;
  files["w/b.sync/.zarray"] = broken;
  files["w/deep/er/.zarray"] = broken;
  files["w/.zarray"] = broken;
  files["v/t/.zarray"] = broken;
  files["w/t/.zattrs"] = broken;
  files["w/common.pt"] = broken;
  const auto source = Open(files);
  ASSERT_TRUE(source) << source.error().message();
  EXPECT_EQ((*source)->specs().size(), 1u);
}

TEST(Zarr, TensorsAreSortedByName) {
  // '-' sorts before '/', '.' before '/' too: file order is not key order.
  Files files;
  for (const char* key : {"a", "a.b", "a-b"}) {
    files[Format("{}/.zarray", key)] = Zarray("[1]", "[1]");
    files[Format("{}/0", key)] = std::string(key).substr(0, 1) + key[std::string(key).size() - 1];
  }
  const auto source = OpenZarr(testing::MemoryTree("tree", files), "");
  ASSERT_TRUE(source) << source.error().message();
  std::vector<std::string> names;
  for (const TensorSpec& spec : (*source)->specs()) names.push_back(spec.name);
  EXPECT_EQ(names, (std::vector<std::string>{"a", "a-b", "a.b"}));
}

TEST(Zarr, DamagedMetadataIsRefused) {
  const struct {
    const char* field;
    const char* value;
    StatusCode code;
    const char* words;
  } cases[] = {
      {"zarr_format", "3", StatusCode::kUnsupported, "zarr_format 3"},
      {"zarr_format", "", StatusCode::kNotFound, "zarr_format"},
      {"shape", "", StatusCode::kNotFound, "shape"},
      {"shape", "7", StatusCode::kCorruption, "shape"},
      {"shape", "[5, 3.5]", StatusCode::kCorruption, "shape"},
      {"shape", "[5]", StatusCode::kCorruption, "fit"},
      {"shape", "[5, 0]", StatusCode::kCorruption, "positive"},
      {"shape", "[5, -3]", StatusCode::kCorruption, "positive"},
      {"shape", "[5, 4611686018427387904]", StatusCode::kCorruption, "shape"},
      {"shape", "[5, 1152921504606846976]", StatusCode::kCorruption, "shape"},
      {"shape", "[5, 1000000000000]", StatusCode::kCorruption, "missing"},
      {"shape", "[6, 5]", StatusCode::kCorruption, "missing"},
      {"chunks", "[2, 0]", StatusCode::kCorruption, "positive"},
      {"chunks", "[2, 4611686018427387904]", StatusCode::kCorruption, "chunks"},
      {"chunks", "[1, 2]", StatusCode::kCorruption, "expected 4"},
      {"chunks", "[2, 4]", StatusCode::kCorruption, "expected 16"},
      {"dtype", "\">i2\"", StatusCode::kUnsupported, ">i2"},
      {"dtype", "\"<c8\"", StatusCode::kUnsupported, "<c8"},
      {"dtype", "[[\"a\", \"<i2\"]]", StatusCode::kCorruption, "dtype"},
      {"dtype", "\"<f4\"", StatusCode::kCorruption, "expected 16"},
      {"order", "\"F\"", StatusCode::kUnsupported, "order"},
      {"compressor", "{\"id\": \"zstd\", \"level\": 3}", StatusCode::kUnsupported, "'zstd'"},
      {"compressor", "7", StatusCode::kUnsupported, "7"},
      {"filters", "[{\"id\": \"delta\"}]", StatusCode::kUnsupported, "'delta'"},
      {"dimension_separator", "\"-\"", StatusCode::kCorruption, "dimension_separator"},
  };
  for (const auto& c : cases) {
    Files files = FiveByThree(".");
    files["w/t/.zarray"] = Zarray("[5, 3]", "[2, 2]", c.field, c.value);
    const auto source = Open(files);
    ASSERT_FALSE(source) << c.field << " " << c.value;
    EXPECT_EQ(source.error().code(), c.code) << source.error().message();
    EXPECT_NE(source.error().message().find(c.words), std::string::npos)
        << source.error().message();
    EXPECT_NE(source.error().message().find("w/t/"), std::string::npos) << source.error().message();
  }
}

TEST(Zarr, TruncatedMetadataIsRefused) {
  Files files = FiveByThree(".");
  const std::string whole = files["w/t/.zarray"];
  for (size_t size = 0; size < whole.size(); ++size) {
    files["w/t/.zarray"] = whole.substr(0, size);
    EXPECT_FALSE(Open(files)) << size;
  }
}

TEST(Zarr, ChunksThatAreMissingOrOfAnotherSizeAreNamed) {
  for (const auto& [name, bytes] : FiveByThree(".")) {
    if (name.ends_with(".zarray")) continue;
    for (const int change : {-8, -1, 1}) {
      Files files = FiveByThree(".");
      files[name].resize(static_cast<size_t>(8 + change));
      if (change == -8) files.erase(name);
      const auto source = Open(files);
      ASSERT_FALSE(source) << name;
      EXPECT_EQ(source.error().code(), StatusCode::kCorruption);
      EXPECT_NE(source.error().message().find("'" + name + "'"), std::string::npos)
          << source.error().message();
    }
  }
}

TEST(Zarr, ItsMetadataAreWrittenAsMegatronCoreWroteThem) {
  const auto tree = OpenDirectory(testing::GoldenPath("nemo/tiny_zarr_tp4pp1_dir"));
  ASSERT_TRUE(tree) << tree.error().message();
  int compared = 0;
  for (const std::string& name : (*tree)->files()) {
    if (!name.ends_with("/.zarray")) continue;
    const std::string text = *ReadAll(**(*tree)->Open(name), 1 << 20);
    const auto array = zarr::ParseArrayMetadata(text);
    ASSERT_TRUE(array) << name;
    EXPECT_EQ(zarr::ArrayMetadataText(*array), text) << name;
    ++compared;
  }
  EXPECT_EQ(compared, 12);
}

}  // namespace
}  // namespace nemo
