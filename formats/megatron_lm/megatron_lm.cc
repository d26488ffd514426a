#include "formats/megatron_lm/megatron_lm.h"

#include <algorithm>
#include <charconv>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "formats/megatron/rank_files.h"
#include "formats/megatron/rank_weights.h"
#include "formats/megatron_lm/args.h"
#include "formats/megatron_lm/directory.h"
#include "formats/nemo/archive.h"
#include "formats/nemo/dist_checkpoint.h"
#include "formats/torch/torch_file.h"
#include "libcore/base/format.h"

namespace nemo {
namespace megatron_lm {
namespace {

constexpr int64_t kMaxTrackerBytes = 1000;
constexpr const char* kFirstFile = "mp_rank_00/model_optim_rng.pt";
constexpr const char* kFirstFileOfPipeline = "mp_rank_00_000/model_optim_rng.pt";
/// Before 2.0 the rows of the fused QKV had another order.
constexpr double kOldestVersion = 2.0;

bool HoldsRanks(const std::string& directory) {
  return KindOf(JoinPath(directory, kFirstFile)) == PathKind::kFile ||
         KindOf(JoinPath(directory, kFirstFileOfPipeline)) == PathKind::kFile;
}

bool HoldsDistributed(const std::string& directory) {
  return KindOf(JoinPath(directory, kDistributedMarker)) == PathKind::kFile &&
         KindOf(JoinPath(directory, kCommonState)) == PathKind::kFile;
}

/// "release", or the folder of an iteration.
Result<std::string> FolderOf(std::string_view tracker) {
  while (!tracker.empty() &&
         std::string_view(" \t\r\n").find(tracker.back()) != std::string::npos) {
    tracker.remove_suffix(1);
  }
  if (tracker == "release") return std::string(tracker);
  int64_t iteration = 0;
  const char* const end = tracker.data() + tracker.size();
  const auto [parsed, error] = std::from_chars(tracker.data(), end, iteration);
  if (error != std::errc() || parsed != end || iteration < 0) {
    return Corruption(
        Format("'{}': expected the number of an iteration or 'release'", tracker.substr(0, 100)));
  }
  return Format("iter_{:07d}", iteration);
}

/// The directory of one iteration.
Result<std::string> IterationDirectory(const std::string& path) {
  const std::string tracker = JoinPath(path, kTracker);
  if (HoldsRanks(path) || HoldsDistributed(path) || KindOf(tracker) != PathKind::kFile) return path;
  NEMO_ASSIGN_OR_RETURN(const std::string text, ReadAllFrom(tracker, kMaxTrackerBytes));
  const Result<std::string> folder = FolderOf(text);
  if (!folder) return folder.error().At(tracker);
  const std::string directory = JoinPath(path, *folder);
  if (KindOf(directory) == PathKind::kDirectory) return directory;
  return Corruption(
      Format("{}: it names '{}', which is not there; the copy is incomplete", tracker, *folder));
}

Status CheckVersion(const torch::PickleNode& root) {
  const torch::PickleNode* version = root.Find("checkpoint_version");
  if (version == nullptr) {
    return Unsupported("no checkpoint_version: saved before 2.0, when QKV had another order");
  }
  NEMO_ASSIGN_OR_RETURN(const double number, version->AsFloat());
  if (number >= kOldestVersion) return OkStatus();
  return Unsupported(
      Format("checkpoint_version {}; this build reads {} and later", number, kOldestVersion));
}

/// The run's arguments stand in every rank's file, or in the common state.
Result<SavedRun> ReadRun(const FileTree& tree, const std::string& file_name) {
  NEMO_ASSIGN_OR_RETURN(auto file, tree.Open(file_name));
  NEMO_ASSIGN_OR_RETURN(const auto torch_file, torch::OpenTorchFile(std::move(file)));
  const torch::PickleNode& root = torch_file->pickle.root();
  const torch::PickleNode* args = root.Find("args");
  Result<SavedRun> run = args == nullptr
                             ? Result<SavedRun>(Corruption("no args: not saved by Megatron-LM"))
                             : ParseArgs(*args);
  if (!run) return run.error().At(file_name);
  if (const Status status = CheckVersion(root); !status.ok()) return status.At(file_name);
  return run;
}

Result<Checkpoint> OpenRanks(const FileTree& tree) {
  const bool pipeline = tree.Contains(kFirstFileOfPipeline);
  NEMO_ASSIGN_OR_RETURN(const SavedRun run,
                        ReadRun(tree, pipeline ? kFirstFileOfPipeline : kFirstFile));
  const auto name_of = [pipeline](int64_t tp_rank, int64_t pp_rank) {
    return pipeline ? Format("mp_rank_{:02d}_{:03d}/model_optim_rng.pt", tp_rank, pp_rank)
                    : Format("mp_rank_{:02d}/model_optim_rng.pt", tp_rank);
  };
  const std::string why = Format("args say tensor-parallel size {} and pipeline-parallel size {}",
                                 run.layout.tp_size, run.layout.pp_size);
  if (!pipeline && run.layout.pp_size != 1) {
    return Corruption(Format("{}, and there is one file per tensor-parallel rank", why));
  }
  NEMO_ASSIGN_OR_RETURN(
      std::vector<megatron::RankChunk> chunks,
      megatron::OpenRankFiles(tree, name_of, run.layout.tp_size, run.layout.pp_size, why));
  NEMO_ASSIGN_OR_RETURN(megatron::RankWeights weights,
                        megatron::JoinRanks(std::move(chunks), run.model));
  Checkpoint checkpoint;
  checkpoint.container = "torch";
  checkpoint.layout = std::move(weights.layout);
  checkpoint.config = std::move(weights.config);
  checkpoint.source = std::move(weights.source);
  return checkpoint;
}

Result<Checkpoint> OpenDistributed(const std::shared_ptr<FileTree>& tree) {
  if (!tree->Contains(kCommonState)) {
    return Corruption(
        Format("{} is missing: it holds the run's arguments; the save or the copy is incomplete",
               kCommonState));
  }
  NEMO_ASSIGN_OR_RETURN(const SavedRun run, ReadRun(*tree, kCommonState));
  NEMO_ASSIGN_OR_RETURN(DistCheckpoint weights,
                        OpenDistCheckpoint(tree, "", run.model, kCommonState));
  Checkpoint checkpoint;
  checkpoint.container = std::move(weights.backend);
  checkpoint.layout = run.layout;
  checkpoint.config = std::move(weights.config);
  checkpoint.source = std::move(weights.source);
  return checkpoint;
}

Result<Checkpoint> OpenTree(const std::shared_ptr<FileTree>& tree) {
  const bool ranks = tree->Contains(kFirstFile) || tree->Contains(kFirstFileOfPipeline);
  if (!ranks && !tree->Contains(kDistributedMarker)) {
    return Corruption(Format("neither {} nor {} nor {}; the save or the copy is incomplete",
                             kFirstFile, kFirstFileOfPipeline, kDistributedMarker));
  }
  NEMO_ASSIGN_OR_RETURN(Checkpoint checkpoint, ranks ? OpenRanks(*tree) : OpenDistributed(tree));
  checkpoint.format = "megatron";
  NEMO_ASSIGN_OR_RETURN(const ArchiveIndex index, IndexTree(*tree));
  checkpoint.provenance = {"megatron", "", index.size_bytes, index.xxh3};
  return checkpoint;
}

/// Beside the tracker of `path`, or of the directory that holds the save `path`.
Status ReadTokenizer(const std::string& path, Checkpoint& checkpoint) {
  const bool has_tracker = KindOf(JoinPath(path, kTracker)) == PathKind::kFile;
  const std::string file = JoinPath(has_tracker ? path : DirName(path), kTokenizer);
  if (KindOf(file) != PathKind::kFile) return OkStatus();
  NEMO_ASSIGN_OR_RETURN(checkpoint.tokenizer_model, ReadAllFrom(file, kMaxTokenizerBytes));
  checkpoint.tokenizer_name = kTokenizer;
  return OkStatus();
}

}  // namespace
}  // namespace megatron_lm

bool SniffMegatronLm(const std::string& path) {
  return KindOf(JoinPath(path, megatron_lm::kTracker)) == PathKind::kFile ||
         megatron_lm::HoldsRanks(path) || megatron_lm::HoldsDistributed(path);
}

Result<Checkpoint> OpenMegatronLm(const std::string& path) {
  NEMO_ASSIGN_OR_RETURN(const std::string directory, megatron_lm::IterationDirectory(path));
  NEMO_ASSIGN_OR_RETURN(const std::shared_ptr<FileTree> tree, OpenDirectory(directory));
  Result<Checkpoint> checkpoint = megatron_lm::OpenTree(tree);
  if (!checkpoint) {
    const std::string& message = checkpoint.error().message();
    return message.starts_with(directory) ? checkpoint.error() : checkpoint.error().At(directory);
  }
  checkpoint->provenance.base_name = BaseName(directory);
  NEMO_RETURN_IF_ERROR(megatron_lm::ReadTokenizer(path, *checkpoint));
  return checkpoint;
}

}  // namespace nemo
