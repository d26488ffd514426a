// A model of random weights that no file holds: each element is computed where it is read, so any
// layout of the run sees the same model.
#pragma once

#include <string>
#include <vector>

#include "libcore/model/config.h"
#include "libcore/tensor/source.h"

namespace nemo {

class SyntheticSource final : public TensorSource {
 public:
  /// kUnsupported: an architecture that this build does not know.
  static Result<std::unique_ptr<SyntheticSource>> Create(const ModelConfig& config);

  std::span<const TensorSpec> specs() const override { return specs_; }
  /// bf16. Norms do nothing (gamma 1, bias 0); everything else is normally distributed.
  Status Read(std::string_view name, const Box& box, std::span<std::byte> out) const override;
  std::vector<std::string> FilesOf(std::string_view, const Box&) const override { return {}; }

  int64_t size_bytes() const;

 private:
  explicit SyntheticSource(const ModelConfig& config) : config_(config) {}

  ModelConfig config_;
  std::vector<TensorSpec> specs_;
};

/// The first `num_layers` layers of the model with the same share of its vocabulary, so that a step
/// takes that share of the whole model's time. kInvalidArgument: it has not so many.
Result<ModelConfig> FirstLayers(const ModelConfig& config, int64_t num_layers);
/// With a vocabulary of `vocab_size` pieces.
ModelConfig WithVocabulary(const ModelConfig& config, int64_t vocab_size);

}  // namespace nemo
