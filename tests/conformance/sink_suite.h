// What every TensorSink promises (libcore/tensor/sink.h), whatever file it writes. Instantiate with
//   INSTANTIATE_TEST_SUITE_P(Hdf5, SinkSuite, ::testing::Values(SinkUnderTest{...}));
#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <ostream>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "libcore/base/hash.h"
#include "libcore/tensor/sink.h"
#include "tests/conformance/sample_tensors.h"
#include "tests/testing.h"

namespace nemo::testing {

struct SinkUnderTest {
  std::function<std::unique_ptr<TensorSink>(const std::string& path)> create;
  std::function<Result<std::shared_ptr<TensorSource>>(const std::string& path)> open;
  std::vector<DType> dtypes;    ///< that the container can hold
  int64_t data_alignment = 1;   ///< of every tensor's place
  bool notes_checksums = true;  ///< the container has a place for them
};
inline void PrintTo(const SinkUnderTest&, std::ostream* out) { *out << "sink"; }

class SinkSuite : public ::testing::TestWithParam<SinkUnderTest> {
 protected:
  /// A piece of work for Write.
  struct Piece {
    TensorSpec spec;
    Box box;
  };

  std::vector<TensorSpec> specs() const { return SampleSpecs(GetParam().dtypes); }

  std::vector<SinkTensor> Declaration() const {
    std::vector<SinkTensor> tensors;
    for (const TensorSpec& spec : specs()) {
      tensors.push_back(
          {spec, {spec.shape, std::vector<int64_t>(spec.shape.size(), 0), "split_rows"}});
    }
    return tensors;
  }

  std::map<std::string, std::string> Checksums() const {
    std::map<std::string, std::string> checksums;
    for (const TensorSpec& spec : specs()) {
      checksums[spec.name] = HashHex(ReadTensorOrDie(truth_, spec.name));
    }
    return checksums;
  }

  /// Row by row, shuffled.
  std::vector<Piece> Pieces(uint32_t seed) const {
    std::vector<Piece> pieces;
    for (const TensorSpec& spec : specs()) {
      if (spec.shape.empty()) pieces.push_back({spec, Box{}});
      for (int64_t row = 0; !spec.shape.empty() && row < spec.shape[0]; ++row) {
        Box box = Box::Whole(spec.shape);
        box.offset[0] = row;
        box.extent[0] = 1;
        pieces.push_back({spec, box});
      }
    }
    std::mt19937 random(seed);
    std::shuffle(pieces.begin(), pieces.end(), random);
    return pieces;
  }

  Status WritePiece(TensorSink& sink, const Piece& piece) const {
    std::vector<std::byte> data(
        static_cast<size_t>(NumElements(piece.box) * SizeOf(piece.spec.dtype)));
    NEMO_RETURN_IF_ERROR(truth_.Read(piece.spec.name, piece.box, data));
    return WriteBlock(sink, piece.spec.name, piece.box, data);
  }

  /// The whole sample in one file; what went wrong becomes a test failure.
  TensorSink::FileSummary WriteSample(const std::string& path, uint32_t seed) const {
    const auto sink = GetParam().create(path);
    Status status = sink->Declare(Declaration());
    for (const Piece& piece : Pieces(seed)) {
      if (status.ok()) status = WritePiece(*sink, piece);
    }
    EXPECT_TRUE(status.ok()) << status.message();
    auto summary = sink->Finish(Checksums());
    EXPECT_TRUE(summary.has_value()) << summary.error().message();
    return summary ? *summary : TensorSink::FileSummary{};
  }

  std::vector<TensorPlace> Places(const TensorSink& sink) const {
    std::vector<TensorPlace> places;
    for (const TensorSpec& spec : specs()) places.push_back(*sink.PlaceOf(spec.name));
    return places;
  }

