// The packagings of members through the suite that every sink passes: a torch file by itself, and
// in an archive between other members.
#include "formats/nemo/member_sink.h"
#include "formats/tar/tar.h"
#include "formats/torch/state_dict.h"
#include "tests/conformance/sink_suite.h"

namespace nemo::testing {
namespace {

const std::vector<DType> kTorchDTypes = {DType::kBool, DType::kU8,  DType::kI8,  DType::kI16,
                                         DType::kI32,  DType::kI64, DType::kF16, DType::kBF16,
                                         DType::kF32,  DType::kF64};
constexpr const char* kName = "tp_rank_00/model_weights.ckpt";

Member OneTorchFile(std::span<const SinkTensor> tensors) {
  std::vector<TensorSpec> specs;
  std::vector<size_t> indices;
  for (size_t i = 0; i < tensors.size(); ++i) {
    specs.push_back(tensors[i].spec);
    indices.push_back(i);
  }
  return TorchMember(kName, torch::FileLayout("weights", specs, torch::StateDictValue(specs)),
                     std::move(indices));
}

std::unique_ptr<TensorSink> CreateFile(const std::string& path) {
  return CreateMemberSink(path, Packaging::kFile, [](std::span<const SinkTensor> tensors) {
    return std::vector<Member>{OneTorchFile(tensors)};
  });
}

std::unique_ptr<TensorSink> CreateArchive(const std::string& path) {
  return CreateMemberSink(path, Packaging::kArchive, [](std::span<const SinkTensor> tensors) {
    return std::vector<Member>{FixedMember("config", "a: 1\n"), OneTorchFile(tensors),
                               FixedMember("behind", "")};
  });
}

Result<std::shared_ptr<TensorSource>> OpenTorch(std::shared_ptr<RandomAccessFile> file) {
  NEMO_ASSIGN_OR_RETURN(const auto torch_file, torch::OpenTorchFile(std::move(file)));
  NEMO_ASSIGN_OR_RETURN(
      const auto source,
      torch::OpenStateDict(torch_file, torch_file->pickle.root(), torch_file->name));
  return std::const_pointer_cast<TensorSource>(source);
}

Result<std::shared_ptr<TensorSource>> OpenAlone(const std::string& path) {
  NEMO_ASSIGN_OR_RETURN(auto file, OpenFile(path));
  return OpenTorch(std::move(file));
}

Result<std::shared_ptr<TensorSource>> OpenInArchive(const std::string& path) {
  NEMO_ASSIGN_OR_RETURN(auto file, OpenFile(path));
  NEMO_ASSIGN_OR_RETURN(const auto tree, OpenTar(std::move(file)));
  NEMO_ASSIGN_OR_RETURN(auto member, tree->Open(kName));
  return OpenTorch(std::move(member));
}

INSTANTIATE_TEST_SUITE_P(TorchFile, SinkSuite,
                         ::testing::Values(SinkUnderTest{CreateFile, OpenAlone, kTorchDTypes, 64,
                                                         /*notes_checksums=*/false}));
INSTANTIATE_TEST_SUITE_P(TorchFileInTar, SinkSuite,
                         ::testing::Values(SinkUnderTest{CreateArchive, OpenInArchive, kTorchDTypes,
                                                         64, /*notes_checksums=*/false}));

/// A folder is no single file for the suite to look at: its promises one by one.
class FolderSink : public ::testing::Test {
 protected:
  static std::vector<SinkTensor> Declaration() {
    return {{{"w/a.0", DType::kBF16, {4, 3}}, {}}, {{"w/a.1", DType::kBF16, {2, 3}}, {}}};
  }
  std::unique_ptr<TensorSink> Create() const {
    return CreateMemberSink(dir_ / "w", Packaging::kFolder, [](auto tensors) {
      return std::vector<Member>{TensorMember("w/a.0", 0, tensors[0].spec.size_bytes()),
                                 TensorMember("w/a.1", 1, tensors[1].spec.size_bytes()),
                                 FixedMember("w/.zarray", "{}")};
    });
  }
  static std::span<const std::byte> Bytes(std::string_view text) {
    return std::as_bytes(std::span(text));
  }
  /// Rows as 6 letters.
  static Status WriteRow(TensorSink& sink, const char* name, int64_t row, std::string_view text) {
    return WriteBlock(sink, name, Box{{row, 0}, {1, 3}}, Bytes(text));
  }
  static Status WriteFirstHalf(TensorSink& sink) {
    NEMO_RETURN_IF_ERROR(WriteRow(sink, "w/a.0", 3, "row--3"));
    return WriteRow(sink, "w/a.1", 0, "ROW--0");
  }
  static Status WriteSecondHalf(TensorSink& sink) {
    NEMO_RETURN_IF_ERROR(WriteRow(sink, "w/a.1", 1, "ROW--1"));
    for (const int64_t row : {1, 0, 2}) {
      NEMO_RETURN_IF_ERROR(WriteRow(sink, "w/a.0", row, "row--" + std::to_string(row)));
    }
    return OkStatus();
  }
  void ExpectFinished(TensorSink& sink) const {
    const std::string none(32, '0');
    const auto summary = sink.Finish({{"w/a.0", none}, {"w/a.1", none}});
    ASSERT_TRUE(summary) << summary.error().message();
    EXPECT_EQ(summary->size_bytes, 24 + 12 + 2);
    EXPECT_EQ(summary->metadata_xxh3, HashHex(Bytes("{}")));
    EXPECT_EQ(ReadFileOrDie(dir_ / "w/a.0"), "row--0row--1row--2row--3");
    EXPECT_EQ(ReadFileOrDie(dir_ / "w/a.1"), "ROW--0ROW--1");
    EXPECT_EQ(ReadFileOrDie(dir_ / "w/.zarray"), "{}");
    const auto files = OpenDirectory(dir_.path());
    ASSERT_TRUE(files);
    EXPECT_EQ((*files)->files().size(), 3u) << "nothing else is left";
  }

