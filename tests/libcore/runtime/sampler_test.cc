// The sampler against NeMo's own functions (evaluation data beside the project) and a full-row
// reference, with the row in one shard and in several.
#include "libcore/runtime/sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <set>
#include <string>

#include <gtest/gtest.h>

#include "kernels/comm/run_ranks.h"
#include "kernels/reference/backend.h"
#include "libcore/base/json.h"
#include "libcore/base/value.h"
#include "libcore/runtime/shard_lists.h"
#include "libcore/runtime/token_draws.h"
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

/// What a shard that begins at a chunk has to say of its logits.
ShardList ListOf(const TokenDraw& draw, std::vector<float> logits, int64_t chunk_columns,
                 int64_t chunk_begin, int64_t limit) {
  const int64_t num_chunks = (std::ssize(logits) + chunk_columns - 1) / chunk_columns;
  const VocabCut cut = {chunk_columns, chunk_begin + num_chunks, chunk_begin,
                        chunk_begin + num_chunks};
  const int64_t vocab_size = cut.column_begin() + std::ssize(logits);
  logits.resize(cut.num_columns());
  const auto backend = CreateReferenceBackend();
  auto lists = ShardLists::Create({vocab_size, 1, std::ssize(draw.used)}, cut, *backend);
  EXPECT_TRUE(lists) << lists.error().message();
  const ShardLists::Row row = {0, &draw};
  auto list = (*lists)->Of(logits.data(), std::span(&row, 1), limit);
  EXPECT_TRUE(list) << list.error().message();
  return list->front();
}

/// All logits of a shard as the draw has them, -infinity where the list has none.
std::vector<float> Scaled(TokenDraw draw, const std::vector<float>& logits, int64_t first_id = 0) {
  draw.params.top_k = std::ssize(logits);
  const int64_t chunk = first_id > 0 ? first_id : std::ssize(logits);
  std::vector<float> scaled(logits.size(), kOff);
  const ShardList all = ListOf(draw, logits, chunk, first_id / chunk, std::ssize(logits));
  for (const Candidate& c : all.best) scaled[c.token_id - first_id] = c.logit;
  return scaled;
}

