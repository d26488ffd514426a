// Compressed HDF5: what every sink promises, told again for one that takes its blocks in order.
#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <random>
#include <string>
#include <thread>

#include <gtest/gtest.h>

#include "formats/codec/zstd_frames.h"
#include "formats/hdf5/file.h"
#include "libcore/base/hash.h"
#include "tests/conformance/sample_tensors.h"
#include "tests/testing.h"

namespace nemo::hdf5 {
namespace {

using testing::MemorySource;
using testing::ReadTensorOrDie;

/// Weights of several chunks, the last of them not full, among the sample of all sinks.
class Hdf5ZstdSink : public ::testing::Test {
 protected:
  static constexpr int64_t kRows = 1501, kColumns = 1000;  // chunks of 501 rows

  Hdf5ZstdSink() {
    specs_ = testing::SampleSpecs({DType::kU8, DType::kI8, DType::kI16, DType::kI32, DType::kI64,
                                   DType::kF16, DType::kBF16, DType::kF32, DType::kF64});
    truth_ = testing::SampleSource(specs_);
    std::mt19937 random(11);
    std::normal_distribution<float> weight(0, 0.02f);
    std::vector<BF16> weights(kRows * kColumns);
    for (BF16& value : weights) value = BF16FromFloat(weight(random));
    const auto bytes = std::as_bytes(std::span(weights));
    const TensorSpec large = {"decoder.large.weight", DType::kBF16, {kRows, kColumns}};
    truth_.Add(large, {bytes.begin(), bytes.end()});
    specs_.insert(specs_.begin() + 2, large);
  }

  std::vector<SinkTensor> Declaration() const {
    std::vector<SinkTensor> tensors;
    for (const TensorSpec& spec : specs_) {
      tensors.push_back(
          {spec, {spec.shape, std::vector<int64_t>(spec.shape.size(), 0), "split_rows"}});
    }
    return tensors;
  }

  std::map<std::string, std::string> Checksums() const {
    std::map<std::string, std::string> checksums;
    for (const TensorSpec& spec : specs_) {
      checksums[spec.name] = HashHex(ReadTensorOrDie(truth_, spec.name));
    }
    return checksums;
  }

  /// Blocks of one tensor, each of `chunks` chunks.
  static std::vector<Box> Blocks(const TensorSink& sink, const TensorSpec& spec, int64_t chunks) {
    if (spec.shape.empty()) return {Box{}};
    std::vector<Box> blocks;
    const int64_t rows = sink.RowsPerBlock(spec.name) * chunks;
    for (int64_t row = 0; row < spec.shape[0] && spec.size_bytes() > 0; row += rows) {
      Box box = Box::Whole(spec.shape);
      box.offset[0] = row;
      box.extent[0] = std::min(rows, spec.shape[0] - row);
      blocks.push_back(std::move(box));
    }
    return blocks;
  }

  std::vector<std::byte> TruthOf(const TensorSpec& spec, const Box& box) const {
    std::vector<std::byte> data(static_cast<size_t>(NumElements(box) * SizeOf(spec.dtype)));
    EXPECT_TRUE(truth_.Read(spec.name, box, data).ok());
    return data;
  }

  void WriteTensor(TensorSink& sink, const TensorSpec& spec, int64_t chunks) const {
    for (const Box& box : Blocks(sink, spec, chunks)) {
      const Status status = WriteBlock(sink, spec.name, box, TruthOf(spec, box));
      ASSERT_TRUE(status.ok()) << status.message();
    }
  }

  /// The whole sample; returns the sink, finished.
  std::unique_ptr<TensorSink> WriteSample(const std::string& path, int level = 0,
                                          int64_t chunks = 1) {
    auto sink = CreateZstdSink(path, level);
    const Status status = sink->Declare(Declaration());
    EXPECT_TRUE(status.ok()) << status.message();
    for (const TensorSpec& spec : specs_) WriteTensor(*sink, spec, chunks);
    const auto summary = sink->Finish(Checksums());
    EXPECT_TRUE(summary) << summary.error().message();
    if (summary) summary_ = *summary;
    return sink;
  }

  void ExpectWhole(const std::string& path) const {
    const auto source = OpenFile(path);
    ASSERT_TRUE(source) << source.error().message();
    ASSERT_EQ((*source)->specs().size(), specs_.size());
    for (const TensorSpec& spec : specs_) {
      const TensorSpec* found = FindSpec((*source)->specs(), spec.name);
      ASSERT_NE(found, nullptr) << spec.name;
      EXPECT_EQ(*found, spec);
      EXPECT_EQ(ReadTensorOrDie(**source, spec.name), ReadTensorOrDie(truth_, spec.name))
          << spec.name;
    }
  }

