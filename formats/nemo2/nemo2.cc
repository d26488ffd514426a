#include "formats/nemo2/nemo2.h"

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "formats/nemo/archive.h"
#include "formats/nemo/dist_checkpoint.h"
#include "formats/nemo2/config.h"
#include "libcore/base/file.h"
#include "libcore/base/format.h"

namespace nemo {
namespace {

constexpr const char* kContext = "context/";
constexpr const char* kConfigName = "context/model.yaml";
constexpr const char* kWeights = "weights/";
constexpr int64_t kMaxConfigBytes = int64_t{16} << 20;
constexpr std::string_view kSentencePiece = "SentencePieceTokenizer";

bool HasDistCheckpoint(const std::string& path) {
  return KindOf(JoinPath(path, "metadata.json")) == PathKind::kFile ||
         KindOf(JoinPath(path, ".metadata")) == PathKind::kFile;
}

Result<Nemo2Config> ReadConfig(const FileTree& tree) {
  if (!tree.Contains(kConfigName)) {
    return Corruption(
        Format("{} is missing: without it nobody knows the model; copy the folder context/ of the "
               "save too",
               kConfigName));
  }
  NEMO_ASSIGN_OR_RETURN(const auto file, tree.Open(kConfigName));
  NEMO_ASSIGN_OR_RETURN(const std::string text, ReadAll(*file, kMaxConfigBytes));
  Result<Nemo2Config> config = ParseNemo2Config(text);
  return config ? config : Result<Nemo2Config>(config.error().At(kConfigName));
}

/// The SentencePiece file among the files below context/: of the base name that the config says,
/// else the only *.model. Empty: none (a tokenizer of another kind has no such file).
Result<std::string> TokenizerFile(const FileTree& tree, const Nemo2Config& config) {
  const std::string wanted = BaseName(config.tokenizer_path);
  std::vector<std::string> models;
  for (const std::string& file : tree.files()) {
    if (!file.starts_with(kContext) || !file.ends_with(".model")) continue;
    if (BaseName(file) == wanted) return file;
    if (!BaseName(file).starts_with("._")) models.push_back(file);  // macOS's attributes
  }
  if (models.size() == 1) return models.front();
  if (config.tokenizer != kSentencePiece) return std::string();
  return Corruption(Format("missing tokenizer: {} names '{}', and context/ has {}; add it there",
                           kConfigName, config.tokenizer_path.substr(0, 200),
                           models.empty() ? "no *.model" : FormatList(models)));
}

Status ReadTokenizer(const FileTree& tree, const Nemo2Config& config, Checkpoint& checkpoint) {
  NEMO_ASSIGN_OR_RETURN(checkpoint.tokenizer_name, TokenizerFile(tree, config));
  if (checkpoint.tokenizer_name.empty()) return OkStatus();
  NEMO_ASSIGN_OR_RETURN(const auto file, tree.Open(checkpoint.tokenizer_name));
  NEMO_ASSIGN_OR_RETURN(checkpoint.tokenizer_model, ReadAll(*file, kMaxTokenizerBytes));
  if (!checkpoint.tokenizer_model.empty()) return OkStatus();
  return Corruption(Format("tokenizer '{}' is empty; the save or the copy is incomplete",
                           checkpoint.tokenizer_name));
}

Result<Checkpoint> OpenTree(const std::string& path, const std::shared_ptr<FileTree>& tree) {
  Checkpoint checkpoint;
  checkpoint.format = "nemo2";
  NEMO_ASSIGN_OR_RETURN(const Nemo2Config config, ReadConfig(*tree));
  checkpoint.layout = config.layout;
  NEMO_RETURN_IF_ERROR(ReadTokenizer(*tree, config, checkpoint));
  // Early saves have the data beside context/.
  const bool beside = KindOf(JoinPath(path, kWeights)) != PathKind::kDirectory;
  NEMO_ASSIGN_OR_RETURN(DistCheckpoint weights, OpenDistCheckpoint(tree, beside ? "" : kWeights,
                                                                   config.model, kConfigName));
  checkpoint.container = std::move(weights.backend);
  checkpoint.config = std::move(weights.config);
  checkpoint.source = std::move(weights.source);
  NEMO_ASSIGN_OR_RETURN(const ArchiveIndex index, IndexTree(*tree));
  checkpoint.provenance = {"nemo2", BaseName(path), index.size_bytes, index.xxh3};
  return checkpoint;
}

}  // namespace

bool SniffNemo2(const std::string& path) {
  if (KindOf(path) != PathKind::kDirectory) return false;
  const bool context = KindOf(JoinPath(path, kContext)) == PathKind::kDirectory;
  const bool weights = KindOf(JoinPath(path, kWeights)) == PathKind::kDirectory;
  return HasDistCheckpoint(JoinPath(path, kWeights)) ||
         (context && (weights || HasDistCheckpoint(path)));
}

Result<Checkpoint> OpenNemo2(const std::string& path) {
  NEMO_ASSIGN_OR_RETURN(std::shared_ptr<FileTree> tree, OpenDirectory(path));
  Result<Checkpoint> checkpoint = OpenTree(path, tree);
  // Errors of the tree's own files begin with its name already.
  if (!checkpoint && !checkpoint.error().message().starts_with(path)) {
    return checkpoint.error().At(path);
  }
  return checkpoint;
}

}  // namespace nemo