/// Of a row that is one shard, however long the lists have to be.
std::vector<Candidate> SurvivorsOf(SamplingParams params, const std::vector<float>& logits) {
  params.temperature = params.repetition_penalty = 1;  // they are scaled already
  // Without any filter a shard tells its winner only; all are survivors then.
  const bool has_top_p = params.top_p > 0 && params.top_p < 1;
  if (params.top_k == 0 && !has_top_p) params.top_k = std::ssize(logits);
  const ShardList part = ListOf({.params = params}, logits, 2000, 0, std::ssize(logits));
  const auto survivors = Survivors(params, std::span(&part, 1));
  EXPECT_TRUE(survivors.has_value());
  return survivors.value_or(std::vector<Candidate>());
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
  const std::vector<float> logits =
      Scaled({.params = params, .used = used}, FloatsOf(test.Find("logits")->as_array()[row]));
  const std::vector<float> scaled = FloatsOf(test.Find("after_penalty")->as_array()[row]);
  for (size_t id = 0; id < scaled.size(); ++id) EXPECT_NEAR(logits[id], scaled[id], 2e-6) << id;

  const std::vector<float> filtered = FloatsOf(test.Find("after_filter")->as_array()[row]);
  const std::vector<float> probs = FloatsOf(test.Find("probs")->as_array()[row]);
  const std::vector<Candidate> survivors = SurvivorsOf(params, logits);
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

struct Filter {
  int64_t top_k;
  double top_p;
};

std::vector<Filter> Filters() {
  std::vector<Filter> filters;
  for (const int64_t top_k : {0, 1, 5, 40, 299, 300, 1000, 5000}) {
    for (const double top_p : {0.0, 0.05, 0.5, 0.9, 0.999, 1.0}) filters.push_back({top_k, top_p});
  }
  return filters;
}

TEST(Sampler, TopKAndTopPEqualTheSortedDefinition) {
  for (uint32_t seed = 0; seed < 40; ++seed) {
    const std::vector<float> logits = RandomLogits(300, seed);
    for (const Filter& filter : Filters()) {
      SamplingParams params;
      params.top_k = filter.top_k;
      params.top_p = filter.top_p;
      std::vector<int32_t> ids;
      for (const Candidate& c : SurvivorsOf(params, logits)) ids.push_back(c.token_id);
      std::sort(ids.begin(), ids.end());
      EXPECT_EQ(ids, SortedReference(params, logits))
          << seed << " " << filter.top_k << " " << filter.top_p;
    }
  }
}

TEST(Sampler, ListsThatAreTooShortAreNotGuessedFrom) {
  // Two shards, lists of 3. The fourth best of the first is better than the best of the second.
  const std::vector<float> logits = {9, 8, 7, 6, 5, 4, 3, 2};
  SamplingParams params;
  const auto with = [&](int64_t top_k, double top_p) {
    params.top_k = top_k;
    params.top_p = top_p;
    const ShardList parts[] = {
        ListOf({.params = params}, {logits.begin(), logits.begin() + 4}, 4, 0, 3),
        ListOf({.params = params}, {logits.begin() + 4, logits.end()}, 4, 1, 3)};
    const auto survivors = Survivors(params, parts);
    return survivors ? std::ssize(*survivors) : -1;
  };
  EXPECT_EQ(with(2, 0), 2);
  EXPECT_EQ(with(3, 0), -1) << "the next one could be as good as the third";
  EXPECT_EQ(with(4, 0), -1);
  EXPECT_EQ(with(0, 0.5), 1);
  EXPECT_EQ(with(0, 0.85), 2);
  EXPECT_EQ(with(0, 0.99), -1);
}

/// In fp32, as NeMo.
void ScaleByDefinition(const TokenDraw& draw, std::vector<float>& logits) {
  if (draw.banned_id >= 0) logits[draw.banned_id] = kOff;
  if (draw.params.greedy) return;
  for (float& logit : logits) logit /= static_cast<float>(draw.params.temperature);
  const auto penalty = static_cast<float>(draw.params.repetition_penalty);
  for (const int32_t id : std::set<int32_t>(draw.used.begin(), draw.used.end())) {
    const bool multiply = draw.params.repetition == Repetition::kCtrl && logits[id] < 0;
    logits[id] = multiply ? logits[id] * penalty : logits[id] / penalty;
  }
}

/// The definition on the whole row: scale, sort, cut, draw.
int32_t DrawFromWholeRow(const TokenDraw& draw, std::vector<float> logits) {
  ScaleByDefinition(draw, logits);
  if (draw.params.greedy) {
    const auto best = std::max_element(logits.begin(), logits.end());
    return *best == kOff ? -1 : static_cast<int32_t>(best - logits.begin());
  }
  std::vector<Candidate> candidates;
  for (const int32_t id : SortedReference(draw.params, logits)) {
    if (logits[id] > kOff) candidates.push_back({logits[id], id});
  }
  return Choose(candidates, draw.key);
}

TEST(TokenDraws, AreThoseOfTheWholeRowOnAnyNumberOfRanks) {
  constexpr int64_t kVocab = 5003;  // padded to eight chunks of 626
  std::vector<TokenDraw> draws;
  std::vector<std::vector<float>> rows;
  std::vector<const TokenDraw*> pointers;
  for (const Filter& filter : Filters()) {
    const auto index = static_cast<uint32_t>(draws.size());
    TokenDraw& draw = draws.emplace_back();
    draw.params.top_k = filter.top_k;
    draw.params.top_p = filter.top_p;
    draw.params.temperature = index % 3 == 0 ? 1.0 : 0.7 + 0.3 * (index % 5);
    draw.params.greedy = index % 11 == 10;
    draw.params.repetition_penalty = index % 4 == 1 ? 1.3 : 1.0;
    draw.params.repetition = index % 8 == 1 ? Repetition::kCtrl : Repetition::kNemo;
    draw.used = {5, 5000, 17, 5, 2001};
    draw.banned_id = index % 2 == 0 ? 3 : -1;
    draw.key = {11, index, 2, 0};
    rows.push_back(RandomLogits(kVocab, index));
    if (index % 2 == 0) rows.back()[3] = 50;  // would be chosen
    // Mostly one value: ties that no list of a shard can show.
    if (index % 7 == 6) std::fill(rows.back().begin() + 100, rows.back().end(), 1.0f);
  }
  std::vector<int32_t> expected;
  for (size_t i = 0; i < draws.size(); ++i) {
    expected.push_back(DrawFromWholeRow(draws[i], rows[i]));
    EXPECT_NE(expected.back(), draws[i].banned_id);
    pointers.push_back(&draws[i]);
  }
  for (const int tp_size : {1, 2, 3, 4, 8, 11}) {
    const Status status = RunRanks(tp_size, [&](Communicator& tp) -> Status {
      const VocabCut cut = CutVocabulary(kVocab, tp_size, tp.rank());
      const int64_t begin = std::min(cut.column_begin(), kVocab);
      const int64_t end = std::min(begin + cut.num_columns(), kVocab);
      std::vector<float> logits(rows.size() * cut.num_columns());
      for (size_t i = 0; i < rows.size(); ++i) {
        std::copy(rows[i].begin() + begin, rows[i].begin() + end,
                  logits.begin() + static_cast<int64_t>(i) * cut.num_columns());
      }
      const auto backend = CreateReferenceBackend();
      NEMO_ASSIGN_OR_RETURN(
          const auto lists,
          ShardLists::Create({kVocab, std::ssize(rows), std::ssize(draws[0].used)}, cut, *backend));
      const auto lists_of = [&](std::span<const size_t> indices, int64_t limit) {
        std::vector<ShardLists::Row> some;
        for (const size_t i : indices) some.push_back({static_cast<int64_t>(i), &draws[i]});
        return lists->Of(logits.data(), some, limit);
      };
      NEMO_ASSIGN_OR_RETURN(const std::vector<int32_t> tokens, DrawTokens(tp, pointers, lists_of));
      EXPECT_EQ(tokens, expected) << tp_size << " ranks, rank " << tp.rank();
      return OkStatus();
    });
    EXPECT_TRUE(status.ok()) << status.message();
  }
}

TEST(TokenDraws, ARowWithoutNumbersIsRefusedOnEveryRank) {
  const TokenDraw draw;
  const Status status = RunRanks(2, [&](Communicator& tp) -> Status {
    const TokenDraw* draws[] = {&draw};
    const auto tokens = DrawTokens(tp, draws, [&](std::span<const size_t>, int64_t limit) {
      return Result<std::vector<ShardList>>(
          std::vector{ListOf(draw, std::vector<float>(40, kOff), 40, tp.rank(), limit)});
    });
    EXPECT_EQ(tokens.error().code(), StatusCode::kCorruption);
    return OkStatus();
  });
  EXPECT_TRUE(status.ok()) << status.message();
}

TEST(Sampler, CtrlPenaltyMakesEveryUsedTokenLessLikely) {
  TokenDraw draw;
  draw.params.repetition_penalty = 2;
  draw.used = {1, 2, 9, 1};
  EXPECT_EQ(Scaled(draw, {4, 4, -4, -4}), (std::vector<float>{4, 2, -2, -4}));
  draw.params.repetition = Repetition::kCtrl;
  EXPECT_EQ(Scaled(draw, {4, 4, -4, -4}), (std::vector<float>{4, 2, -8, -4}));
  // A shard that begins at token 2.
  EXPECT_EQ(Scaled(draw, {-4, -4}, 2), (std::vector<float>{-8, -4}));
}

TEST(Sampler, DrawsWithTheProbabilitiesOfTheSoftmax) {
  const std::vector<float> logits = {0.0f, 1.0f, 2.0f, kOff, -1.0f};
  SamplingParams params;
  params.top_p = 0;
  params.top_k = 5;
  const std::vector<Candidate> candidates = SurvivorsOf(params, logits);
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
  std::vector<Candidate> candidates = SurvivorsOf(params, RandomLogits(200, 3));
  for (uint32_t position = 0; position < 50; ++position) {
    const int32_t chosen = Choose(candidates, {1, position, 2, 0});
    std::reverse(candidates.begin(), candidates.end());
    EXPECT_EQ(Choose(candidates, {1, position, 2, 0}), chosen);
  }
}

TEST(Sampler, TheLowestOfEqualsWinsAndNothingHasNoWinner) {
  TokenDraw draw;
  draw.params.greedy = true;
  const auto greedy = [&](const std::vector<float>& logits) {
    const ShardList part = ListOf(draw, logits, 2000, 0, 1);
    return *Conclude(draw, std::span(&part, 1));
  };
  EXPECT_EQ(greedy({1, 3, 2, 3}), 1);
  EXPECT_EQ(greedy({kOff, kOff}), -1);
  EXPECT_EQ(Choose({}, {}), -1);
}

}  // namespace
}  // namespace nemo