  TempDir dir_;
};

TEST_F(FolderSink, AppearsUnderItsNameOnlyWhenFinished) {
  const auto sink = Create();
  ASSERT_TRUE(sink->Declare(Declaration()).ok());
  ASSERT_TRUE(WriteFirstHalf(*sink).ok() && WriteSecondHalf(*sink).ok());
  EXPECT_EQ(KindOf(dir_ / "w"), PathKind::kAbsent);
  ExpectFinished(*sink);
}

TEST_F(FolderSink, GoesOnWhereAStoppedRunWas) {
  {
    const auto stopped = Create();
    ASSERT_TRUE(stopped->Declare(Declaration()).ok());
    ASSERT_TRUE(WriteFirstHalf(*stopped).ok());
  }
  ASSERT_TRUE(RemoveAll(dir_ / "w.partial/.zarray").ok());
  const auto sink = Create();
  ASSERT_TRUE(sink->Resume(Declaration()).ok());
  std::string row(6, '?');
  const auto out = std::as_writable_bytes(std::span(row));
  ASSERT_TRUE(sink->Recall("w/a.0", Box{{3, 0}, {1, 3}}, out).ok());
  EXPECT_EQ(row, "row--3");
  ASSERT_TRUE(WriteSecondHalf(*sink).ok());
  ExpectFinished(*sink);
}

TEST_F(FolderSink, TakesUpAFinishedFolder) {
  const auto first = Create();
  ASSERT_TRUE(first->Declare(Declaration()).ok());
  ASSERT_TRUE(WriteFirstHalf(*first).ok() && WriteSecondHalf(*first).ok());
  ExpectFinished(*first);
  const auto sink = Create();
  ASSERT_TRUE(sink->Resume(Declaration()).ok());
  EXPECT_EQ(KindOf(dir_ / "w"), PathKind::kAbsent) << "unfinished again until Finish";
  ExpectFinished(*sink);
}

}  // namespace
}  // namespace nemo::testing
