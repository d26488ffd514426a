// Torch files laid out in advance, against those that torch itself made of the same tensors
// (tests/golden/torch/make_by_torch.py).
#include "formats/torch/file_layout.h"

#include <algorithm>
#include <cstring>

#include <gtest/gtest.h>

#include "formats/codec/crc32.h"
#include "formats/torch/torch_file.h"
#include "libcore/base/format.h"
#include "libcore/base/json.h"
#include "tests/formats/torch/golden.h"

namespace nemo::torch {
namespace {

using testing::GoldenTorchBytes;

constexpr DType kTypes[] = {DType::kBF16, DType::kF16, DType::kF32, DType::kF64, DType::kU8,
                            DType::kI8,   DType::kI16, DType::kI32, DType::kI64, DType::kBool};

struct Sample {
  TensorSpec spec;
  std::string bytes;
};

/// Byte i is (7 i + 13 seed) mod 256, of booleans the last bit of that.
Sample Pattern(std::string name, DType dtype, Shape shape, int64_t seed) {
  Sample sample{{std::move(name), dtype, std::move(shape)}, ""};
  for (int64_t i = 0; i < sample.spec.size_bytes(); ++i) {
    const int64_t byte = (7 * i + 13 * seed) % 256;
    sample.bytes += static_cast<char>(dtype == DType::kBool ? byte % 2 : byte);
  }
  return sample;
}

std::vector<Sample> Samples() {
  const char* const kNames[] = {"of_bfloat16", "of_float16", "of_float32", "of_float64", "of_uint8",
                                "of_int8",     "of_int16",   "of_int32",   "of_int64",   "of_bool"};
  std::vector<Sample> samples;
  for (size_t i = 0; i < std::size(kTypes); ++i) {
    samples.push_back(Pattern(kNames[i], kTypes[i], {2, 3}, static_cast<int64_t>(i)));
  }
  samples.push_back(Pattern("scalar", DType::kF32, {}, 20));
  samples.push_back(Pattern("no_elements", DType::kBF16, {0, 4}, 0));
  for (int64_t layer = 0; layer < 16; ++layer) {
    samples.push_back(Pattern(Format("decoder.layers.{}.weight", layer), DType::kBF16,
                              {layer + 1, 5, 7}, 30 + layer));
  }
  return samples;
}

std::vector<TensorSpec> SpecsOf(const std::vector<Sample>& samples) {
  std::vector<TensorSpec> specs;
  for (const Sample& sample : samples) specs.push_back(sample.spec);
  return specs;
}

/// The file that the layout of `samples` describes.
std::string Assemble(const FileLayout& layout, const std::vector<Sample>& samples) {
  std::string file(static_cast<size_t>(layout.size_bytes()), '?');
  const auto put = [&file](int64_t offset, const std::string& bytes) {
    file.replace(static_cast<size_t>(offset), bytes.size(), bytes);
  };
  std::vector<uint32_t> sums;
  for (size_t i = 0; i < samples.size(); ++i) {
    put(layout.data_offsets()[i], samples[i].bytes);
    sums.push_back(Crc32(std::as_bytes(std::span(samples[i].bytes))));
  }
  for (const Piece& piece : layout.Pieces(sums)) put(piece.offset_bytes, piece.bytes);
  EXPECT_EQ(static_cast<int64_t>(file.size()), layout.size_bytes());
  return file;
}

/// Torch adds one entry of its own behind ours, `.data/serialization_id`: what stands before it.
std::string BeforeTheLastEntry(const std::string& file) {
  return file.substr(0, file.find("archive/.data/serialization_id") - 30);
}

TEST(FileLayout, IsTheFileThatTorchWrites) {
  const auto samples = Samples();
  const auto specs = SpecsOf(samples);
  const std::string ours = Assemble(FileLayout("archive", specs, StateDictValue(specs)), samples);
  const std::string theirs = GoldenTorchBytes("by_torch.pt");
  const std::string entries = BeforeTheLastEntry(theirs);
  EXPECT_EQ(ours.substr(0, entries.size()), entries);
  // The central directory: the same records, as far as there are such entries.
  const size_t begin = theirs.find("PK\x01\x02");
  const size_t size = theirs.find("archive/.data/serialization_id", begin) - 46 - begin;
  EXPECT_EQ(ours.substr(entries.size(), size), theirs.substr(begin, size));
}

TEST(FileLayout, IsReadBack) {
  const auto samples = Samples();
  const auto specs = SpecsOf(samples);
  const std::string bytes = Assemble(FileLayout("x", specs, StateDictValue(specs)), samples);
  const auto source = testing::OpenRoot(testing::MemoryFile("x.pt", bytes));
  ASSERT_TRUE(source) << source.error().message();
  ASSERT_EQ((*source)->specs().size(), samples.size());
  for (const Sample& sample : samples) {
    const auto data = testing::ReadTensorOrDie(**source, sample.spec.name);
    EXPECT_EQ(std::string(reinterpret_cast<const char*>(data.data()), data.size()), sample.bytes)
        << sample.spec.name;
  }
}

TEST(FileLayout, BeyondFourGigabytesHasTheHeadersThatTorchWrites) {
  const std::vector<TensorSpec> specs = {{"before", DType::kBF16, {3}},
                                         {"large", DType::kU8, {1, (int64_t{1} << 32) + 6}},
                                         {"behind", DType::kBF16, {3}}};
  const FileLayout layout("archive", specs, StateDictValue(specs));
  const auto golden = ParseJson(GoldenTorchBytes("large_by_torch.json"));
  ASSERT_TRUE(golden) << golden.error().message();
  EXPECT_EQ(layout.data_offsets(), *golden->GetIntList("data_offsets"));
  std::vector<uint32_t> sums;
  for (const int64_t sum : *golden->GetIntList("crc32")) {
    sums.push_back(static_cast<uint32_t>(sum));
  }
  const std::vector<Piece> pieces = layout.Pieces(sums);
  const auto& theirs = golden->Find("pieces")->as_array();
  ASSERT_EQ(pieces.size(), theirs.size());
  for (size_t i = 0; i < pieces.size(); ++i) {
    EXPECT_EQ(pieces[i].offset_bytes, *theirs[i].GetInt("offset"));
    const std::string bytes = testing::BytesOfHex(*theirs[i].GetString("hex"));
    if (i + 1 < pieces.size()) {
      EXPECT_EQ(pieces[i].bytes, bytes) << i;
      continue;
    }
    const std::string entries = BeforeTheLastEntry(bytes);
    EXPECT_EQ(pieces[i].bytes.substr(0, entries.size()), entries);
    const size_t begin = bytes.find("PK\x01\x02");
    const size_t size = bytes.find("archive/.data/serialization_id", begin) - 46 - begin;
    EXPECT_EQ(pieces[i].bytes.substr(entries.size(), size), bytes.substr(begin, size));
  }
}

TEST(FileLayout, HasThePlacesOfEveryByteBeforeAnyIsKnown) {
  const auto specs = SpecsOf(Samples());
  const FileLayout layout("archive", specs, StateDictValue(specs));
  const auto before = layout.Pieces(std::vector<uint32_t>(specs.size(), 0));
  const auto after = layout.Pieces(std::vector<uint32_t>(specs.size(), 0xffffffff));
  ASSERT_EQ(before.size(), after.size());
  int64_t at = 0;
  for (size_t i = 0; i < before.size(); ++i) {
    EXPECT_EQ(before[i].offset_bytes, at);
    EXPECT_EQ(before[i].offset_bytes, after[i].offset_bytes);
    EXPECT_EQ(before[i].bytes.size(), after[i].bytes.size());
    at += static_cast<int64_t>(before[i].bytes.size());
    if (i == specs.size()) continue;
    EXPECT_EQ(layout.data_offsets()[i], at);
    EXPECT_EQ(at % 64, 0);
    at += specs[i].size_bytes();
  }
  EXPECT_EQ(at, layout.size_bytes());
}

TEST(FileLayout, WithoutTensorsIsAWholeFile) {
  const std::string bytes =
      TorchFileOf("common", PickleValue::DictOf({{"iteration", 7}, {"none", PickleValue()}}));
  const auto file = OpenTorchFile(testing::MemoryFile("common.pt", bytes));
  ASSERT_TRUE(file) << file.error().message();
  EXPECT_EQ(*(*file)->pickle.root().Find("iteration")->AsInt(), 7);
}

}  // namespace
}  // namespace nemo::torch
