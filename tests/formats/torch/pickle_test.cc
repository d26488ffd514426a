// Pickles that CPython wrote (tests/golden/torch/pickles.json), and pickles that nobody should
// write.
#include "formats/torch/pickle.h"

#include <gtest/gtest.h>

#include "libcore/base/format.h"
#include "libcore/base/json.h"
#include "tests/formats/torch/golden.h"

namespace nemo::torch {
namespace {

using namespace std::string_literals;  // NOLINT: pickles have NUL bytes
using Kind = PickleNode::Kind;

/// As Python would write it, except that calls are shown and not made.
std::string Show(const PickleNode& node);

std::string ShowItems(const PickleNode& node) {
  std::string text;
  for (const PickleNode* item : node.items()) text += (text.empty() ? "" : ", ") + Show(*item);
  return text;
}

std::string ShowEntries(const PickleNode& node) {
  std::string text;
  for (const auto& [key, value] : node.entries()) {
    text += (text.empty() ? "" : ", ") + Show(*key) + ": " + Show(*value);
  }
  return text;
}

std::string ShowFloat(double value) {
  const std::string text = Format("{}", value);
  return text.find_first_of(".e") == std::string::npos ? text + ".0" : text;
}

std::string Show(const PickleNode& node) {
  switch (node.kind()) {
    case Kind::kNone:
      return "None";
    case Kind::kBool:
      return *node.AsBool() ? "True" : "False";
    case Kind::kInt:
      return Format("{}", *node.AsInt());
    case Kind::kBigInt:
      return "big";
    case Kind::kFloat:
      return ShowFloat(*node.AsFloat());
    case Kind::kText:
      return Format("'{}'", *node.AsText());
    case Kind::kBytes:
      return Format("b'{}'", *node.AsBytes());
    case Kind::kTuple:
      return "(" + ShowItems(node) + ")";
    case Kind::kList:
      return "[" + ShowItems(node) + "]";
    case Kind::kSet:
      return "{" + ShowItems(node) + "}";
    case Kind::kDict:
      return "{" + ShowEntries(node) + "}";
    case Kind::kGlobal:
      return Format("{} {}", node.module(), node.name());
    case Kind::kObject:
      return Show(*node.callable()) + Show(*node.args()) +
             (node.state() == nullptr ? "" : " " + Show(*node.state()));
    case Kind::kPersistentId:
      return "id" + Show(*node.id());
  }
  return "?";
}

TEST(Pickle, IsReadAsPythonWroteItInEveryProtocol) {
  const auto cases = ParseJson(testing::GoldenTorchBytes("pickles.json"));
  ASSERT_TRUE(cases) << cases.error().message();
  for (const Value& c : cases->as_array()) {
    const std::string bytes = testing::BytesOfHex(*c.GetString("hex"));
    const std::string place =
        Format("{}, protocol {}", *c.GetString("what"), *c.GetInt("protocol"));
    const auto document = ParsePickle(bytes);
    ASSERT_TRUE(document) << place << ": " << document.error().message();
    EXPECT_EQ(Show(document->root()), *c.GetString("shown")) << place;
    EXPECT_EQ(document->size_bytes(), static_cast<int64_t>(bytes.size())) << place;
  }
}

TEST(Pickle, CutAnywhereIsRefused) {
  const auto cases = ParseJson(testing::GoldenTorchBytes("pickles.json"));
  ASSERT_TRUE(cases) << cases.error().message();
  for (const Value& c : cases->as_array()) {
    const std::string bytes = testing::BytesOfHex(*c.GetString("hex"));
    for (size_t size = 0; size < bytes.size(); ++size) {
      const auto document = ParsePickle(bytes.substr(0, size));
      ASSERT_FALSE(document) << *c.GetString("what") << " " << size;
      ASSERT_EQ(document.error().code(), StatusCode::kCorruption);
    }
  }
}

TEST(Pickle, AnyChangedByteIsReadOrRefused) {
  const auto cases = ParseJson(testing::GoldenTorchBytes("pickles.json"));
  ASSERT_TRUE(cases) << cases.error().message();
  for (const Value& c : cases->as_array()) {
    const std::string bytes = testing::BytesOfHex(*c.GetString("hex"));
    for (size_t at = 0; at < std::min<size_t>(bytes.size(), 60); ++at) {
      for (int value = 0; value < 256; ++value) {
        std::string damaged = bytes;
        damaged[at] = static_cast<char>(value);
        static_cast<void>(ParsePickle(std::move(damaged)).has_value());
      }
    }
  }
}

TEST(Pickle, BeginsWhereItIsToldAndSaysWhereItEnds) {
  const auto bytes = std::make_shared<const std::string>("K\x01.\x80\x02K\x02.K\x03."s);
  int64_t at = 0;
  for (const int64_t expected : {1, 2, 3}) {
    const auto document = ParsePickle(bytes, at);
    ASSERT_TRUE(document) << document.error().message();
    EXPECT_EQ(*document->root().AsInt(), expected);
    at += document->size_bytes();
  }
  EXPECT_FALSE(ParsePickle(bytes, at));
}

TEST(Pickle, ListsItsPersistentIds) {
  const auto document = ParsePickle("\x80\x02K\x05QK\x06Q\x86."s);
  ASSERT_TRUE(document) << document.error().message();
  ASSERT_EQ(document->persistent_ids().size(), 2u);
  EXPECT_EQ(*document->persistent_ids()[1]->id()->AsInt(), 6);
  EXPECT_EQ(Show(document->root()), "(id5, id6)");
}

TEST(Pickle, RefusalsNameTheCause) {
  const std::string deep(2000, '(');
  std::string nested = ")";
  for (int i = 0; i < 1500; ++i) nested += "\x85";
  const struct {
    const char* what;
    std::string bytes;
    const char* words;
  } cases[] = {
      {"nothing", "", "truncated"},
      {"an unknown opcode", "\x80\x02\xff."s, "byte 2 (opcode 0xff)"},
      {"protocol 0", "I1\n."s, "opcode 0x49"},
      {"protocol 9", "\x80\x09N."s, "protocol 9"},
      {"an empty stack", "\x80\x02."s, "empty stack"},
      {"a tuple of too few", "N\x86."s, "stack is empty"},
      {"a tuple across a mark", "N(N\x86."s, "stack is empty"},
      {"no mark", "Nt."s, "no mark"},
      {"nothing in the memo", "h\x05."s, "memo under 5"},
      {"a number for a list", "K\x01K\x02"s + "a.", "items for an integer"},
      {"a list for keys", "]K\x01K\x02s."s, "keys and values for a list"},
      {"a key without a value", "}(K\x01u."s, "key without a value"},
      {"a container below a mark", "](a."s, "container that is not there"},
      {"attributes of a list", "]}b."s, "attributes for a list"},
      {"arguments that are none", "cm\nf\nK\x01R."s, "expected a tuple"},
      {"marks without end", deep, "1000"},
      {"tuples in tuples", nested, "nested deeper than 1000"},
      {"a length that lies", "X\xff\xff\xff\xff."s, "truncated"},
      {"a length beyond 63 bits", "\x8d\xff\xff\xff\xff\xff\xff\xff\xff"s, "truncated"},
      {"a key twice", "}(X\x01\x00\x00\x00kK\x01X\x01\x00\x00\x00kK\x02u."s, "duplicate key 'k'"},
      {"a name that is a number", "K\x01K\x02\x93."s, "expected a text"},
  };
  for (const auto& c : cases) {
    const auto document = ParsePickle(c.bytes);
    ASSERT_FALSE(document) << c.what;
    EXPECT_EQ(document.error().code(), StatusCode::kCorruption) << c.what;
    EXPECT_NE(document.error().message().find(c.words), std::string::npos)
        << c.what << ": " << document.error().message();
  }
}

TEST(Pickle, NamesThatRunThingsAreRefusedAtOnce) {
  const struct {
    std::string bytes;
    const char* global;
  } cases[] = {
      // Python: pickle.dumps(os.system, protocol), pickle.dumps(eval, protocol) ...
      {"\x80\x02"s + "cposix\nsystem\nq\x00."s, "posix system"},
      {"\x80\x04\x95\x14\x00\x00\x00\x00\x00\x00\x00\x8c\x05posix\x94\x8c\x06system\x94\x93\x94."s,
       "posix system"},
      {"\x80\x02"s + "c__builtin__\neval\nq\x00."s, "__builtin__ eval"},
      {"\x80\x02"s + "cbuiltins\ngetattr\nq\x00."s, "builtins getattr"},
      {"cos.path\njoin\n."s, "os.path join"},
      {"csubprocess\nPopen\n."s, "subprocess Popen"},
      {"\x8c\x08"s + "builtins\x8c\x0d"s + "eval.__call__\x93."s, "builtins eval.__call__"},
      {"K\x01.cos\nsystem\n."s, "os system"},
  };
  for (const auto& c : cases) {
    EXPECT_EQ(FindUnsafeGlobal(c.bytes), c.global);
    const auto document = ParsePickle(c.bytes.substr(c.bytes.starts_with("K") ? 3 : 0));
    ASSERT_FALSE(document) << c.global;
    EXPECT_NE(document.error().message().find("unsafe pickle"), std::string::npos);
    EXPECT_NE(document.error().message().find(c.global), std::string::npos);
  }
  for (const std::string& harmless : {"N.cos\nsystem"s, "X\x03\x00\x00\x00os\n."s,
                                      "cossuary\nsystem\n."s, "ctorch\nload_all\n."s}) {
    EXPECT_EQ(FindUnsafeGlobal(harmless), "");
  }
}

TEST(Pickle, OnlyGlobalsAreCalled) {
  const auto document = ParsePickle("cm\nf\n)R)R."s);
  ASSERT_FALSE(document);
  EXPECT_NE(document.error().message().find("unsafe"), std::string::npos);
}

TEST(Pickle, WhatHoldsItselfIsReadAndDestroyed) {
  const auto document = ParsePickle("]q\x00h\x00"s + "a.");
  ASSERT_TRUE(document) << document.error().message();
  EXPECT_EQ(document->root().items().front(), &document->root());
}

TEST(PickleNode, TypedAccessNamesBothKinds) {
  const auto document = ParsePickle("cm\nf\n)R."s);
  ASSERT_TRUE(document);
  const auto wrong = document->root().AsInt();
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().message(), "expected an integer, found an object of m f");
  EXPECT_FALSE(document->root().AsIntList());
  EXPECT_FALSE(document->root().AsItems(Kind::kList));
  EXPECT_TRUE(document->root().IsObjectOf("m", "f"));
  EXPECT_EQ(document->root().Attribute("x"), nullptr);
  EXPECT_EQ(document->root().Find("x"), nullptr);
}

TEST(PickleNode, ATorchSizeIsAListOfIntegers) {
  const auto document = ParsePickle("ctorch\nSize\nK\x02K\x03\x86\x85R."s);
  ASSERT_TRUE(document);
  EXPECT_EQ(*document->root().AsIntList(), (std::vector<int64_t>{2, 3}));
}

}  // namespace
}  // namespace nemo::torch
