// State dicts in every form, element by element; then the same files damaged.
#include "formats/torch/state_dict.h"

#include <gtest/gtest.h>

#include "formats/torch/tensor.h"
#include "formats/torch/torch_file.h"
#include "libcore/base/format.h"
#include "tests/conformance/source_suite.h"
#include "tests/formats/torch/golden.h"

namespace nemo::testing {
namespace {

SourceFactory Golden(const std::string& file, const std::string& form) {
  return [=](const TempDir&) {
    auto source = OpenRoot(MemoryFile(file, GoldenTorchBytes(file)));
    EXPECT_TRUE(source) << source.error().message();
    return SourceUnderTest{*source, ExpectedTensors(form)};
  };
}

INSTANTIATE_TEST_SUITE_P(TorchZip, SourceSuite, ::testing::Values(Golden("zip.pt", "zip")));
INSTANTIATE_TEST_SUITE_P(TorchZip64, SourceSuite, ::testing::Values(Golden("zip64.pt", "zip")));
INSTANTIATE_TEST_SUITE_P(TorchDescriptors, SourceSuite,
                         ::testing::Values(Golden("descriptors.pt", "zip")));
INSTANTIATE_TEST_SUITE_P(TorchStream, SourceSuite,
                         ::testing::Values(Golden("stream.pt", "stream")));

/// Opens and reads every tensor.
Status ReadEverything(const std::string& bytes) {
  NEMO_ASSIGN_OR_RETURN(const auto source, OpenRoot(MemoryFile("x.pt", bytes)));
  for (const TensorSpec& spec : source->specs()) {
    std::vector<std::byte> out(static_cast<size_t>(spec.size_bytes()));
    NEMO_RETURN_IF_ERROR(source->Read(spec.name, Box::Whole(spec.shape), out));
  }
  return OkStatus();
}

TEST(TorchFile, CutAnywhereIsRefused) {
  for (const char* name : {"zip.pt", "zip64.pt", "descriptors.pt", "stream.pt"}) {
    const std::string whole = GoldenTorchBytes(name);
    ASSERT_TRUE(ReadEverything(whole).ok()) << name;
    for (size_t size = 0; size < whole.size(); ++size) {
      const Status status = ReadEverything(whole.substr(0, size));
      ASSERT_EQ(status.code(), StatusCode::kCorruption) << name << " " << size;
    }
  }
}

TEST(TorchFile, AnyFlippedBitOfAnEntryIsRefusedOrDoesNoHarm) {
  // Bits of time stamps and versions mean nothing to a reader; no flip may crash or change a
  // tensor.
  for (const char* name : {"zip.pt", "zip64.pt", "descriptors.pt"}) {
    const std::string whole = GoldenTorchBytes(name);
    const auto truth = ExpectedTensors("zip");
    for (size_t at = 0; at < whole.size(); ++at) {
      std::string damaged = whole;
      damaged[at] = static_cast<char>(damaged[at] ^ (1 << (at % 8)));
      if (!ReadEverything(damaged).ok()) continue;
      const auto source = OpenRoot(MemoryFile("x.pt", damaged));
      for (const TensorSpec& spec : (*source)->specs()) {
        ASSERT_NE(FindSpec(truth->specs(), spec.name), nullptr) << name << " " << at;
        ASSERT_EQ(ReadTensorOrDie(**source, spec.name), ReadTensorOrDie(*truth, spec.name))
            << name << " " << at;
      }
    }
  }
}

TEST(TorchFile, AFlippedBitOfTheStreamFormDoesNotCrash) {
  // There are no checksums: damage of the weights themselves cannot be seen.
  const std::string whole = GoldenTorchBytes("stream.pt");
  for (size_t at = 0; at < whole.size(); ++at) {
    for (const int bit : {0, 3, 7}) {
      std::string damaged = whole;
      damaged[at] = static_cast<char>(damaged[at] ^ (1 << bit));
      static_cast<void>(ReadEverything(damaged).ok());
    }
  }
}

TEST(TorchFile, RefusalsNameTheCause) {
  const auto replaced = [](const char* file, std::string from, const std::string& to) {
    std::string bytes = GoldenTorchBytes(file);
    const size_t at = bytes.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    return bytes.replace(at, from.size(), to);
  };
  const struct {
    const char* what;
    std::string bytes;
    StatusCode code;
    const char* words;
  } cases[] = {
      {"empty", "", StatusCode::kCorruption, "not a file of torch.save"},
      {"text", "weights", StatusCode::kCorruption, "not a file of torch.save"},
      {"compressed", GoldenTorchBytes("compressed.pt"), StatusCode::kUnsupported, "compressed"},
      {"wrong checksum", replaced("zip.pt", "little", "big   "), StatusCode::kCorruption, "CRC-32"},
      {"the magic alone", GoldenTorchBytes("stream.pt").substr(0, 15), StatusCode::kCorruption,
       "truncated"},
      {"another protocol", replaced("stream.pt", std::string("M\xe9\x03."), "M\xea\x03."),
       StatusCode::kUnsupported, "protocol 1002"},
      {"big-endian stream",
       replaced("stream.pt", std::string("little_endianq\x02\x88"), "little_endianq\x02\x89"),
       StatusCode::kUnsupported, "big-endian"},
  };
  for (const auto& c : cases) {
    const Status status = ReadEverything(c.bytes);
    EXPECT_EQ(status.code(), c.code) << c.what << ": " << status.message();
    EXPECT_NE(status.message().find(c.words), std::string::npos)
        << c.what << ": " << status.message();
    EXPECT_TRUE(status.message().starts_with("x.pt")) << status.message();
  }
}

TEST(TorchTensor, LargerThanItsStorageIsNotRead) {
  std::vector<std::byte> out(16);
  const torch::StridedTensor expanded{DType::kF32, {4}, {0}, 0, MemoryFile("0", "four")};
  const Status status = torch::ReadTensor(expanded, Box::Whole({4}), out);
  EXPECT_EQ(status.code(), StatusCode::kUnsupported);
  EXPECT_NE(status.message().find("expanded"), std::string::npos) << status.message();
}

TEST(TorchStateDict, NamesOfDictsInsideAreJoined) {
  const auto source = OpenRoot(MemoryFile("x.pt", GoldenTorchBytes("zip.pt")));
  ASSERT_TRUE(source) << source.error().message();
  EXPECT_NE(FindSpec((*source)->specs(), "nested.inner.weight"), nullptr);
  EXPECT_EQ(FindSpec((*source)->specs(), "fp8._extra_state"), nullptr);
  EXPECT_EQ((*source)->FilesOf("plain", Box{}), std::vector<std::string>{"x.pt"});
}

}  // namespace
}  // namespace nemo::testing
