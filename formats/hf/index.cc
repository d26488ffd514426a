#include "formats/hf/index.h"

#include <algorithm>
#include <utility>

#include "libcore/base/format.h"
#include "libcore/base/json.h"

namespace nemo::hf {
namespace {

bool EatNumber(std::string_view& rest) {
  const size_t digits = std::min(rest.find_first_not_of("0123456789"), rest.size());
  rest.remove_prefix(digits);
  return digits > 0;
}

bool Eat(std::string_view text, std::string_view& rest) {
  if (!rest.starts_with(text)) return false;
  rest.remove_prefix(text.size());
  return true;
}

/// A name in the directory itself.
bool IsPlainName(std::string_view name) {
  return !name.empty() && name != "." && name != ".." &&
         name.find_first_of(std::string_view("/\\\0", 3)) == std::string_view::npos;
}

/// Some writers leave the totals out; no loader needs them.
int64_t TotalOr(const Value& metadata, std::string_view key, int64_t fallback) {
  const auto total = metadata.GetInt(key);
  return total ? *total : fallback;
}

}  // namespace

bool IsWeightsName(std::string_view name) {
  if (name == kSingleFile || name == kIndexName) return true;
  return Eat("model-", name) && EatNumber(name) && Eat("-of-", name) && EatNumber(name) &&
         name == kExtension;
}

bool IsOwnName(std::string_view name) {
  return name == kConfigName || name == kGenerationConfigName || name == kTokenizerName ||
         name == kTokenizerJsonName || name == kTokenizerConfigName || IsWeightsName(name);
}

std::string ShardStem(int64_t index, int64_t count) {
  if (count == 1) return "model";
  return Format("model-{:05}-of-{:05}", index + 1, count);
}

Result<Index> ParseIndex(std::string_view json_text) {
  NEMO_ASSIGN_OR_RETURN(const Value root, ParseJson(json_text));
  const Value* weight_map = root.Find("weight_map");
  if (weight_map == nullptr || !weight_map->is_object()) {
    return Corruption("weight_map is missing, a mapping from tensors to files");
  }
  Index index;
  for (const auto& [tensor, file] : weight_map->as_object()) {
    if (!file.is_string()) {
      return Corruption(Format("weight_map: tensor {} is mapped to {}, expected the name of a file",
                               tensor, file.type_name()));
    }
    if (!IsPlainName(file.as_string())) {
      return Corruption(
          Format("weight_map: tensor {} is mapped to '{}', which is no file name in this directory",
                 tensor, file.as_string()));
    }
    index.files.push_back(file.as_string());
    index.file_of.emplace(tensor, file.as_string());
  }
  if (index.files.empty()) return Corruption("weight_map names no tensor");
  std::sort(index.files.begin(), index.files.end());
  index.files.erase(std::unique(index.files.begin(), index.files.end()), index.files.end());
  if (const Value* metadata = root.Find("metadata")) {
    index.total_size = TotalOr(*metadata, "total_size", -1);
    index.total_parameters = TotalOr(*metadata, "total_parameters", -1);
  }
  return index;
}

std::string IndexText(const Plan& plan) {
  std::map<std::string, std::string> file_of;
  int64_t num_parameters = 0;
  for (const PlannedFile& file : plan.files) {
    for (const PlannedTensor& planned : file.tensors) {
      file_of[planned.tensor.spec.name] = file.stem + std::string(kExtension);
      num_parameters += NumElements(planned.tensor.spec.shape);
    }
  }
  Value::Object weight_map;
  for (auto& [tensor, file] : file_of) weight_map.emplace_back(tensor, file);
  Value metadata;
  metadata.Set("total_parameters", num_parameters);
  metadata.Set("total_size", plan.size_bytes());
  Value root;
  root.Set("metadata", std::move(metadata));
  root.Set("weight_map", Value(std::move(weight_map)));
  return ToJson(root, 2) + "\n";
}

}  // namespace nemo::hf
