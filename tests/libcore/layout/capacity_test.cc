#include "libcore/layout/capacity.h"

#include <gtest/gtest.h>

#include "tests/models.h"

namespace nemo {
namespace {

using testing::Nemotron340B;

struct Case {
  Devices devices;
  int64_t tp, pp;
  double weight_gb;
  int64_t kv_bytes_per_token;
  double ms_per_token;
};

TEST(Capacity, GivesTheFiguresOfThe340BOnRealMachines) {
  // Published sizes over published bandwidths: H100 3.35, H200 4.8, A100 80 GB 2.04 TB/s.
  const Case cases[] = {{{16, 80'000'000'000, 3.35e12}, 8, 2, 42.6, 36864, 25.1},
                        {{8, 141'000'000'000, 4.8e12}, 8, 1, 85.3, 73728, 17.5},
                        {{16, 80'000'000'000, 2.039e12}, 8, 2, 42.6, 36864, 41.2}};
  for (const Case& c : cases) {
    const auto all = LayoutCapacities(Nemotron340B(), c.devices);
    ASSERT_TRUE(all) << all.error().message();
    const LayoutCapacity& best = all->back();
    EXPECT_EQ(best.layout.tp_size, c.tp);
    EXPECT_EQ(best.layout.pp_size, c.pp);
    EXPECT_NEAR(static_cast<double>(best.weight_bytes) / 1e9, c.weight_gb, 0.06);
    EXPECT_EQ(best.kv_bytes_per_token, c.kv_bytes_per_token);
    EXPECT_NEAR(best.roofline_ms_per_token, c.ms_per_token, 0.06);
    EXPECT_TRUE(best.fits());
  }
}

TEST(Capacity, SaysWhenTheWeightsDoNotFit) {
  const auto all = LayoutCapacities(Nemotron340B(), {8, 80'000'000'000, 3.35e12});
  ASSERT_TRUE(all);
  for (const LayoutCapacity& capacity : *all)
    EXPECT_FALSE(capacity.fits()) << ToString(capacity.layout);
}

TEST(Capacity, KeepsTensorRanksInsideANodeAndStagesEven) {
  const auto all = LayoutCapacities(Nemotron340B(), {32, 80'000'000'000, 3.35e12});
  ASSERT_TRUE(all);
  std::vector<std::pair<int64_t, int64_t>> found;
  for (const LayoutCapacity& capacity : *all)
    found.emplace_back(capacity.layout.tp_size, capacity.layout.pp_size);
  EXPECT_EQ(found, (std::vector<std::pair<int64_t, int64_t>>{{1, 32}, {2, 16}, {4, 8}, {8, 4}}));
  EXPECT_FALSE(LayoutCapacities(Nemotron340B(), {0, 1, 1}));
}

}  // namespace
}  // namespace nemo
