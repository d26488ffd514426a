#include "formats/nemo/nemo.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "formats/nemo/archive.h"
#include "formats/nemo/artifact.h"
#include "formats/nemo/config.h"
#include "formats/nemo/weights.h"
#include "libcore/base/file.h"
#include "libcore/base/format.h"

namespace nemo {
namespace {

constexpr const char* kConfigName = "model_config.yaml";
constexpr int64_t kMaxConfigBytes = int64_t{16} << 20;

Status ConfigMissing(const FileTree& tree) {
  const std::string below = Format("/{}", kConfigName);
  const auto& files = tree.files();
  const auto it = std::find_if(files.begin(), files.end(),
                               [&](const std::string& file) { return file.ends_with(below); });
  if (it != files.end()) {
    return Corruption(
        Format("{} is missing at the top; there is '{}': pack or give the folder that "
               "holds it",
               kConfigName, *it));
  }
  return Corruption(Format("{} is missing among {} files; the save or the copy is incomplete",
                           kConfigName, files.size()));
}

Result<std::string> ReadConfigText(const FileTree& tree) {
  if (!tree.Contains(kConfigName)) return ConfigMissing(tree);
  NEMO_ASSIGN_OR_RETURN(const auto file, tree.Open(kConfigName));
  return ReadAll(*file, kMaxConfigBytes);
}

Result<Provenance> ProvenanceOf(const std::string& path, const FileTree& tree) {
  NEMO_ASSIGN_OR_RETURN(const ArchiveIndex index, IndexTree(tree));
  Provenance provenance{"nemo", BaseName(path), index.size_bytes, index.xxh3};
  if (KindOf(path) == PathKind::kFile) {
    NEMO_ASSIGN_OR_RETURN(const auto file, OpenFile(path));
    provenance.size_bytes = file->size_bytes();
  }
  return provenance;
}

Result<Checkpoint> OpenTree(const std::string& path, std::shared_ptr<FileTree> tree) {
  Checkpoint checkpoint;
  checkpoint.format = "nemo";
  NEMO_ASSIGN_OR_RETURN(checkpoint.model_config_yaml, ReadConfigText(*tree));
  Result<NemoConfig> config = ParseNemoConfig(checkpoint.model_config_yaml);
  if (!config) return config.error().At(kConfigName);
  NEMO_ASSIGN_OR_RETURN(TokenizerArtifact tokenizer,
                        FindTokenizer(*tree, config->tokenizer_references));
  checkpoint.tokenizer_name = std::move(tokenizer.name);
  checkpoint.tokenizer_model = std::move(tokenizer.bytes);
  NEMO_ASSIGN_OR_RETURN(NemoWeights weights, OpenNemoWeights(tree, *config));
  checkpoint.container = std::move(weights.container);
  checkpoint.layout = std::move(weights.layout);
  checkpoint.config = std::move(weights.config);
  checkpoint.source = std::move(weights.source);
  NEMO_ASSIGN_OR_RETURN(checkpoint.provenance, ProvenanceOf(path, *tree));
  return checkpoint;
}

bool SniffDirectory(const std::string& path) {
  if (KindOf(JoinPath(path, "manifest.json")) == PathKind::kFile) return false;
  if (KindOf(JoinPath(path, "model_weights")) == PathKind::kDirectory) return true;
  for (const char* file : {"model_weights.ckpt", "mp_rank_00/model_weights.ckpt",
                           "tp_rank_00_pp_rank_000/model_weights.ckpt"}) {
    if (KindOf(JoinPath(path, file)) == PathKind::kFile) return true;
  }
  return false;
}

}  // namespace

bool SniffNemo(const std::string& path) {
  const PathKind kind = KindOf(path);
  if (kind == PathKind::kDirectory) return SniffDirectory(path);
  if (kind != PathKind::kFile) return false;
  if (path.ends_with(".nemo")) return true;
  const auto file = OpenFile(path);
  return file && LooksLikeArchive(**file);
}

Result<Checkpoint> OpenNemo(const std::string& path) {
  NEMO_ASSIGN_OR_RETURN(std::shared_ptr<FileTree> tree, OpenArchive(path));
  Result<Checkpoint> checkpoint = OpenTree(path, tree);
  // Errors of the tree's own files begin with its name already.
  if (!checkpoint && !checkpoint.error().message().starts_with(path)) {
    return checkpoint.error().At(path);
  }
  return checkpoint;
}

}  // namespace nemo
