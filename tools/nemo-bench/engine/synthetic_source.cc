#include "tools/nemo-bench/engine/synthetic_source.h"

#include <algorithm>

#include "libcore/base/format.h"
#include "libcore/model/architecture.h"
#include "tools/nemo-bench/measure/random_bf16.h"

namespace nemo {
namespace {

constexpr BF16 kOne = 0x3f80;

bool IsNorm(std::string_view name) {
  return name.find("layernorm") != std::string_view::npos ||
         name.find("layer_norm") != std::string_view::npos;
}

}  // namespace

Result<std::unique_ptr<SyntheticSource>> SyntheticSource::Create(const ModelConfig& config) {
  NEMO_ASSIGN_OR_RETURN(const std::vector<LogicalTensor> tensors, LogicalTensors(config));
  auto source = std::unique_ptr<SyntheticSource>(new SyntheticSource(config));
  for (const LogicalTensor& tensor : tensors) {
    source->specs_.push_back({tensor.name, DType::kBF16, tensor.shape});
  }
  std::sort(source->specs_.begin(), source->specs_.end(),
            [](const TensorSpec& a, const TensorSpec& b) { return a.name < b.name; });
  return source;
}

Status SyntheticSource::Read(std::string_view name, const Box& box,
                             std::span<std::byte> out) const {
  NEMO_ASSIGN_OR_RETURN(const TensorSpec* spec, CheckRead(*this, name, box, std::ssize(out)));
  const std::span<BF16> values(reinterpret_cast<BF16*>(out.data()), out.size() / sizeof(BF16));
  if (IsNorm(name)) {
    const bool is_one = !config_.layernorm_zero_centered_gamma && !name.ends_with("bias");
    std::fill(values.begin(), values.end(), is_one ? kOne : BF16{0});
    return OkStatus();
  }
  const uint64_t seed = SeedOf(name);
  const int64_t row_size = box.extent.back(), num_rows = std::ssize(values) / row_size;
  Shape outer = box.extent;
  outer.back() = 1;
  for (int64_t row = 0; row < num_rows; ++row) {
    const std::vector<int64_t> index = IndexOf(outer, row);
    int64_t begin = 0;
    for (size_t axis = 0; axis < spec->shape.size(); ++axis) {
      begin = begin * spec->shape[axis] + box.offset[axis] + index[axis];
    }
    RandomBF16(seed, begin,
               values.subspan(static_cast<size_t>(row * row_size), static_cast<size_t>(row_size)));
  }
  return OkStatus();
}

int64_t SyntheticSource::size_bytes() const {
  int64_t sum = 0;
  for (const TensorSpec& spec : specs_) sum += spec.size_bytes();
  return sum;
}

Result<ModelConfig> FirstLayers(const ModelConfig& config, int64_t num_layers) {
  if (num_layers > config.num_layers) {
    return InvalidArgument(Format("--layers {}: the model has {}", num_layers, config.num_layers));
  }
  const int64_t share =
      (config.vocab_size * num_layers + config.num_layers - 1) / config.num_layers;
  ModelConfig first = WithVocabulary(config, share);
  first.num_layers = num_layers;
  return first;
}

ModelConfig WithVocabulary(const ModelConfig& config, int64_t vocab_size) {
  ModelConfig other = config;
  const int64_t unit = config.make_vocab_size_divisible_by;
  other.vocab_size = vocab_size;
  other.padded_vocab_size = (vocab_size + unit - 1) / unit * unit;
  return other;
}

}  // namespace nemo
