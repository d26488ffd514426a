// The tokenizer against SentencePiece 0.2.3 (tests/golden/tokenizers) and the demo model's oracle.
#include "libcore/text/tokenizer.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "libcore/base/format.h"
#include "libcore/base/json.h"
#include "libcore/text/decode_stream.h"
#include "tests/testing.h"

namespace nemo {
namespace {

using testing::GoldenPath;
using testing::ReadFileOrDie;

std::vector<int32_t> IdsOf(const Value& list) {
  std::vector<int32_t> ids;
  for (const Value& id : list.as_array()) ids.push_back(static_cast<int32_t>(id.as_int()));
  return ids;
}

class GoldenTokenizer : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    const std::string stem = GoldenPath(Format("tokenizers/{}", GetParam()));
    auto tokenizer = LoadSentencePiece(ReadFileOrDie(stem + ".model"));
    ASSERT_TRUE(tokenizer) << tokenizer.error().message();
    tokenizer_ = std::move(*tokenizer);
    auto oracle = ParseJson(ReadFileOrDie(stem + ".oracle.json"));
    ASSERT_TRUE(oracle) << oracle.error().message();
    oracle_ = std::move(*oracle);
  }
  std::unique_ptr<Tokenizer> tokenizer_;
  Value oracle_;
};

TEST_P(GoldenTokenizer, HasTheOraclesSpecialIds) {
  EXPECT_EQ(tokenizer_->vocab_size(), oracle_.Find("vocab_size")->as_int());
  EXPECT_EQ(tokenizer_->unk_id(), oracle_.Find("unk_id")->as_int());
  EXPECT_EQ(tokenizer_->bos_id(), oracle_.Find("bos_id")->as_int());
  EXPECT_EQ(tokenizer_->eos_id(), oracle_.Find("eos_id")->as_int());
  EXPECT_EQ(tokenizer_->pad_id(), oracle_.Find("pad_id")->as_int());
  int64_t byte_pieces = 0;
  for (int32_t id = 0; id < tokenizer_->vocab_size(); ++id) byte_pieces += tokenizer_->IsByte(id);
  EXPECT_EQ(byte_pieces, oracle_.Find("byte_pieces")->as_int());
  EXPECT_TRUE(tokenizer_->IsControl(tokenizer_->eos_id()));
  EXPECT_FALSE(tokenizer_->IsControl(-1));
}

TEST_P(GoldenTokenizer, EncodesEveryCase) {
  for (const Value& row : oracle_.Find("encode")->as_array()) {
    const std::string& text = row.Find("text")->as_string();
    SCOPED_TRACE(text);
    auto ids = tokenizer_->Encode(text);
    ASSERT_TRUE(ids) << ids.error().message();
    EXPECT_EQ(*ids, IdsOf(*row.Find("ids")));
    for (size_t i = 0; i < ids->size(); ++i) {
      EXPECT_EQ(tokenizer_->Piece((*ids)[i]), row.Find("pieces")->as_array()[i].as_string());
    }
    auto decoded = tokenizer_->Decode(*ids);
    ASSERT_TRUE(decoded) << decoded.error().message();
    EXPECT_EQ(*decoded, row.Find("decoded")->as_string());
  }
}

TEST_P(GoldenTokenizer, DecodesEveryCase) {
  for (const Value& row : oracle_.Find("decode")->as_array()) {
    auto text = tokenizer_->Decode(IdsOf(*row.Find("ids")));
    ASSERT_TRUE(text) << text.error().message();
    EXPECT_EQ(*text, row.Find("text")->as_string()) << ToJson(*row.Find("ids"));
  }
}

TEST_P(GoldenTokenizer, StreamsExactlyTheDecodedText) {
  std::vector<std::vector<int32_t>> sequences;
  for (const char* list : {"encode", "decode"}) {
    for (const Value& row : oracle_.Find(list)->as_array())
      sequences.push_back(IdsOf(*row.Find("ids")));
  }
  // Incomplete, doubled and interrupted characters.
  std::vector<int32_t> garbage;
  for (int32_t i = 0; i < 3000; ++i)
    garbage.push_back(i * 7919 % static_cast<int32_t>(tokenizer_->vocab_size()));
  sequences.push_back(garbage);
  for (const auto& ids : sequences) {
    DecodeStream stream(*tokenizer_);
    std::string streamed;
    for (const int32_t id : ids) {
      auto part = stream.Add(id);
      ASSERT_TRUE(part) << part.error().message();
      streamed += *part;
    }
    streamed += *stream.Finish();
    EXPECT_EQ(streamed, *tokenizer_->Decode(ids));
  }
}

