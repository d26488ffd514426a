// Pickles that we write, against those of CPython for the same values.
#include "formats/torch/pickle_value.h"

#include <cmath>
#include <map>

#include <gtest/gtest.h>

#include "formats/torch/pickle.h"
#include "libcore/base/format.h"
#include "libcore/base/json.h"
#include "tests/formats/torch/golden.h"

namespace nemo::torch {
namespace {

using List = PickleValue::List;
using Dict = PickleValue::Dict;

PickleValue Numbers(const std::vector<int64_t>& numbers) {
  return PickleValue::ListOf(List(numbers.begin(), numbers.end()));
}

PickleValue ManyItems() {
  std::vector<int64_t> numbers;
  for (int64_t i = 0; i < 1100; ++i) numbers.push_back(i);
  return Numbers(numbers);
}

/// The values of tests/golden/torch/make_pickles.py that checkpoints are made of.
std::map<std::string, PickleValue> Values() {
  const auto tuple = [](const std::vector<int64_t>& items) { return PickleValue::TupleOf(items); };
  const int64_t most = INT64_MAX, least = INT64_MIN;
  const int64_t two_31 = int64_t{1} << 31;
  return {
      {"None and booleans", PickleValue::ListOf({PickleValue(), true, false})},
      {"small integers",
       Numbers({0, 1, 255, 256, 65535, 65536, -1, -128, -32769, two_31 - 1, -two_31})},
      {"integers of 64 bits", Numbers({two_31, int64_t{1} << 32, -two_31 - 1, most, least})},
      {"floats", PickleValue::ListOf({0.5, -1e300, 1.0})},
      {"texts", PickleValue::ListOf({"", "abc", "\u00fc", std::string(300, 'x')})},
      {"tuples", PickleValue::TupleOf(List{tuple({}), tuple({1}), tuple({1, 2}), tuple({1, 2, 3}),
                                           tuple({1, 2, 3, 4})})},
      {"dicts",
       PickleValue::DictOf({{"a", PickleValue::DictOf({{"b", PickleValue::ListOf({})}})}, {1, 2}})},
      {"ordered dict", PickleValue::OrderedDict({{"b", 1}, {"a", 2}})},
      {"a class", PickleValue::Global("m", "Point")},
      {"many items", ManyItems()},
  };
}

/// Protocol 4 may cut a pickle into frames, which change nothing; CPython makes one of a short one.
std::string WithoutFrame(std::string bytes) {
  constexpr size_t kHead = 2, kFrame = 9;
  if (bytes.substr(kHead, 1) == "\x95") bytes.erase(kHead, kFrame);
  return bytes;
}

TEST(PickleValue, IsWrittenAsCPythonWritesIt) {
  const auto cases = ParseJson(testing::GoldenTorchBytes("pickles.json"));
  ASSERT_TRUE(cases) << cases.error().message();
  const auto values = Values();
  size_t num_compared = 0;
  for (const Value& c : cases->as_array()) {
    const int64_t protocol = *c.GetInt("protocol");
    const auto value = values.find(*c.GetString("what"));
    if (value == values.end() || (protocol != 2 && protocol != 4)) continue;
    EXPECT_EQ(WritePickle(value->second, static_cast<int>(protocol)),
              WithoutFrame(testing::BytesOfHex(*c.GetString("hex"))))
        << value->first << ", protocol " << protocol;
    ++num_compared;
  }
  EXPECT_EQ(num_compared, 2 * values.size());
}

TEST(PickleValue, OfAnObjectHasItsClassAndState) {
  const PickleValue point = PickleValue::Object(PickleValue::Global("m", "Point"),
                                                PickleValue::DictOf({{"x", 1}, {"y", "two"}}));
  const PickleValue bare = PickleValue::Object(PickleValue::Global("m", "Point"), PickleValue());
  for (const int protocol : {2, 4}) {
    const auto document =
        ParsePickle(WritePickle(PickleValue::TupleOf(List{point, bare}), protocol));
    ASSERT_TRUE(document) << document.error().message();
    const auto items = document->root().items();
    ASSERT_EQ(items.size(), 2u);
    EXPECT_TRUE(items[0]->IsObjectOf("m", "Point"));
    EXPECT_EQ(*items[0]->Attribute("y")->AsText(), "two");
    EXPECT_TRUE(items[1]->IsObjectOf("m", "Point"));
    EXPECT_EQ(items[1]->state(), nullptr);
  }
}

TEST(PickleValue, IsReadBackHoweverManyPlacesTheMemoHas) {
  Dict entries;
  for (int64_t i = 0; i < 2500; ++i) {
    entries.emplace_back(Format("name {}", i), Format("name {}", 2499 - i));
  }
  for (const int protocol : {2, 4}) {
    const auto document = ParsePickle(WritePickle(PickleValue::DictOf(entries), protocol));
    ASSERT_TRUE(document) << document.error().message();
    ASSERT_EQ(document->root().entries().size(), entries.size());
    EXPECT_EQ(*document->root().Find("name 7")->AsText(), "name 2492");
  }
}

}  // namespace
}  // namespace nemo::torch
