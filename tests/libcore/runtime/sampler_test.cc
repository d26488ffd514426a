// The sampler against NeMo's own functions (evaluation data beside the project) and a full-row
// reference.
#include "libcore/runtime/sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <string>

#include <gtest/gtest.h>

#include "libcore/base/json.h"
#include "libcore/base/value.h"
#include "tests/testing.h"

namespace nemo {
namespace {

constexpr float kOff = -std::numeric_limits<float>::infinity();

std::vector<float> FloatsOf(const Value& list) {
  std::vector<float> values;
  for (const Value& v : list.as_array())
    values.push_back(v.is_null() ? kOff : static_cast<float>(v.as_double()));
  return values;
}

/// One row of a case of nemo_sampling_cases.json.
void CheckNemoRow(const Value& test, size_t row) {
  SamplingParams params;
  params.temperature = test.Find("temperature")->as_double();
  params.repetition_penalty = test.Find("repetition_penalty")->as_double();
  std::vector<int32_t> used;
  if (const Value* list = test.Find("used_tokens"); list->is_array()) {
    for (const Value& id : list->as_array()[row].as_array())
      used.push_back(static_cast<int32_t>(id.as_int()));
  } else {
    params.repetition_penalty = 1;  // without the list there is no penalty
  }
  const Value* started = test.Find("started");
  if (!started->is_array() || started->as_array()[row].as_bool()) {
    params.top_k = test.Find("top_k")->as_int();
    params.top_p = test.Find("top_p")->as_double();
  } else {
    params.top_p = 0;  // rows still in their prompt are not filtered
  }
  std::vector<float> logits = FloatsOf(test.Find("logits")->as_array()[row]);
  ScaleLogits(params, used, logits);
  const std::vector<float> scaled = FloatsOf(test.Find("after_penalty")->as_array()[row]);
  for (size_t id = 0; id < scaled.size(); ++id) EXPECT_NEAR(logits[id], scaled[id], 2e-6) << id;

  const std::vector<float> filtered = FloatsOf(test.Find("after_filter")->as_array()[row]);
  const std::vector<float> probs = FloatsOf(test.Find("probs")->as_array()[row]);
  const std::vector<Candidate> survivors = Survivors(params, logits);
  EXPECT_EQ(std::ssize(survivors),
            std::count_if(filtered.begin(), filtered.end(), [](float x) { return x > kOff; }));
  double total = 0;
  for (const Candidate& c : survivors) total += std::exp(static_cast<double>(c.logit));
  for (const Candidate& c : survivors) {
    EXPECT_NEAR(c.logit, filtered[c.token_id], 2e-6);
    EXPECT_NEAR(std::exp(static_cast<double>(c.logit)) / total, probs[c.token_id], 2e-6);
  }
}

TEST(Sampler, FiltersAsNemosOwnFunctionsDo) {
  const std::string path = testing::SharedPath("evaldata/oracle/http/nemo_sampling_cases.json");
  if (path.empty()) GTEST_SKIP() << "the evaluation data is not beside the project (NEMO_SHARED)";
  auto oracle = ParseJson(testing::ReadFileOrDie(path));
  ASSERT_TRUE(oracle) << oracle.error().message();
  for (const Value& test : oracle->Find("cases")->as_array()) {
    for (size_t row = 0; row < test.Find("logits")->as_array().size(); ++row) {
      SCOPED_TRACE(ToJson(test));
      CheckNemoRow(test, row);
    }
  }
}

std::vector<float> RandomLogits(int size, uint32_t seed) {
  std::vector<float> logits(size);
  for (int i = 0; i < size; ++i) {
    // In steps of 1/4, so that there are ties.
    logits[i] =
        static_cast<float>(Philox4x32({static_cast<uint32_t>(i), seed, 0, 0}, {0, 0})[0] % 64) / 4 -
        8;
  }
  return logits;
}

/// Sort everything, then cut: the definition.
std::vector<int32_t> SortedReference(const SamplingParams& params,
                                     const std::vector<float>& logits) {
  std::vector<int32_t> order(logits.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](int32_t a, int32_t b) { return logits[a] > logits[b]; });
  if (params.top_k > 0 && params.top_k < std::ssize(order)) {
    const float threshold = logits[order[params.top_k - 1]];
    std::erase_if(order, [&](int32_t id) { return logits[id] < threshold; });
  }
  if (params.top_p > 0 && params.top_p < 1) {
    double total = 0, before = 0;
    for (const int32_t id : order) total += std::exp(static_cast<double>(logits[id]));
    size_t kept = 0;
    while (kept < order.size() && before <= params.top_p * total) {
      before += std::exp(static_cast<double>(logits[order[kept++]]));
    }
    order.resize(kept);
  }
  std::sort(order.begin(), order.end());
  return order;
}

TEST(Sampler, TopKAndTopPEqualTheSortedDefinition) {
  for (uint32_t seed = 0; seed < 40; ++seed) {
    const std::vector<float> logits = RandomLogits(300, seed);
    for (const int64_t top_k : {0, 1, 5, 40, 299, 300, 1000}) {
      for (const double top_p : {0.0, 0.05, 0.5, 0.9, 0.999, 1.0}) {
        SamplingParams params;
        params.top_k = top_k;
        params.top_p = top_p;
        std::vector<int32_t> ids;
        for (const Candidate& c : Survivors(params, logits)) ids.push_back(c.token_id);
        std::sort(ids.begin(), ids.end());
        EXPECT_EQ(ids, SortedReference(params, logits)) << seed << " " << top_k << " " << top_p;
      }
    }
  }
}

TEST(Sampler, DrawsWithTheProbabilitiesOfTheSoftmax) {
  const std::vector<float> logits = {0.0f, 1.0f, 2.0f, kOff, -1.0f};
  SamplingParams params;
  params.top_p = 0;
  const std::vector<Candidate> candidates = Survivors(params, logits);
  constexpr int kDraws = 100000;
  std::map<int32_t, int> counts;
  for (int position = 0; position < kDraws; ++position) {
    ++counts[Choose(candidates, {99, static_cast<uint32_t>(position), 0, 0})];
  }
  EXPECT_FALSE(counts.contains(3));
  double total = 0;
  for (const Candidate& c : candidates) total += std::exp(static_cast<double>(c.logit));
  for (const Candidate& c : candidates) {
    const double p = std::exp(static_cast<double>(c.logit)) / total;
    // Five standard deviations of a binomial.
    EXPECT_NEAR(counts[c.token_id], kDraws * p, 5 * std::sqrt(kDraws * p * (1 - p))) << c.token_id;
  }
}

TEST(Sampler, TheOrderOfCandidatesDoesNotMatter) {
  SamplingParams params;
  params.top_k = 20;
  std::vector<Candidate> candidates = Survivors(params, RandomLogits(200, 3));
  for (uint32_t position = 0; position < 50; ++position) {
    const int32_t chosen = Choose(candidates, {1, position, 2, 0});
    std::reverse(candidates.begin(), candidates.end());
    EXPECT_EQ(Choose(candidates, {1, position, 2, 0}), chosen);
  }
}

TEST(Sampler, ArgMaxTakesTheLowestIdOfEquals) {
  EXPECT_EQ(ArgMax(std::vector<float>{1, 3, 2, 3}), 1);
  EXPECT_EQ(ArgMax(std::vector<float>{kOff, kOff}), -1);
  EXPECT_EQ(Choose({}, {}), -1);
}

}  // namespace
}  // namespace nemo