/// Counts the ids that go through Decode.
class CountingTokenizer final : public Tokenizer {
 public:
  explicit CountingTokenizer(const Tokenizer& other) : other_(other) {}
  int64_t vocab_size() const override { return other_.vocab_size(); }
  Result<std::vector<int32_t>> Encode(std::string_view text) const override {
    return other_.Encode(text);
  }
  Result<std::string> Decode(std::span<const int32_t> ids) const override {
    num_decoded += std::ssize(ids);
    return other_.Decode(ids);
  }
  const std::string& Piece(int32_t id) const override { return other_.Piece(id); }
  bool IsControl(int32_t id) const override { return other_.IsControl(id); }
  bool IsByte(int32_t id) const override { return other_.IsByte(id); }
  int32_t unk_id() const override { return other_.unk_id(); }
  int32_t bos_id() const override { return other_.bos_id(); }
  int32_t eos_id() const override { return other_.eos_id(); }
  int32_t pad_id() const override { return other_.pad_id(); }

  mutable int64_t num_decoded = 0;

 private:
  const Tokenizer& other_;
};

TEST_P(GoldenTokenizer, StreamsRunsOfPiecesWithoutTextOfTheirOwnInLinearTime) {
  constexpr int kRun = 2000;
  const auto byte = [&](unsigned value) {
    const std::string piece = Format("<0x{:02X}>", value);
    for (int32_t id = 0; id < tokenizer_->vocab_size(); ++id) {
      if (tokenizer_->IsByte(id) && tokenizer_->Piece(id) == piece) return id;
    }
    return -1;
  };
  std::vector<std::vector<int32_t>> units = {{tokenizer_->eos_id()},
                                             {tokenizer_->Encode("a  b")->at(1)},
                                             {tokenizer_->eos_id(), tokenizer_->bos_id()}};
  if (byte(0xe6) >= 0) {
    // Stray continuations; beginnings without an end; a beginning that a control piece parts from
    // its rest; characters with a stray byte before them.
    units.push_back({byte(0x97)});
    units.push_back({byte(0xe6)});
    units.push_back({byte(0xf0), byte(0x9f), byte(0x98)});
    units.push_back({byte(0xe6), tokenizer_->eos_id(), byte(0x97), byte(0xa5)});
    units.push_back({byte(0x80), byte(0xe6), byte(0x97), byte(0xa5)});
    units.push_back({byte(0xff), byte(0xf8), byte(0xc3)});
  }
  for (const auto& unit : units) {
    std::vector<int32_t> ids = *tokenizer_->Encode("Now");
    for (int i = 0; i < kRun; ++i) ids.push_back(unit[i % unit.size()]);
    const CountingTokenizer counting(*tokenizer_);
    DecodeStream stream(counting);
    std::string streamed;
    for (const int32_t id : ids) streamed += *stream.Add(id);
    streamed += *stream.Finish();
    EXPECT_EQ(streamed, *tokenizer_->Decode(ids));
    EXPECT_LT(counting.num_decoded, 40 * kRun) << tokenizer_->Piece(unit[0]);
  }
}

TEST_P(GoldenTokenizer, HoldsBackNoMoreThanACharacter) {
  std::vector<int32_t> bytes;
  for (int32_t id = 0; id < tokenizer_->vocab_size(); ++id) {
    if (tokenizer_->IsByte(id)) bytes.push_back(id);
  }
  if (bytes.empty()) GTEST_SKIP() << "a vocabulary without byte pieces";
  DecodeStream stream(*tokenizer_);
  std::string streamed;
  std::vector<int32_t> ids;
  for (int32_t i = 0; i < 800; ++i) {
    ids.push_back(bytes[i * 7919 % bytes.size()]);
    streamed += *stream.Add(ids.back());
    const std::string whole = *tokenizer_->Decode(ids);
    // Each byte that is held back stands for U+FFFD, of three bytes, in the whole text.
    EXPECT_LE(whole.size(), streamed.size() + 9);
  }
}

TEST_P(GoldenTokenizer, StreamsOnlyWhatFollowsASkippedPrompt) {
  for (const Value& row : oracle_.Find("encode")->as_array()) {
    const std::vector<int32_t> ids = IdsOf(*row.Find("ids"));
    const std::string whole = *tokenizer_->Decode(ids);
    for (size_t cut = 1; cut < ids.size(); ++cut) {
      // Where the prompt itself decodes to a prefix of the whole, the stream gives the rest.
      const std::string prompt = *tokenizer_->Decode(std::span(ids).first(cut));
      if (prompt.empty() || !whole.starts_with(prompt)) continue;
      DecodeStream stream(*tokenizer_);
      ASSERT_TRUE(stream.Skip(std::span(ids).first(cut)).ok());
      std::string streamed;
      for (size_t i = cut; i < ids.size(); ++i) streamed += *stream.Add(ids[i]);
      streamed += *stream.Finish();
      EXPECT_EQ(prompt + streamed, whole);
    }
  }
}

