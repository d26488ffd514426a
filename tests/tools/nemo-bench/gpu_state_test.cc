#include "tools/nemo-bench/measure/gpu_state.h"

#include <gtest/gtest.h>

namespace nemo {
namespace {

Value State() {
  Value state;
  state.Set("name", "NVIDIA H100 80GB HBM3");
  state.Set("sm_mhz", 1980.0);
  state.Set("memory_mhz", 2619.0);
  state.Set("watts", 349.6);
  state.Set("celsius", Value());  // what the driver does not tell
  return state;
}

TEST(GpuState, IsOneLine) {
  EXPECT_EQ(GpuStateText(State()), "NVIDIA H100 80GB HBM3: 1980 MHz, memory 2619 MHz, 350 W, ? C");
}

TEST(GpuState, SaysWhyItIsNotKnown) {
  const auto state = GpuState(1 << 20);  // no machine has so many
  ASSERT_FALSE(state.has_value());
  EXPECT_EQ(state.error().code(), StatusCode::kUnavailable);
  EXPECT_NE(state.error().message().find("NVML"), std::string::npos) << state.error().message();
}

TEST(DeviceStateText, HasBothSidesOrTheReason) {
  EXPECT_EQ(DeviceStateText(State(), State()),
            "before, " + GpuStateText(State()) + "; after, " + GpuStateText(State()));
  EXPECT_EQ(DeviceStateText(Unavailable("no NVML"), State()),
            "clocks and power of the device are not known: no NVML");
}

}  // namespace
}  // namespace nemo
