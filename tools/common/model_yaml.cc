#include "tools/common/model_yaml.h"

#include <utility>

#include "libcore/base/file.h"
#include "libcore/base/format.h"
#include "libcore/base/yaml.h"
#include "libcore/model/architecture.h"
#include "tools/common/suggest.h"

namespace nemo {

Result<Value> ReadYaml(const std::string& path) {
  constexpr int64_t kMaxBytes = int64_t{1} << 20;
  NEMO_ASSIGN_OR_RETURN(const std::string text, ReadAllFrom(path, kMaxBytes));
  auto value = ParseYaml(text);
  if (!value) return value.error().At(path);
  return value;
}

bool IsModelYaml(std::string_view path) {
  return path.ends_with(".yaml") || path.ends_with(".yml");
}

Result<std::vector<TensorSpec>> SpecsOfModel(const ModelConfig& config) {
  constexpr int64_t kMostBytes = int64_t{1} << 50;
  NEMO_ASSIGN_OR_RETURN(const std::vector<LogicalTensor> tensors, LogicalTensors(config));
  std::vector<TensorSpec> specs;
  int64_t sum = 0;
  for (const LogicalTensor& tensor : tensors) {
    specs.push_back({tensor.name, DType::kBF16, tensor.shape});
    NEMO_RETURN_IF_ERROR(CheckSpec(specs.back()));
    if (specs.back().size_bytes() > kMostBytes - sum) {
      return Corruption(Format("a model of more than {} is no model", FormatBytes(kMostBytes)));
    }
    sum += specs.back().size_bytes();
  }
  return specs;
}

Result<ModelConfig> LoadModelYaml(const std::string& path) {
  NEMO_ASSIGN_OR_RETURN(const Value given, ReadYaml(path));
  if (!given.is_object()) {
    return Corruption(
        Format("{}: a mapping of a model's fields is wanted, not a {}", path, given.type_name()));
  }
  Value fields = ToValue(ModelConfig());
  std::vector<std::string> names;
  for (const auto& [name, value] : fields.as_object()) names.push_back(name);
  for (const auto& [name, value] : given.as_object()) {
    if (fields.Find(name) == nullptr) {
      return Corruption(Format("{}: unknown field '{}'{}; known: {}", path, name,
                               DidYouMean(name, names), fmt::join(names, ", ")));
    }
    // YAML writes 1.0 as it likes; a whole number is a legal real one.
    fields.Set(name, fields.Find(name)->is_double() && value.is_int()
                         ? Value(static_cast<double>(value.as_int()))
                         : value);
  }
  auto config = ConfigFromValue(fields);
  if (!config) return config.error().At(path);
  NEMO_RETURN_IF_ERROR(CheckConfig(*config).At(path));
  if (const auto specs = SpecsOfModel(*config); !specs) return specs.error().At(path);
  if (config->vocab_size == 0) return Corruption(Format("{}: vocab_size is missing", path));
  return config;
}

}  // namespace nemo
