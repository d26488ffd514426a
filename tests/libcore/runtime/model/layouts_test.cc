// One answer for every layout, batch, prompt chunk and instruction set: the same tokens and
// log-probabilities, to the bit.
#include <map>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "kernels/comm/mpi_comm.h"
#include "kernels/cpu/backend.h"
#include "libcore/base/format.h"
#include "tests/libcore/runtime/model/golden_model.h"

namespace nemo {
namespace {

using testing::GenerateWith;
using testing::IdsOf;
using testing::RunOptions;
using testing::TestModel;

/// `tiny` with a quarter of its weights, for arithmetic that is slow: random ones, since only the
/// layouts of one model are compared.
Result<TestModel> LoadSmallModel() {
  NEMO_ASSIGN_OR_RETURN(const TestModel tiny, testing::LoadGoldenModel("tiny"));
  ModelConfig config = tiny.config;
  config.hidden_size /= 2;
  config.ffn_hidden_size /= 4;
  config.kv_channels /= 2;
  return testing::MakeRandomModel(config, tiny);
}

const TestModel& Model(const std::string& name) {
  static std::map<std::string, TestModel> models;
  if (!models.contains(name)) {
    auto model = name == "demo"    ? testing::LoadDemoModel()
                 : name == "small" ? LoadSmallModel()
                                   : testing::LoadGoldenModel(name);
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

/// What the matrix runs: prompts of every length, three of which begin alike over a page and more,
/// two that generate over page borders, and every kind of request. `is_short`: fewer and shorter
/// ones, which take only what the matrix is about.
std::vector<GenerateRequest> MatrixRequests(const TestModel& model, bool is_short) {
  std::vector<GenerateRequest> requests = MixedRequests(model, is_short ? 6 : 300);
  if (is_short) {
    requests.resize(4);
    for (GenerateRequest& request : requests) request.tokens_to_generate = 4;
  }
  std::vector<int32_t> beginning =
      IdsOf(*model.oracle.Find("prompts")->as_array().back().Find("ids"));
  beginning.resize(70);
  for (int32_t i = 0; i < 3; ++i) {
    GenerateRequest& request = requests.emplace_back(requests[i]);
    request.prompt_ids = beginning;
    request.prompt_ids.push_back(40 + i / 2);  // the first two are equal
    request.logprobs = i == 2;
    request.logprobs_begin = 66;  // the first page is nobody's concern
    request.sampling.top_p = 0.5 + 0.2 * i;
  }
  // Scoring alone, and whole rows.
  GenerateRequest& scored = requests.emplace_back(requests[0]);
  scored.prompt_ids.assign(beginning.begin(), beginning.end() - 1);
  scored.tokens_to_generate = 0;
  scored.logprobs_begin = 60;
  scored.full_logprobs = true;
  if (is_short) return requests;
  for (int32_t i = 0; i < 2; ++i) {
    GenerateRequest& request = requests.emplace_back(requests[1 + 2 * i]);
    request.prompt_ids.assign(beginning.begin(), beginning.begin() + 60);
    request.tokens_to_generate = 10;
    request.min_tokens_to_generate = 10;
  }
  return requests;
}

void ExpectSameRows(const Result<std::vector<GenerateResult>>& results,
                    const Result<std::vector<GenerateResult>>& expected) {
  ExpectSame(results, expected);
  if (!results || !expected) return;
  for (size_t i = 0; i < expected->size(); ++i) {
    EXPECT_EQ((*results)[i].full_logprob, (*expected)[i].full_logprob) << "request " << i;
    EXPECT_EQ((*results)[i].finish_reason, (*expected)[i].finish_reason) << "request " << i;
  }
}

struct Case {
  const char* model;
  int64_t tp, pp;
  std::string isa = "auto";
};

std::string CaseName(const ::testing::TestParamInfo<Case>& info) {
  const Case& c = info.param;
  return Format("{}_tp{}_pp{}_{}", c.model, c.tp, c.pp, c.isa);
}

/// Of one rank, without sharing or anything else that could go wrong.
const Result<std::vector<GenerateResult>>& OfOneRank(const std::string& name, bool is_short) {
  static std::map<std::pair<std::string, bool>, Result<std::vector<GenerateResult>>> results;
  const std::pair key(name, is_short);
  if (const auto found = results.find(key); found != results.end()) return found->second;
  const TestModel& model = Model(name);
  auto result = GenerateWith(model, Options(1, 1, 8), MatrixRequests(model, is_short),
                             {.prefix_cache = false});
  return results.emplace(key, std::move(result)).first->second;
}

/// Every batch and chunk, with and without known beginnings, and with hardly any pages.
void RunMatrix(const Case& c) {
  const TestModel& model = Model(c.model);
  for (const int64_t chunk : {1, 7, 64, 0}) {
    for (const int64_t batch : {1, 3, 8}) {
      // Many steps over many threads are slow: what is long runs on the fastest set, together.
      const bool is_short = chunk == 1 || batch < 8 || c.isa != "auto";
      const std::vector<GenerateRequest> requests = MatrixRequests(model, is_short);
      const auto& expected = OfOneRank(c.model, is_short);
      for (const bool prefix_cache : {true, false}) {
        // Six pages: the longest prompt alone fits; growing requests push each other out.
        for (const int64_t pages : {0, 6}) {
          if (pages > 0 && is_short) continue;
          SCOPED_TRACE(Format("batch {}, chunk {}, prefix cache {}, pages {}", batch, chunk,
                              prefix_cache, pages));
          RunOptions options = Options(c.tp, c.pp, batch);
          options.isa = c.isa;
          options.engine.kv_pages = pages;
          ExpectSameRows(GenerateWith(model, options, requests, {chunk, prefix_cache}), expected);
        }
      }
    }
  }
}

class Layouts : public ::testing::TestWithParam<Case> {};

TEST_P(Layouts, GiveTheBitsOfOneRank) { RunMatrix(GetParam()); }

std::vector<Case> Cases() {
  std::vector<Case> cases;
  const std::vector<std::string> isas = AvailableIsas();  // the first is what "auto" means
  for (const int64_t tp : {1, 2, 4, 8}) {
    for (const int64_t pp : {1, 2, 4}) {
      cases.push_back({"tiny", tp, pp});
      for (size_t i = 1; i < isas.size(); ++i) cases.push_back({"small", tp, pp, isas[i]});
    }
  }
  for (const int64_t tp : {1, 2, 4}) {
    for (const int64_t pp : {1, 3}) cases.push_back({"demo", tp, pp});
  }
  for (const int64_t pp : {1, 2, 3}) cases.push_back({"odd", 2, pp});
  return cases;
}

INSTANTIATE_TEST_SUITE_P(Matrix, Layouts, ::testing::ValuesIn(Cases()), CaseName);

/// A smaller matrix on processes: see CMakeLists.txt.
TEST(MpiLayouts, GiveTheBitsOfOneRank) {
  if (!LaunchedByMpi()) GTEST_SKIP() << "needs mpirun -n 4";
  const TestModel& model = Model("tiny");
  for (const auto& [tp, pp] : {std::pair{4, 1}, {2, 2}, {1, 4}}) {
    for (const int64_t batch : {1, 3, 8}) {
      for (const int64_t chunk : {1, 7, 64, 0}) {
        // Messages between more processes than cores are slow.
        const bool is_short = chunk == 1 || batch < 8;
        const std::vector<GenerateRequest> requests = MatrixRequests(model, is_short);
        const auto& expected = OfOneRank("tiny", is_short);
        for (const bool prefix_cache : {true, false}) {
          SCOPED_TRACE(Format("TP{} PP{}, batch {}, chunk {}, prefix cache {}", tp, pp, batch,
                              chunk, prefix_cache));
          RunOptions options = Options(tp, pp, batch);
          if (batch == 8) options.engine.kv_pages = 6;
          const auto results = GenerateWith(model, options, requests, {chunk, prefix_cache});
          ASSERT_TRUE(results) << results.error().message();
          // Only rank 0 has results to compare.
          if (!results->empty()) ExpectSameRows(results, expected);
        }
      }
    }
  }
}

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

/// Nothing is rounded before a sum over ranks, and still the order of its terms is everybody's.
TEST(Layouts, TheFp32ProfileIsInvariantToo) {
  for (const auto& [name, tp, pp] :
       {std::tuple{"small", 4, 2}, {"small", 2, 4}, {"small", 8, 1}, {"odd", 2, 3}}) {
    const TestModel& model = Model(name);
    const std::vector<GenerateRequest> requests = MatrixRequests(model, true);
    RunOptions one = Options(1, 1, 8);
    one.backend = "reference";
    one.engine.profile = DTypeProfile::kFp32;
    const auto expected = GenerateWith(model, one, requests, {.prefix_cache = false});
    for (const int64_t chunk : {7, 0}) {
      for (const bool prefix_cache : {true, false}) {
        SCOPED_TRACE(
            Format("{} TP{} PP{}, chunk {}, prefix cache {}", name, tp, pp, chunk, prefix_cache));
        RunOptions many = one;
        many.layout.tp_size = tp;
        many.layout.pp_size = pp;
        many.engine.max_sequences = chunk == 0 ? 8 : 3;
        ExpectSameRows(GenerateWith(model, many, requests, {chunk, prefix_cache}), expected);
      }
    }
  }
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
      EXPECT_EQ(testing::ArgMax(result.full_logprob[row]), result.argmax[row]);
    }
  }
}

}  // namespace
}  // namespace nemo
