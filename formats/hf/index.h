// Which files a Hugging Face directory consists of, and the index that says which tensor lies in
// which shard.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "libcore/base/status.h"
#include "libcore/layout/plan.h"

namespace nemo::hf {

inline constexpr std::string_view kConfigName = "config.json";
inline constexpr std::string_view kGenerationConfigName = "generation_config.json";
inline constexpr std::string_view kTokenizerName = "tokenizer.model";
inline constexpr std::string_view kTokenizerJsonName = "tokenizer.json";
inline constexpr std::string_view kTokenizerConfigName = "tokenizer_config.json";
inline constexpr std::string_view kSingleFile = "model.safetensors";
inline constexpr std::string_view kIndexName = "model.safetensors.index.json";
inline constexpr std::string_view kExtension = ".safetensors";

/// What we write: the five names above, and shards.
bool IsOwnName(std::string_view name);
/// model.safetensors, its shards and their index.
bool IsWeightsName(std::string_view name);

/// model, or model-00002-of-00015.
std::string ShardStem(int64_t index, int64_t count);

/// model.safetensors.index.json.
struct Index {
  std::vector<std::string> files;                           ///< sorted, each once
  std::map<std::string, std::string, std::less<>> file_of;  ///< by tensor
  int64_t total_size = -1;                                  ///< bytes of all tensors; -1: not said
  int64_t total_parameters = -1;  ///< elements of all tensors; -1: not said
};

/// kCorruption: no index, no tensors, or a file name that leads out of the directory.
Result<Index> ParseIndex(std::string_view json_text);
/// The index of a plan's files.
std::string IndexText(const Plan& plan);

}  // namespace nemo::hf
