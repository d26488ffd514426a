// One answer for every layout, batch, prompt chunk and instruction set: the same tokens and
// log-probabilities, to the bit.
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "kernels/cpu/backend.h"
#include "libcore/base/format.h"
#include "tests/libcore/runtime/model/golden_model.h"

namespace nemo {
namespace {

using testing::GenerateWith;
using testing::IdsOf;
using testing::RunOptions;
using testing::TestModel;

const TestModel& Model(const std::string& name) {
  static std::map<std::string, TestModel> models;
  if (!models.contains(name)) {
    auto model = name == "demo" ? testing::LoadDemoModel() : testing::LoadGoldenModel(name);
    if (!model) ADD_FAILURE() << model.error().message();
    models.emplace(name, std::move(*model));
  }
  return models.at(name);
}

/// The oracle's prompts, greedy and sampled in turn, of different lengths.
std::vector<GenerateRequest> MixedRequests(const TestModel& model, int64_t longest_prompt) {
  std::vector<GenerateRequest> requests;
  for (const Value& prompt : model.oracle.Find("prompts")->as_array()) {
    GenerateRequest request;
    request.prompt_ids = IdsOf(*prompt.Find("ids"));
    if (std::ssize(request.prompt_ids) > longest_prompt) request.prompt_ids.resize(longest_prompt);
    const auto index = std::ssize(requests);
    request.tokens_to_generate = 4 + 3 * (index % 4);
    request.logprobs = true;
    request.sampling.greedy = index % 2 == 0;
    request.sampling.seed = 42;
    request.sampling.top_k = index % 4 == 1 ? 40 : 0;
    request.sampling.repetition_penalty = index % 4 == 3 ? 1.2 : 1.0;
    request.min_tokens_to_generate = index % 3;
    requests.push_back(request);
  }
  return requests;
}

RunOptions Options(int64_t tp, int64_t pp, int64_t batch) {
  RunOptions options;
  options.layout.tp_size = tp;
  options.layout.pp_size = pp;
  options.engine.max_step_tokens = 320;  // the longest prompt in one piece
  options.engine.max_sequences = batch;
  options.engine.max_sequence_tokens = 384;
  options.engine.logit_rows = 19;  // several blocks, the last one odd
  return options;
}

void ExpectSame(const Result<std::vector<GenerateResult>>& results,
                const Result<std::vector<GenerateResult>>& expected) {
  ASSERT_TRUE(results) << results.error().message();
  ASSERT_TRUE(expected) << expected.error().message();
  ASSERT_EQ(results->size(), expected->size());
  for (size_t i = 0; i < expected->size(); ++i) {
    EXPECT_EQ((*results)[i].token_ids, (*expected)[i].token_ids) << "request " << i;
    EXPECT_EQ((*results)[i].logprob, (*expected)[i].logprob) << "request " << i;
    EXPECT_EQ((*results)[i].argmax, (*expected)[i].argmax) << "request " << i;
  }
}

struct Case {
  const char* model;
  int64_t tp, pp;
  int64_t batch;
  int64_t chunk;  // 0: all
};

std::string CaseName(const ::testing::TestParamInfo<Case>& info) {
  const Case& c = info.param;
  return Format("{}_tp{}_pp{}_batch{}_chunk{}", c.model, c.tp, c.pp, c.batch, c.chunk);
}

class Layouts : public ::testing::TestWithParam<Case> {};

TEST_P(Layouts, GiveTheBitsOfOneRank) {
  const Case& c = GetParam();
  const TestModel& model = Model(c.model);
  // Single-token steps over many threads are slow; shorter prompts show the same.
  const int64_t longest = c.chunk == 1 ? 12 : 300;
  const std::vector<GenerateRequest> requests = MixedRequests(model, longest);
  static std::map<std::pair<std::string, int64_t>, std::vector<GenerateResult>> of_one_rank;
  if (!of_one_rank.contains({c.model, longest})) {
    auto expected = GenerateWith(model, Options(1, 1, 8), requests);
    ASSERT_TRUE(expected) << expected.error().message();
    of_one_rank[{c.model, longest}] = std::move(*expected);
  }
  ExpectSame(GenerateWith(model, Options(c.tp, c.pp, c.batch), requests, {c.chunk}),
             of_one_rank[{c.model, longest}]);
}

std::vector<Case> Cases() {
  std::vector<Case> cases;
  for (const int64_t tp : {1, 2, 4, 8}) {
    for (const int64_t pp : {1, 2, 4}) {
      for (const int64_t batch : {1, 3, 8}) {
        for (const int64_t chunk : {1, 7, 64, 0}) cases.push_back({"tiny", tp, pp, batch, chunk});
      }
    }
    for (const int64_t pp : {1, 2, 3}) {
      if (tp * pp <= 12) cases.push_back({"demo", tp, pp, 8, 7});
    }
  }
  for (const int64_t pp : {1, 2, 3}) cases.push_back({"odd", 2, pp, 3, 7});
  return cases;
}

INSTANTIATE_TEST_SUITE_P(Matrix, Layouts, ::testing::ValuesIn(Cases()), CaseName);

TEST(Layouts, UnevenStagesGiveTheBitsOfOneRank) {
  const TestModel& model = Model("odd");
  const std::vector<GenerateRequest> requests = MixedRequests(model, 64);
  RunOptions options = Options(2, 3, 4);
  options.layout.layers_per_stage = {1, 0, 5};
  ExpectSame(GenerateWith(model, options, requests),
             GenerateWith(model, Options(1, 1, 8), requests));
}

TEST(Layouts, EveryInstructionSetGivesTheSameBits) {
  const TestModel& model = Model("demo");
  const std::vector<GenerateRequest> requests = MixedRequests(model, 40);
  const auto expected = GenerateWith(model, Options(1, 1, 8), requests);
  for (const std::string& isa : AvailableIsas()) {
    SCOPED_TRACE(isa);
    RunOptions options = Options(2, 1, 4);
    options.isa = isa;
    ExpectSame(GenerateWith(model, options, requests), expected);
  }
}

TEST(Layouts, TheHfProfileIsInvariantToo) {
  const TestModel& model = Model("tiny");
  const std::vector<GenerateRequest> requests = MixedRequests(model, 64);
  RunOptions one = Options(1, 1, 8), many = Options(4, 2, 3);
  one.engine.profile = many.engine.profile = DTypeProfile::kHf;
  ExpectSame(GenerateWith(model, many, requests, {7}), GenerateWith(model, one, requests));
}

TEST(Layouts, MemoryTheHostCannotTouchGivesTheSameBits) {
  const TestModel& model = Model("tiny");
  const std::vector<GenerateRequest> requests = MixedRequests(model, 64);
  RunOptions options = Options(2, 2, 3);
  options.far = true;
  ExpectSame(GenerateWith(model, options, requests),
             GenerateWith(model, Options(1, 1, 8), requests));
}

TEST(Layouts, RanksThatDoNotDivideTheLeavesAreRightWithinRounding) {
  // Three ranks share neither 8 leaves nor 8 vocabulary parts evenly.
  ModelConfig config = Model("tied").config;
  config.num_attention_heads = 6;
  config.num_query_groups = 3;
  config.ffn_hidden_size = 96;
  config.share_embeddings_and_output_weights = false;
  const TestModel model = testing::MakeRandomModel(config, Model("tied"));
  std::vector<GenerateRequest> requests = MixedRequests(model, 64);
  for (GenerateRequest& request : requests) request.tokens_to_generate = 0;
  const auto expected = GenerateWith(model, Options(1, 1, 8), requests);
  const auto results = GenerateWith(model, Options(3, 2, 8), requests);
  ASSERT_TRUE(expected) << expected.error().message();
  ASSERT_TRUE(results) << results.error().message();
  for (size_t i = 0; i < requests.size(); ++i) {
    for (size_t at = 0; at < (*expected)[i].logprob.size(); ++at) {
      EXPECT_NEAR((*results)[i].logprob[at], (*expected)[i].logprob[at], 0.1);
    }
  }
}

TEST(Layouts, FullRowsDoNotDependOnTheLayout) {
  const TestModel& model = Model("tiny");
  std::vector<GenerateRequest> requests = MixedRequests(model, 20);
  for (GenerateRequest& request : requests) {
    request.full_logprobs = true;
    request.logprobs_begin = 3;
  }
  const auto expected = GenerateWith(model, Options(1, 1, 8), requests);
  const auto results = GenerateWith(model, Options(2, 2, 3), requests, {7});
  ExpectSame(results, expected);
  for (size_t i = 0; i < requests.size(); ++i) {
    const GenerateResult& result = (*results)[i];
    EXPECT_EQ(result.full_logprob, (*expected)[i].full_logprob);
    ASSERT_EQ(result.full_logprob.size(), result.logprob.size());
    for (size_t row = 0; row < result.logprob.size(); ++row) {
      const int32_t next = result.token_ids[3 + row + 1];
      EXPECT_EQ(result.full_logprob[row][next], static_cast<float>(result.logprob[row]));
      EXPECT_EQ(ArgMax(result.full_logprob[row]), result.argmax[row]);
    }
  }
}

}  // namespace
}  // namespace nemo
