// Bodies in chunks, whole and in every two parts.
#include "libcore/serve/chunk_check.h"

#include <string>
#include <string_view>

#include <gtest/gtest.h>

namespace nemo {
namespace {

using Verdict = ChunkCheck::Verdict;

struct Outcome {
  Verdict verdict = Verdict::kGood;
  bool is_whole = false;
  bool operator==(const Outcome&) const = default;
};

Outcome Check(std::string_view bytes, size_t cut, int64_t max_bytes) {
  ChunkCheck check(max_bytes);
  check.Take(bytes.substr(0, cut));
  const Verdict verdict = check.Take(bytes.substr(cut));
  return {verdict, check.is_whole()};
}

TEST(ChunkCheck, KnowsChunksWhereverTheirBytesAreCut) {
  const struct {
    std::string_view bytes;
    Outcome outcome;
  } kCases[] = {
      {"0\r\n\r\n", {Verdict::kGood, true}},
      {"3\r\nabc\r\n0\r\n\r\n", {Verdict::kGood, true}},
      {"3;name=\"x\"\r\nabc\r\n00\r\n\r\n", {Verdict::kGood, true}},
      {"a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n", {Verdict::kGood, true}},
      {"3\r\nabc\r\n", {Verdict::kGood, false}},
      {"3\r\nab", {Verdict::kGood, false}},
      {"15\r\n", {Verdict::kTooLarge, false}},                    // 21
      {"a\r\n0123456789\r\nb\r\n", {Verdict::kTooLarge, false}},  // 10 + 11
      {"fffffffffffffffff\r\n", {Verdict::kTooLarge, false}},
      {"3\r\nabcd\r\n", {Verdict::kMalformed, false}},
      {"3\r\nabc0\r\n\r\n", {Verdict::kMalformed, false}},
      {"3\nabc\n0\n\n", {Verdict::kMalformed, false}},
      {"-3\r\nabc\r\n", {Verdict::kMalformed, false}},
      {"+3\r\nabc\r\n", {Verdict::kMalformed, false}},
      {"0x3\r\nabc\r\n", {Verdict::kMalformed, false}},
      {" 3\r\nabc\r\n", {Verdict::kMalformed, false}},
      {"3 \r\nabc\r\n", {Verdict::kMalformed, false}},
      {"\r\n", {Verdict::kMalformed, false}},
      {"zz\r\n", {Verdict::kMalformed, false}},
      {"3;\nabc\r\n", {Verdict::kMalformed, false}},
      {"0\r\nTrailer: x\r\n\r\n", {Verdict::kMalformed, false}},
  };
  for (const auto& row : kCases) {
    for (size_t cut = 0; cut <= row.bytes.size(); ++cut) {
      EXPECT_EQ(Check(row.bytes, cut, 20), row.outcome) << row.bytes << " cut at " << cut;
    }
  }
}

TEST(ChunkCheck, ExtensionsAreBounded) {
  EXPECT_EQ(Check("3;" + std::string(1024, 'x') + "\r\n", 0, 20).verdict, Verdict::kGood);
  EXPECT_EQ(Check("3;" + std::string(1025, 'x') + "\r\n", 0, 20).verdict, Verdict::kMalformed);
}

}  // namespace
}  // namespace nemo
