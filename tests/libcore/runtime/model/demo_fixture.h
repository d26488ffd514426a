// The demo model as the fixture of tests about the generation loop: greedy requests of its text.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "tests/libcore/runtime/model/golden_model.h"

namespace nemo::testing {

class DemoFixture : public ::testing::Test {
 protected:
  void SetUp() override {
    auto model = LoadDemoModel();
    ASSERT_TRUE(model) << model.error().message();
    model_ = std::move(*model);
  }

  /// `tokens` greedy tokens after `text`.
  GenerateRequest Request(const std::string& text, int64_t tokens) const {
    GenerateRequest request;
    request.prompt_ids = *EncodePrompt(*model_.tokenizer, text, false);
    request.tokens_to_generate = tokens;
    request.sampling.greedy = true;
    return request;
  }

  /// Results of `requests` in their order; empty ones, and a failure of the test, where they fail.
  std::vector<GenerateResult> All(const std::vector<GenerateRequest>& requests, int64_t tp_size = 1,
                                  int64_t pp_size = 1) const {
    RunOptions options;
    options.layout.tp_size = tp_size;
    options.layout.pp_size = pp_size;
    auto results = GenerateWith(model_, options, requests);
    if (results) return *std::move(results);
    ADD_FAILURE() << results.error().message();
    return std::vector<GenerateResult>(requests.size());
  }

  GenerateResult One(const GenerateRequest& request) const { return All({request})[0]; }

  TestModel model_;
};

}  // namespace nemo::testing