  std::vector<TensorPlace> Places(const TensorSink& sink) const {
    std::vector<TensorPlace> places;
    for (const TensorSpec& spec : specs_) places.push_back(*sink.PlaceOf(spec.name));
    return places;
  }

  const TensorSpec& Large() const { return specs_[2]; }

  testing::TempDir dir_;
  std::vector<TensorSpec> specs_;
  MemorySource truth_;
  TensorSink::FileSummary summary_;
};

TEST_F(Hdf5ZstdSink, GivesBackEveryBitAtAnyLevel) {
  for (const int level : {0, 1, 6}) {
    WriteSample(dir_ / "file.h5", level);
    ExpectWhole(dir_ / "file.h5");
  }
}

TEST_F(Hdf5ZstdSink, MakesWeightsSmaller) {
  const auto sink = WriteSample(dir_ / "file.h5");
  const int64_t stored = sink->PlaceOf(Large().name)->size_bytes;
  EXPECT_LT(stored, Large().size_bytes() * 69 / 100);
}

TEST_F(Hdf5ZstdSink, GivesTheSameBytesForBlocksOfAnySize) {
  WriteSample(dir_ / "small.h5", 0, 1);
  WriteSample(dir_ / "large.h5", 0, 3);
  EXPECT_EQ(testing::ReadFileOrDie(dir_ / "small.h5"), testing::ReadFileOrDie(dir_ / "large.h5"));
}

TEST_F(Hdf5ZstdSink, TakesEncodedBlocksFromManyThreads) {
  WriteSample(dir_ / "alone.h5");
  const auto sink = CreateZstdSink(dir_ / "together.h5", 0);
  ASSERT_TRUE(sink->Declare(Declaration()).ok());
  struct Work {
    TensorSpec spec;
    Box box;
    std::vector<std::byte> data;
    EncodedBlock block;
  };
  std::vector<Work> work;
  for (const TensorSpec& spec : specs_) {
    for (const Box& box : Blocks(*sink, spec, 1)) work.push_back({spec, box, TruthOf(spec, box)});
  }
  const auto on_threads = [&](const std::function<void(Work&)>& body) {
    std::vector<std::thread> threads;
    for (size_t t = 0; t < 4; ++t) {
      threads.emplace_back([&, t] {
        for (size_t i = work.size() - 1 - t; i < work.size(); i -= 4) body(work[i]);
      });
    }
    for (std::thread& thread : threads) thread.join();
  };
  on_threads([&](Work& w) { w.block = *sink->Encode(w.spec.name, w.box, w.data); });
  for (const Work& w : work) ASSERT_TRUE(sink->Reserve(w.spec.name, w.box, w.block).ok());
  on_threads([&](Work& w) { EXPECT_TRUE(sink->Write(w.spec.name, w.box, w.block.bytes).ok()); });
  ASSERT_TRUE(sink->Finish(Checksums()));
  EXPECT_EQ(testing::ReadFileOrDie(dir_ / "together.h5"),
            testing::ReadFileOrDie(dir_ / "alone.h5"));
}

TEST_F(Hdf5ZstdSink, GoesOnWhereAStoppedRunWas) {
  WriteSample(dir_ / "whole.h5");
  for (size_t complete = 0; complete <= specs_.size(); ++complete) {
    std::map<std::string, std::string> notes;
    {
      const auto stopped = CreateZstdSink(dir_ / "file.h5", 0);
      ASSERT_TRUE(stopped->Declare(Declaration()).ok());
      for (size_t i = 0; i < complete; ++i) {
        WriteTensor(*stopped, specs_[i], 1);
        notes[specs_[i].name] = stopped->Note(specs_[i].name);
      }
      if (complete < specs_.size()) {  // half a tensor more that nobody noted
        const TensorSpec& spec = specs_[complete];
        const std::vector<Box> blocks = Blocks(*stopped, spec, 1);
        for (size_t i = 0; i < blocks.size() / 2; ++i) {
          ASSERT_TRUE(WriteBlock(*stopped, spec.name, blocks[i], TruthOf(spec, blocks[i])).ok());
        }
      }
    }
    const auto sink = CreateZstdSink(dir_ / "file.h5", 0);
    ASSERT_TRUE(sink->Resume(Declaration()).ok());
    for (size_t i = 0; i < specs_.size(); ++i) {
      const TensorSpec& spec = specs_[i];
      if (i >= complete) {
        WriteTensor(*sink, spec, 2);
        continue;
      }
      const Status restored = sink->Restore(spec.name, notes[spec.name]);
      ASSERT_TRUE(restored.ok()) << restored.message();
      std::vector<std::byte> there(static_cast<size_t>(spec.size_bytes()));
      ASSERT_TRUE(sink->Recall(spec.name, Box::Whole(spec.shape), there).ok()) << spec.name;
      EXPECT_EQ(there, ReadTensorOrDie(truth_, spec.name)) << spec.name;
    }
    ASSERT_TRUE(sink->Finish(Checksums()));
    EXPECT_EQ(testing::ReadFileOrDie(dir_ / "file.h5"), testing::ReadFileOrDie(dir_ / "whole.h5"))
        << complete << " tensors were complete";
    ASSERT_TRUE(RemoveAll(dir_ / "file.h5").ok());
  }
}

TEST_F(Hdf5ZstdSink, TakesUpAFinishedFile) {
  const auto finished = WriteSample(dir_ / "file.h5");
  const std::string bytes = testing::ReadFileOrDie(dir_ / "file.h5");
  const auto sink = CreateZstdSink(dir_ / "file.h5", 0);
  ASSERT_TRUE(sink->Resume(Declaration()).ok());
  EXPECT_EQ(KindOf(dir_ / "file.h5"), PathKind::kAbsent) << "unfinished again until Finish";
  for (const TensorSpec& spec : specs_) {
    ASSERT_TRUE(sink->Restore(spec.name, finished->Note(spec.name)).ok());
  }
  ASSERT_TRUE(sink->Finish(Checksums()));
  EXPECT_EQ(testing::ReadFileOrDie(dir_ / "file.h5"), bytes);
}

TEST_F(Hdf5ZstdSink, RefusesNotesOfOtherTensors) {
  const std::string digest(32, 'a');
  for (const std::string& note :
       {std::string(), digest, digest + " 1 2", digest + " 1 2 3 4", digest + " 1 2 0",
        digest + " 1 2 x", digest + " 1 2 99999999999", digest + "  1 2 3"}) {
    const auto sink = CreateZstdSink(dir_ / "file.h5", 0);
    ASSERT_TRUE(sink->Declare({{Large(), {}}}).ok());
    EXPECT_EQ(sink->Restore(Large().name, note).code(), StatusCode::kCorruption) << note;
  }
}

TEST_F(Hdf5ZstdSink, RefusesBlocksThatAreNotMadeOfChunks) {
  const auto sink = CreateZstdSink(dir_ / "file.h5", 0);
  ASSERT_TRUE(sink->Declare({{Large(), {}}}).ok());
  const int64_t rows = sink->RowsPerBlock(Large().name);
  ASSERT_LT(rows, kRows);
  for (const Box& box : {Box{{1, 0}, {rows, kColumns}}, Box{{0, 0}, {rows - 1, kColumns}},
                         Box{{0, 0}, {rows, kColumns - 1}}, Box{{0, 1}, {rows, kColumns - 1}}}) {
    std::vector<std::byte> data(static_cast<size_t>(NumElements(box) * 2));
    EXPECT_EQ(sink->Encode(Large().name, box, data).error().code(), StatusCode::kInvalidArgument)
        << ToString(box);
  }
}

TEST_F(Hdf5ZstdSink, RefusesWhatItCannotHold) {
  const struct {
    TensorSpec spec;
    const char* message;
  } kCases[] = {{{"a/b", DType::kU8, {1}}, "cannot name"},
                {{"t", DType::kBool, {1}}, "no bool"},
                {{"t", DType::kU8, Shape(33, 1)}, "33 axes"},
                {{"t", DType::kU8, {2, int64_t{1} << 29}}, "larger than chunks may be"}};
  for (const auto& c : kCases) {
    const Status status = CreateZstdSink(dir_ / "file.h5", 0)->Declare({{c.spec, {}}});
    EXPECT_EQ(status.code(), StatusCode::kInvalidArgument) << c.message;
    EXPECT_NE(status.message().find(c.message), std::string::npos) << status.message();
  }
}

TEST_F(Hdf5ZstdSink, FinishesOnlyWhatWasWritten) {
  const auto sink = CreateZstdSink(dir_ / "file.h5", 0);
  ASSERT_TRUE(sink->Declare(Declaration()).ok());
  EXPECT_EQ(sink->Finish(Checksums()).error().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(KindOf(dir_ / "file.h5"), PathKind::kAbsent);
}

TEST_F(Hdf5ZstdSink, NamesPlacesThatHoldTheChunks) {
  const auto sink = WriteSample(dir_ / "file.h5");
  const std::string bytes = testing::ReadFileOrDie(dir_ / "file.h5");
  const auto source = OpenFile(dir_ / "file.h5");
  ASSERT_TRUE(source) << source.error().message();
  for (const TensorSpec& spec : specs_) {
    const TensorPlace place = *sink->PlaceOf(spec.name);
    const auto stored = std::as_bytes(std::span(bytes))
                            .subspan(static_cast<size_t>(place.offset_bytes),
                                     static_cast<size_t>(place.size_bytes));
    if (spec.size_bytes() > 0 && !spec.shape.empty()) {
      EXPECT_EQ(HashHex(stored), place.chunks.xxh3) << spec.name;
    }
    const TensorPlace found = *(*source)->PlaceOf(spec.name);
    EXPECT_EQ(found.size_bytes, place.size_bytes) << spec.name;
    EXPECT_EQ(found.chunks.bytes, place.chunks.bytes) << spec.name;
    if (spec.size_bytes() == 0) continue;
    EXPECT_EQ(found.offset_bytes, place.offset_bytes) << spec.name;
  }
}

TEST_F(Hdf5ZstdSink, LeavesNoByteUnaccounted) {
  const auto sink = WriteSample(dir_ / "file.h5");
  std::string bytes = testing::ReadFileOrDie(dir_ / "file.h5");
  EXPECT_EQ(std::ssize(bytes), summary_.size_bytes);
  const std::vector<TensorPlace> places = Places(*sink);
  const auto hash = [&] { return *HashOutside(*testing::MemoryFile("file", bytes), places); };
  EXPECT_EQ(hash(), summary_.metadata_xxh3);
  int64_t covered = 0;
  for (const TensorPlace& place : places) covered += place.size_bytes;
  const int64_t outside = summary_.size_bytes - covered;
  for (int64_t at = 0; at < outside; at += 101) {  // the index lies in front of all data
    bytes[static_cast<size_t>(at)] = static_cast<char>(bytes[static_cast<size_t>(at)] ^ 0x20);
    ASSERT_NE(hash(), summary_.metadata_xxh3) << "byte " << at;
    bytes[static_cast<size_t>(at)] = static_cast<char>(bytes[static_cast<size_t>(at)] ^ 0x20);
  }
}

/// The text that `h5dump` with our plugin prints, empty when there is no such program.
std::string DumpText(const std::string& arguments) {
  if (std::system("command -v h5dump > /dev/null 2>&1") != 0) return "";
  const std::string command =
      "HDF5_PLUGIN_PATH='" NEMO_HDF5_PLUGIN_DIR "' h5dump " + arguments + " 2>&1";
  std::FILE* pipe = popen(command.c_str(), "r");
  std::string text;
  std::array<char, 4096> block;
  while (const size_t n = std::fread(block.data(), 1, block.size(), pipe))
    text.append(block.data(), n);
  pclose(pipe);
  return text;
}

TEST_F(Hdf5ZstdSink, ShowsRightValuesInH5dumpWithThePlugin) {
  const auto sink = CreateZstdSink(dir_ / "file.h5", 3);
  ASSERT_TRUE(sink->Declare({{{"w", DType::kBF16, {5}}, {{10}, {5}, "split_rows"}}}).ok());
  const BF16 values[] = {BF16FromFloat(1.5f), BF16FromFloat(-0.0625f), BF16FromFloat(3.0e38f),
                         0x0001, BF16FromFloat(-123.0f)};
  const auto bytes = std::as_bytes(std::span(values));
  ASSERT_TRUE(WriteBlock(*sink, "w", Box{{0}, {5}}, bytes).ok());
  ASSERT_TRUE(sink->Finish({{"w", HashHex(bytes)}}));
  const std::string text = DumpText("-p '" + (dir_ / "file.h5") + "'");
  if (text.empty()) GTEST_SKIP() << "h5dump (package hdf5-tools) is not installed";
  for (const char* expected :
       {"1.5, -0.0625, 3.00406e+38, 9.18", "e-41, -123", "PREPROCESSING SHUFFLE", "FILTER_ID 32015",
        "PARAMS { 3 }", "\"global_shape\"", "\"split_rows\""}) {
    EXPECT_NE(text.find(expected), std::string::npos) << expected << " in\n" << text;
  }
}

}  // namespace
}  // namespace nemo::hdf5
