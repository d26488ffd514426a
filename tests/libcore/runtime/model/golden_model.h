// The golden models as the runtime wants them: canonical tensors from the Hugging Face files by a
// map of this test's own, the oracle's figures, and an engine per rank.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "libcore/base/status.h"
#include "libcore/base/value.h"
#include "libcore/model/config.h"
#include "libcore/runtime/engine.h"
#include "libcore/runtime/generate.h"
#include "libcore/tensor/source.h"
#include "libcore/text/tokenizer.h"

namespace nemo::testing {

struct TestModel {
  ModelConfig config;
  std::shared_ptr<const TensorSource> canonical;
  std::shared_ptr<const Tokenizer> tokenizer;
  Value oracle;                                ///< oracle.json
  std::shared_ptr<const TensorSource> logits;  ///< oracle.safetensors; null for the demo model
};

/// tests/golden/models/NAME.
Result<TestModel> LoadGoldenModel(const std::string& name);
/// tests/data/shakespeare.nemo, through the format registry.
Result<TestModel> LoadDemoModel();

/// A model of `config` with small random weights, and the tokenizer of `tokenizer_of`.
TestModel MakeRandomModel(const ModelConfig& config, const TestModel& tokenizer_of);

std::vector<int32_t> IdsOf(const Value& list);
std::vector<double> NumbersOf(const Value& list);
/// The lowest id with the largest value.
int32_t ArgMax(const std::vector<float>& values);
std::vector<float> FloatsOf(const TensorSource& source, const std::string& name);

struct RunOptions {
  ParallelLayout layout;
  std::string backend = "cpu";
  std::string isa = "auto";
  bool far = false;  ///< behind a far_backend.h
  EngineOptions engine;
};

/// Runs `body` on every rank of the layout, each a thread with its engine; under mpirun with as
/// many processes as ranks, each process is one.
Status RunEngines(const TestModel& model, const RunOptions& options,
                  const std::function<Status(Engine&)>& body);

/// Generates on all ranks and returns rank 0's results (nothing on processes that are others).
Result<std::vector<GenerateResult>> GenerateWith(const TestModel& model, const RunOptions& options,
                                                 const std::vector<GenerateRequest>& requests,
                                                 const GenerateOptions& generate = {});

}  // namespace nemo::testing
