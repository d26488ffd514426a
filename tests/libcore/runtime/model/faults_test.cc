// Ranks that do not fit together: told in words on all of them, and nobody waits in vain.
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "kernels/comm/run_ranks.h"
#include "kernels/registry.h"
#include "libcore/base/progress.h"
#include "tests/libcore/runtime/model/golden_model.h"

namespace nemo {
namespace {

using testing::RunOptions;
using testing::TestModel;

/// Each rank is started with options of its own; returns the first error.
Status StartRanks(const TestModel& model, const std::vector<RunOptions>& of_rank) {
  return RunRanks(static_cast<int>(of_rank.size()), [&](Communicator& world) -> Status {
    const RunOptions& options = of_rank[world.rank()];
    NEMO_ASSIGN_OR_RETURN(const auto backend, CreateBackend(options.backend, {}));
    NEMO_ASSIGN_OR_RETURN(RankWeights weights,
                          LoadWeights(*model.canonical, model.config, options.layout, world.rank(),
                                      *backend, 1, NullProgress()));
    return Engine::Create(model.config, options.layout, options.engine, std::move(weights),
                          *backend, world)
        .error();
  });
}

TEST(Faults, RanksOfDifferentLayoutsOrOptionsAreToldSo) {
  auto model = testing::LoadGoldenModel("micro");
  ASSERT_TRUE(model) << model.error().message();
  std::vector<RunOptions> options(4);
  for (RunOptions& o : options) o.layout.tp_size = o.layout.pp_size = 2;
  EXPECT_TRUE(StartRanks(*model, options).ok());

  options[3].layout.tp_size = 4;
  options[3].layout.pp_size = 1;
  Status status = StartRanks(*model, options);
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
  EXPECT_NE(status.message().find("ranks were started differently"), std::string::npos)
      << status.message();
  EXPECT_NE(status.message().find("TP4"), std::string::npos) << status.message();

  options[3] = options[0];
  options[2].engine.kv_pages = 3;
  status = StartRanks(*model, options);
  EXPECT_NE(status.message().find("in 3 KV pages"), std::string::npos) << status.message();
}

TEST(Faults, RanksWithDifferentRequestsAreToldSo) {
  auto model = testing::LoadGoldenModel("micro");
  ASSERT_TRUE(model) << model.error().message();
  for (const int64_t pp : {1, 2}) {
    RunOptions options;
    options.layout.tp_size = 2 / pp;
    options.layout.pp_size = pp;
    for (const bool other_length : {false, true}) {
      const Status status = testing::RunEngines(*model, options, [&](Engine& engine) -> Status {
        std::vector<GenerateRequest> requests(1);
        requests[0].prompt_ids = {5, 6, 7};
        if (engine.world().rank() == 1) {
          requests[0].prompt_ids[1] = 9;
          if (other_length) requests[0].prompt_ids.resize(20, 4);
        }
        return Generate(engine, *model->tokenizer, requests, {}).error();
      });
      EXPECT_EQ(status.code(), StatusCode::kUnavailable);
      const char* says = other_length ? "their programs or layouts differ" : "of other work";
      EXPECT_NE(status.message().find(says), std::string::npos) << status.message();
    }
  }
}

}  // namespace
}  // namespace nemo
