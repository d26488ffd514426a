// Reading a directory: its configuration, its index, the header of each file of weights.
#include <algorithm>
#include <map>
#include <utility>

#include "formats/hf/config.h"
#include "formats/hf/hf.h"
#include "formats/hf/index.h"
#include "formats/hf/names.h"
#include "formats/safetensors/safetensors.h"
#include "libcore/base/file.h"
#include "libcore/base/format.h"
#include "libcore/base/hash.h"

namespace nemo {
namespace hf {
namespace {

constexpr int64_t kMaxConfigBytes = int64_t{16} << 20;
constexpr int64_t kMaxIndexBytes = int64_t{64} << 20;
/// Pickles: transformers reads them, we do not.
constexpr std::string_view kPickleNames[] = {"pytorch_model.bin", "pytorch_model.bin.index.json"};

bool HasFile(const std::string& directory, std::string_view name) {
  return KindOf(JoinPath(directory, name)) == PathKind::kFile;
}

/// The weights and what was said of them.
struct Weights {
  std::vector<std::string> names;  ///< of the files
  std::vector<safetensors::Contents> files;
  FoundTensors tensors;
  Index index;  ///< empty when there is one file
};

Status NoWeights(const std::string& directory) {
  for (const std::string_view name : kPickleNames) {
    if (!HasFile(directory, name)) continue;
    return Unsupported(Format(
        "{}: {} is a pickle; save the model with safetensors (the default of save_pretrained)",
        directory, name));
  }
  return Corruption(Format("{}: neither {} nor {} is there; the copy is incomplete", directory,
                           kSingleFile, kIndexName));
}

Result<Index> ReadIndex(const std::string& directory) {
  const std::string path = JoinPath(directory, kIndexName);
  NEMO_ASSIGN_OR_RETURN(const std::string text, ReadAllFrom(path, kMaxIndexBytes));
  auto index = ParseIndex(text);
  if (!index) return index.error().At(path);
  return index;
}

/// Opens `name` and notes its tensors.
Status OpenWeights(const std::string& directory, const std::string& name, Weights& weights) {
  const std::string path = JoinPath(directory, name);
  if (KindOf(path) == PathKind::kAbsent) {
    return NotFound(
        Format("{}: {} names it, and it is not there; the copy is incomplete", path, kIndexName));
  }
  NEMO_ASSIGN_OR_RETURN(auto file, nemo::OpenFile(path));
  NEMO_ASSIGN_OR_RETURN(safetensors::Contents contents, safetensors::ReadContents(file));
  const int source_index = static_cast<int>(weights.files.size());
  for (const TensorSpec& spec : contents.source->specs()) {
    const auto [it, is_new] = weights.tensors.emplace(spec.name, FoundTensor{&spec, source_index});
    if (is_new) continue;
    return Corruption(Format("{}: tensor {} lies in {} as well", path, spec.name,
                             weights.names[static_cast<size_t>(it->second.source_index)]));
  }
  weights.names.push_back(name);
  weights.files.push_back(std::move(contents));
  return OkStatus();
}

/// The index and the files' own headers say the same.
Status CheckIndex(const std::string& directory, const Weights& weights) {
  const std::string path = JoinPath(directory, kIndexName);
  for (const auto& [tensor, file] : weights.index.file_of) {
    const auto it = weights.tensors.find(tensor);
    if (it == weights.tensors.end()) {
      return Corruption(
          Format("{}: tensor {} is said to be in {}, and it is missing there", path, tensor, file));
    }
    const std::string& holder = weights.names[static_cast<size_t>(it->second.source_index)];
    if (holder != file) {
      return Corruption(Format("{}: tensor {} is said to be in {}, and it lies in {}", path, tensor,
                               file, holder));
    }
  }
  for (const auto& [name, tensor] : weights.tensors) {
    if (weights.index.file_of.contains(name)) continue;
    return Corruption(
        Format("{}: tensor {} of {} is missing in it; index and files "
               "do not belong together",
               path, name, weights.names[static_cast<size_t>(tensor.source_index)]));
  }
  return OkStatus();
}

/// As transformers does: one file when there is one, else the index.
Result<Weights> ReadWeights(const std::string& directory) {
  Weights weights;
  if (HasFile(directory, kSingleFile)) {
    NEMO_RETURN_IF_ERROR(OpenWeights(directory, std::string(kSingleFile), weights));
    return weights;
  }
  if (!HasFile(directory, kIndexName)) return NoWeights(directory);
  NEMO_ASSIGN_OR_RETURN(weights.index, ReadIndex(directory));
  for (const std::string& name : weights.index.files) {
    NEMO_RETURN_IF_ERROR(OpenWeights(directory, name, weights));
  }
  NEMO_RETURN_IF_ERROR(CheckIndex(directory, weights));
  return weights;
}

Result<ModelConfig> ReadConfig(const std::string& directory) {
  const std::string path = JoinPath(directory, kConfigName);
  if (KindOf(path) == PathKind::kAbsent) {
    return Corruption(Format("{}: missing beside the weights; the copy is incomplete", path));
  }
  NEMO_ASSIGN_OR_RETURN(const std::string text, ReadAllFrom(path, kMaxConfigBytes));
  auto config = ParseConfig(text);
  if (!config) {
    const Status& error = config.error();
    // An absent member of the file is damage, not an absent thing somebody asked for.
    if (error.code() == StatusCode::kNotFound) return Corruption(error.message()).At(path);
    return error.At(path);
  }
  return config;
}

/// Names and sizes of the configuration and the weights: what makes this checkpoint this one.
Result<Provenance> ProvenanceOf(const std::string& directory, const Weights& weights) {
  std::map<std::string, int64_t> sizes;
  for (size_t i = 0; i < weights.files.size(); ++i) {
    sizes[weights.names[i]] = weights.files[i].source->file().size_bytes();
  }
  NEMO_ASSIGN_OR_RETURN(const auto config, nemo::OpenFile(JoinPath(directory, kConfigName)));
  sizes[std::string(kConfigName)] = config->size_bytes();
  Provenance provenance{"hf", BaseName(directory), 0, {}};
  Hasher hasher;
  for (const auto& [name, size_bytes] : sizes) {
    provenance.size_bytes += size_bytes;
    const std::string line = Format("{}\t{}\n", name, size_bytes);
    hasher.Update(std::as_bytes(std::span(line)));
  }
  provenance.index_xxh3 = hasher.HexDigest();
  return provenance;
}

Status ReadTokenizer(const std::string& directory, Checkpoint& checkpoint) {
  if (!HasFile(directory, kTokenizerName)) return OkStatus();
  const std::string path = JoinPath(directory, kTokenizerName);
  NEMO_ASSIGN_OR_RETURN(checkpoint.tokenizer_model, ReadAllFrom(path, kMaxTokenizerBytes));
  if (checkpoint.tokenizer_model.empty()) {
    return Corruption(Format("{}: empty; the copy is incomplete", path));
  }
  checkpoint.tokenizer_name = std::string(kTokenizerName);
  // config.json counts the rows of the embedding, padding included; the tokenizer knows better.
  checkpoint.config.vocab_size = 0;
  return OkStatus();
}

Result<std::shared_ptr<CanonicalSource>> MapWeights(const ModelConfig& config, Weights& weights) {
  NEMO_ASSIGN_OR_RETURN(MappedNames names, MapNames(config, weights.tensors));
  std::vector<std::shared_ptr<const TensorSource>> sources;
  for (const safetensors::Contents& contents : weights.files) sources.push_back(contents.source);
  return CanonicalSource::Create(std::move(names.canonical), std::move(names.map),
                                 std::move(sources));
}

void CheckTotal(std::string_view key, int64_t said, int64_t found, std::vector<Problem>& problems) {
  if (said == found) return;
  problems.push_back({"index", std::string(kIndexName),
                      said < 0 ? Format("metadata has no {}; it is {}", key, found)
                               : Format("{} is {}, and the files have {}", key, said, found),
                      /*fatal=*/false});
}

}  // namespace
}  // namespace hf

bool SniffHf(const std::string& path) {
  if (KindOf(path) != PathKind::kDirectory) return false;
  return hf::HasFile(path, hf::kSingleFile) || hf::HasFile(path, hf::kIndexName) ||
         std::any_of(std::begin(hf::kPickleNames), std::end(hf::kPickleNames),
                     [&](std::string_view name) { return hf::HasFile(path, name); });
}

Result<Checkpoint> OpenHf(const std::string& path) {
  Checkpoint checkpoint;
  checkpoint.format = "hf";
  checkpoint.container = "safetensors";
  NEMO_ASSIGN_OR_RETURN(checkpoint.config, hf::ReadConfig(path));
  NEMO_ASSIGN_OR_RETURN(hf::Weights weights, hf::ReadWeights(path));
  auto source = hf::MapWeights(checkpoint.config, weights);
  if (!source) return source.error().At(path);
  checkpoint.source = *std::move(source);
  NEMO_RETURN_IF_ERROR(hf::ReadTokenizer(path, checkpoint));
  NEMO_ASSIGN_OR_RETURN(checkpoint.provenance, hf::ProvenanceOf(path, weights));
  return checkpoint;
}

Result<std::vector<Problem>> VerifyHf(const std::string& path, CheckLevel, int, Progress&) {
  NEMO_ASSIGN_OR_RETURN(const hf::Weights weights, hf::ReadWeights(path));
  std::vector<Problem> problems;
  int64_t total_size = 0, total_parameters = 0;
  for (const auto& [name, tensor] : weights.tensors) {
    total_size += tensor.spec->size_bytes();
    total_parameters += NumElements(tensor.spec->shape);
  }
  if (!weights.index.files.empty()) {
    hf::CheckTotal("total_size", weights.index.total_size, total_size, problems);
    // A newer key: its absence means nothing.
    if (weights.index.total_parameters >= 0) {
      hf::CheckTotal("total_parameters", weights.index.total_parameters, total_parameters,
                     problems);
    }
  }
  for (size_t i = 0; i < weights.files.size(); ++i) {
    if (weights.files[i].metadata.contains("format")) continue;
    problems.push_back({"metadata", weights.names[i],
                        "__metadata__ has no format; transformers asks for \"format\": \"pt\"",
                        /*fatal=*/false});
  }
  return problems;
}

}  // namespace nemo