TEST_P(GoldenTokenizer, RefusesIdsOutsideTheVocabulary) {
  for (const int32_t id : {-1, static_cast<int32_t>(tokenizer_->vocab_size()), 0x7fffffff}) {
    auto text = tokenizer_->Decode(std::vector<int32_t>{id});
    ASSERT_FALSE(text);
    EXPECT_EQ(text.error().code(), StatusCode::kInvalidArgument);
    EXPECT_NE(text.error().message().find(std::to_string(id)), std::string::npos);
  }
}

TEST_P(GoldenTokenizer, TakesAnyBytesAsText) {
  for (const std::string& text : {std::string("\xff\xfe"), std::string("a\0b", 3),
                                  std::string("\xe3\x81"), std::string(100000, 'x')}) {
    auto ids = tokenizer_->Encode(text);
    ASSERT_TRUE(ids) << ids.error().message();
    EXPECT_TRUE(tokenizer_->Decode(*ids));
  }
}

TEST_P(GoldenTokenizer, SurvivesDamagedModels) {
  const std::string good = ReadFileOrDie(GoldenPath(Format("tokenizers/{}.model", GetParam())));
  // Loaded or refused, never a crash; what loads can be used.
  const auto try_out = [](const std::string& bytes) {
    auto tokenizer = LoadSentencePiece(bytes);
    if (!tokenizer) {
      EXPECT_EQ(tokenizer.error().code(), StatusCode::kCorruption);
      return;
    }
    auto ids = (*tokenizer)->Encode("The <extra_id_1> 日本 \n x");
    if (ids) (void)(*tokenizer)->Decode(*ids);
  };
  for (size_t size = 0; size < good.size(); size += 977) try_out(good.substr(0, size));
  uint32_t random = 1;
  for (int round = 0; round < 300; ++round) {
    std::string bad = good;
    for (int flip = 0; flip < 1 + round % 4; ++flip) {
      random = random * 1664525u + 1013904223u;
      // Half of the blows go to the settings at the end of the file.
      const size_t range = flip % 2 == 0 ? good.size() : std::min<size_t>(good.size(), 400);
      bad[good.size() - 1 - (random >> 8) % range] ^= static_cast<char>(1u << (random & 7));
    }
    try_out(bad);
  }
}

INSTANTIATE_TEST_SUITE_P(Golden, GoldenTokenizer, ::testing::Values("bpe1100", "bpe2048"));

TEST(Tokenizer, RefusesWhatIsNoModel) {
  // A normaliser (field 3) with a table (field 2) of 4 + 1024 bytes whose first unit leads far
  // outside.
  std::string table(4 + 1024 + 1, '\0');
  table[1] = 4;  // 1024
  table[4 + 2] = '\x7f';
  const std::string hostile_trie = std::string("\x1a\x88\x08\x12\x85\x08", 6) + table;
  const struct {
    std::string bytes;
    const char* says;
  } kCases[] = {
      {"", "empty"},
      {"not a model", "SentencePiece model"},
      {std::string(1000, '\0'), "SentencePiece model"},
      {std::string("\x0a\xff\xff\xff\xff\x0f", 6), "are left"},
      {hostile_trie, "unit 0 of the trie leads to unit"},
  };
  for (const auto& row : kCases) {
    auto tokenizer = LoadSentencePiece(row.bytes);
    ASSERT_FALSE(tokenizer);
    EXPECT_EQ(tokenizer.error().code(), StatusCode::kCorruption);
    EXPECT_NE(tokenizer.error().message().find(row.says), std::string::npos)
        << tokenizer.error().message();
  }
}

TEST(EncodePrompt, PutsBosInFrontOrWhereNothingIs) {
  auto tokenizer = LoadSentencePiece(ReadFileOrDie(GoldenPath("tokenizers/bpe2048.model")));
  ASSERT_TRUE(tokenizer);
  EXPECT_EQ(*EncodePrompt(**tokenizer, "Hello", false), (std::vector<int32_t>{1909, 389, 338}));
  EXPECT_EQ(*EncodePrompt(**tokenizer, "Hello", true), (std::vector<int32_t>{2, 1909, 389, 338}));
  EXPECT_EQ(*EncodePrompt(**tokenizer, "", false), (std::vector<int32_t>{2}));
  EXPECT_EQ(*EncodePrompt(**tokenizer, "", true), (std::vector<int32_t>{2}));
}

TEST(CountCharacters, CountsCodePoints) {
  EXPECT_EQ(CountCharacters(""), 0);
  EXPECT_EQ(CountCharacters("abc"), 3);
  EXPECT_EQ(CountCharacters("\u2581the\u65e5"), 5);
}

}  // namespace
}  // namespace nemo
