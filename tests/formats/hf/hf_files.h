// Hugging Face directories for tests: those that transformers wrote, our own made of any source,
// and files to damage.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "formats/hf/hf.h"
#include "libcore/base/json.h"
#include "libcore/convert/convert.h"
#include "tests/testing.h"

namespace nemo::testing {

inline std::string GoldenHf(std::string_view model) {
  return GoldenPath("models/" + std::string(model) + "/hf");
}

/// Writes `source` as a Hugging Face directory.
inline Status WriteHf(const std::string& path, const TensorSource& source,
                      const ModelConfig& config, const PlanOptions& options,
                      const Attachments& attachments = {}) {
  NEMO_ASSIGN_OR_RETURN(const Plan plan, PlanHf(config, source.specs(), options));
  NEMO_ASSIGN_OR_RETURN(const auto target, CreateHfTarget(path, {.attachments = attachments}));
  ConvertOptions convert;
  convert.jobs = 2;
  convert.block_bytes = 1000;
  return Convert(source, plan, *target, convert, NullProgress()).error();
}

/// Expects every bit of both to agree.
inline void ExpectEqual(const Checkpoint& a, const Checkpoint& b) {
  const auto comparison = Compare(*a.source, a.config, *b.source, b.config, 2, NullProgress());
  ASSERT_TRUE(comparison) << comparison.error().message();
  EXPECT_TRUE(comparison->equal());
  EXPECT_EQ(comparison->num_tensors, static_cast<int64_t>(a.source->specs().size()));
  for (const auto& difference : comparison->different) ADD_FAILURE() << difference.name;
  for (const auto& problem : comparison->problems) ADD_FAILURE() << problem.where;
}

}  // namespace nemo::testing