  TempDir dir_;
  MemorySource truth_ = SampleSource(SampleSpecs(GetParam().dtypes));
};

TEST_P(SinkSuite, GivesBackEveryBit) {
  WriteSample(dir_ / "file", 1);
  const auto source = GetParam().open(dir_ / "file");
  ASSERT_TRUE(source) << source.error().message();
  ASSERT_EQ((*source)->specs().size(), specs().size());
  for (const TensorSpec& spec : specs()) {
    const TensorSpec* found = FindSpec((*source)->specs(), spec.name);
    ASSERT_NE(found, nullptr) << spec.name;
    EXPECT_EQ(*found, spec);
    EXPECT_EQ(ReadTensorOrDie(**source, spec.name), ReadTensorOrDie(truth_, spec.name))
        << spec.name;
  }
}

TEST_P(SinkSuite, GivesTheSameBytesForAnyOrderOfWrites) {
  WriteSample(dir_ / "first", 1);
  WriteSample(dir_ / "second", 2);
  EXPECT_EQ(ReadFileOrDie(dir_ / "first"), ReadFileOrDie(dir_ / "second"));
}

TEST_P(SinkSuite, GoesOnWhereAStoppedRunWas) {
  WriteSample(dir_ / "whole", 1);
  const std::vector<Piece> pieces = Pieces(5);
  const size_t half = pieces.size() / 2;
  {
    const auto stopped = GetParam().create(dir_ / "file");
    ASSERT_TRUE(stopped->Declare(Declaration()).ok());
    for (size_t i = 0; i < half; ++i) ASSERT_TRUE(WritePiece(*stopped, pieces[i]).ok());
  }
  const auto sink = GetParam().create(dir_ / "file");
  ASSERT_TRUE(sink->Resume(Declaration()).ok());
  for (size_t i = 0; i < half; ++i) {
    const auto& [spec, box] = pieces[i];
    std::vector<std::byte> there(static_cast<size_t>(NumElements(box) * SizeOf(spec.dtype)));
    std::vector<std::byte> wanted(there.size());
    ASSERT_TRUE(sink->Recall(spec.name, box, there).ok());
    ASSERT_TRUE(truth_.Read(spec.name, box, wanted).ok());
    EXPECT_EQ(there, wanted) << spec.name << ToString(box);
  }
  for (size_t i = half; i < pieces.size(); ++i) ASSERT_TRUE(WritePiece(*sink, pieces[i]).ok());
  ASSERT_TRUE(sink->Finish(Checksums()));
  EXPECT_EQ(ReadFileOrDie(dir_ / "file"), ReadFileOrDie(dir_ / "whole"));
}

TEST_P(SinkSuite, TakesUpAFinishedFile) {
  WriteSample(dir_ / "whole", 1);
  WriteSample(dir_ / "file", 2);
  const auto sink = GetParam().create(dir_ / "file");
  ASSERT_TRUE(sink->Resume(Declaration()).ok());
  EXPECT_EQ(KindOf(dir_ / "file"), PathKind::kAbsent) << "unfinished again until Finish";
  for (const TensorSpec& spec : specs()) {
    std::vector<std::byte> there(static_cast<size_t>(spec.size_bytes()));
    ASSERT_TRUE(sink->Recall(spec.name, Box::Whole(spec.shape), there).ok());
    EXPECT_EQ(there, ReadTensorOrDie(truth_, spec.name)) << spec.name;
  }
  ASSERT_TRUE(sink->Finish(Checksums()));
  EXPECT_EQ(ReadFileOrDie(dir_ / "file"), ReadFileOrDie(dir_ / "whole"));
}

TEST_P(SinkSuite, TakesWritesFromManyThreads) {
  WriteSample(dir_ / "alone", 1);
  const auto sink = GetParam().create(dir_ / "together");
  ASSERT_TRUE(sink->Declare(Declaration()).ok());
  const std::vector<Piece> pieces = Pieces(3);
  std::vector<std::thread> threads;
  for (size_t t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (size_t i = t; i < pieces.size(); i += 4) {
        EXPECT_TRUE(WritePiece(*sink, pieces[i]).ok());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  ASSERT_TRUE(sink->Finish(Checksums()));
  EXPECT_EQ(ReadFileOrDie(dir_ / "together"), ReadFileOrDie(dir_ / "alone"));
}

TEST_P(SinkSuite, WritesTensorsAtThePlacesItNames) {
  const auto sink = GetParam().create(dir_ / "file");
  ASSERT_TRUE(sink->Declare(Declaration()).ok());
  const std::vector<TensorPlace> places = Places(*sink);
  for (const Piece& piece : Pieces(4)) ASSERT_TRUE(WritePiece(*sink, piece).ok());
  ASSERT_TRUE(sink->Finish(Checksums()));
  const std::string bytes = ReadFileOrDie(dir_ / "file");
  for (size_t i = 0; i < places.size(); ++i) {
    EXPECT_EQ(places[i].size_bytes, specs()[i].size_bytes());
    EXPECT_EQ(places[i].offset_bytes % GetParam().data_alignment, 0) << specs()[i].name;
    const auto data = std::as_bytes(std::span(bytes))
                          .subspan(static_cast<size_t>(places[i].offset_bytes),
                                   static_cast<size_t>(places[i].size_bytes));
    EXPECT_EQ(std::vector<std::byte>(data.begin(), data.end()),
              ReadTensorOrDie(truth_, specs()[i].name));
  }
}

TEST_P(SinkSuite, AppearsUnderItsNameOnlyWhenFinished) {
  const auto sink = GetParam().create(dir_ / "file");
  ASSERT_TRUE(sink->Declare(Declaration()).ok());
  EXPECT_EQ(KindOf(dir_ / "file"), PathKind::kAbsent);
  ASSERT_TRUE(sink->Finish(Checksums()));
  const auto files = OpenDirectory(dir_.path());
  ASSERT_TRUE(files);
  EXPECT_EQ((*files)->files(), std::vector<std::string>{"file"});
}

TEST_P(SinkSuite, RefusesTwoTensorsOfOneName) {
  std::vector<SinkTensor> tensors = Declaration();
  tensors.push_back(tensors.front());
  EXPECT_EQ(GetParam().create(dir_ / "file")->Declare(tensors).code(),
            StatusCode::kInvalidArgument);
}

TEST_P(SinkSuite, RefusesWritesThatWereNotDeclared) {
  const auto sink = GetParam().create(dir_ / "file");
  ASSERT_TRUE(sink->Declare(Declaration()).ok());
  std::vector<std::byte> data(22);
  EXPECT_EQ(sink->Write("no such tensor", Box{{0}, {11}}, data).code(), StatusCode::kNotFound);
  EXPECT_EQ(sink->PlaceOf("no such tensor").error().code(), StatusCode::kNotFound);
  EXPECT_EQ(sink->Write("a.bias", Box{{1}, {11}}, data).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(sink->Write("a.bias", Box{{0}, {10}}, data).code(), StatusCode::kInvalidArgument);
}

TEST_P(SinkSuite, WantsAChecksumForEveryTensor) {
  const auto sink = GetParam().create(dir_ / "file");
  ASSERT_TRUE(sink->Declare(Declaration()).ok());
  auto checksums = Checksums();
  checksums.erase("a.bias");
  EXPECT_EQ(sink->Finish(checksums).error().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(KindOf(dir_ / "file"), PathKind::kAbsent);
}

TEST_P(SinkSuite, NotesTheChecksumsInTheFile) {
  if (!GetParam().notes_checksums) GTEST_SKIP() << "the container has no place for them";
  WriteSample(dir_ / "file", 1);
  const std::string bytes = ReadFileOrDie(dir_ / "file");
  for (const auto& [name, checksum] : Checksums()) {
    EXPECT_NE(bytes.find(checksum), std::string::npos) << name;
  }
}

TEST_P(SinkSuite, SaysSizeAndChecksumOfWhatIsNoTensor) {
  const auto sink = GetParam().create(dir_ / "other");
  ASSERT_TRUE(sink->Declare(Declaration()).ok());
  const TensorSink::FileSummary summary = WriteSample(dir_ / "file", 1);
  const auto file = OpenFile(dir_ / "file");
  ASSERT_TRUE(file);
  EXPECT_EQ(summary.size_bytes, (*file)->size_bytes());
  const auto hash = HashOutside(**file, Places(*sink));
  ASSERT_TRUE(hash);
  EXPECT_EQ(summary.metadata_xxh3, *hash);
}

TEST_P(SinkSuite, LeavesNoByteUnaccounted) {
  const auto sink = GetParam().create(dir_ / "other");
  ASSERT_TRUE(sink->Declare(Declaration()).ok());
  const std::vector<TensorPlace> places = Places(*sink);
  const TensorSink::FileSummary summary = WriteSample(dir_ / "file", 1);
  std::string bytes = ReadFileOrDie(dir_ / "file");
  const auto in_a_place = [&](int64_t at) {
    return std::any_of(places.begin(), places.end(), [&](const TensorPlace& place) {
      return at >= place.offset_bytes && at < place.offset_bytes + place.size_bytes;
    });
  };
  for (size_t at = 0; at < bytes.size(); ++at) {
    if (in_a_place(static_cast<int64_t>(at))) continue;
    bytes[at] = static_cast<char>(bytes[at] ^ 0x20);
    const auto hash = HashOutside(*MemoryFile("file", bytes), places);
    ASSERT_TRUE(hash && *hash != summary.metadata_xxh3) << "byte " << at;
    bytes[at] = static_cast<char>(bytes[at] ^ 0x20);
  }
}

}  // namespace nemo::testing
