#include "libcore/convert/journal.h"

#include <gtest/gtest.h>

#include "tests/testing.h"

namespace nemo {
namespace {

using testing::ReadFileOrDie;
using testing::TempDir;
using testing::WriteFileOrDie;

const TensorRecord kTensor{"rank0", "decoder.w", std::string(32, 'a'), {4096, 128}, "100,28"};
const FileRecord kFile{"rank0", {8192, std::string(32, 'b')}};

TEST(Journal, WhatWasNotedIsThereAfterTheEnd) {
  TempDir dir;
  {
    auto journal = Journal::Begin(dir / "j", "key");
    ASSERT_TRUE(journal) << journal.error().message();
    ASSERT_TRUE((*journal)->Add(kTensor).ok());
  }
  {
    auto journal = Journal::Continue(dir / "j", "key");
    ASSERT_TRUE(journal) << journal.error().message();
    ASSERT_TRUE((*journal)->Add(kFile).ok());
  }
  const auto records = Journal::Read(dir / "j", "key");
  ASSERT_TRUE(records) << records.error().message();
  ASSERT_EQ(records->tensors.size(), 1u);
  const TensorRecord& tensor = records->tensors.at({"rank0", "decoder.w"});
  EXPECT_EQ(tensor.xxh3, kTensor.xxh3);
  EXPECT_EQ(tensor.place.offset_bytes, 4096);
  EXPECT_EQ(tensor.place.size_bytes, 128);
  EXPECT_EQ(tensor.note, "100,28");
  EXPECT_EQ(records->files.at("rank0").summary.size_bytes, 8192);
}

TEST(Journal, ATornOrChangedLineDoesNotCountAndHurtsNoOther) {
  TempDir dir;
  {
    auto journal = Journal::Begin(dir / "j", "key");
    for (const char* name : {"a", "b", "c"}) {
      TensorRecord record = kTensor;
      record.tensor = name;
      ASSERT_TRUE((*journal)->Add(record).ok());
    }
  }
  const std::string whole = ReadFileOrDie(dir / "j");
  const size_t header = whole.find('\n') + 1;
  for (size_t size = header; size < whole.size(); ++size) {
    WriteFileOrDie(dir / "j", std::string_view(whole).substr(0, size));
    ASSERT_LE(Journal::Read(dir / "j", "key")->tensors.size(), 3u);
    // The next run's first line does not end up in the torn one.
    {
      auto journal = Journal::Continue(dir / "j", "key");
      ASSERT_TRUE((*journal)->Add(kTensor).ok());
    }
    EXPECT_TRUE(Journal::Read(dir / "j", "key")->tensors.contains({"rank0", "decoder.w"})) << size;
  }
  for (size_t at = header; at < whole.size(); ++at) {
    std::string flipped = whole;
    flipped[at] = static_cast<char>(flipped[at] ^ 0x55);
    WriteFileOrDie(dir / "j", flipped);
    ASSERT_TRUE(Journal::Read(dir / "j", "key")) << at;
  }
}

TEST(Journal, ARunStoppedBeforeItsFirstLineIsGoneOnWith) {
  TempDir dir;
  for (const std::string_view torn : {"", "{\"journal\":1,\"conv"}) {
    WriteFileOrDie(dir / "j", torn);
    const auto records = Journal::Read(dir / "j", "key");
    ASSERT_TRUE(records) << records.error().message();
    EXPECT_TRUE(records->tensors.empty());
    auto journal = Journal::Continue(dir / "j", "key");
    ASSERT_TRUE(journal) << journal.error().message();
    ASSERT_TRUE((*journal)->Add(kTensor).ok());
    EXPECT_EQ(Journal::Read(dir / "j", "key")->tensors.size(), 1u);
  }
}

TEST(Journal, AnotherConversionIsRefusedInWords) {
  TempDir dir;
  { ASSERT_TRUE(Journal::Begin(dir / "j", "key")); }
  for (const Status& status :
       {Journal::Continue(dir / "j", "other").error(), Journal::Read(dir / "j", "other").error()}) {
    EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
    EXPECT_NE(status.message().find("--force"), std::string::npos) << status.message();
  }
  EXPECT_EQ(Journal::Continue(dir / "none", "key").error().code(), StatusCode::kNotFound);
}

TEST(Journal, OneProcessWritesAtATime) {
  TempDir dir;
  auto first = Journal::Begin(dir / "j", "key");
  ASSERT_TRUE(first);
  for (const Status& status :
       {Journal::Begin(dir / "j", "key").error(), Journal::Continue(dir / "j", "key").error()}) {
    EXPECT_EQ(status.code(), StatusCode::kUnavailable);
    EXPECT_NE(status.message().find("another process"), std::string::npos) << status.message();
  }
  ASSERT_TRUE((*first)->Remove().ok());
  EXPECT_EQ(KindOf(dir / "j"), PathKind::kAbsent);
}

}  // namespace
}  // namespace nemo
