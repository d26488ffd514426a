// Planning the files: the plan of one rank, cut along transformers' tensors.
#include <map>
#include <optional>
#include <utility>

#include "formats/hf/config.h"
#include "formats/hf/hf.h"
#include "formats/hf/index.h"
#include "formats/hf/names.h"
#include "libcore/base/format.h"
#include "libcore/layout/planner.h"

namespace nemo {
namespace hf {
namespace {

/// `move`, narrowed to what it brings into `piece` of the canonical tensor, with its target in the
/// stored one.
std::optional<Move> Through(const Piece& piece, const Move& move) {
  const std::optional<Box> part = Intersect(move.target, piece.canonical);
  if (!part) return std::nullopt;
  Move cut = {move.source_name, *part, *part};
  for (size_t axis = 0; axis < part->offset.size(); ++axis) {
    cut.source.offset[axis] += move.source.offset[axis] - move.target.offset[axis];
    cut.target.offset[axis] += piece.stored.offset[axis] - piece.canonical.offset[axis];
  }
  return cut;
}

PlannedTensor PlanTensor(const StoredTensor& stored, const PlannedTensor& whole,
                         const ModelConfig& config) {
  PlannedTensor planned;
  planned.canonical_name = stored.canonical_name;
  planned.tensor.spec = {stored.name, whole.tensor.spec.dtype, stored.shape};
  planned.tensor.note = whole.tensor.note;
  for (const Piece& piece : PiecesOf(stored, config)) {
    for (const Move& move : whole.moves) {
      if (std::optional<Move> cut = Through(piece, move)) planned.moves.push_back(*std::move(cut));
    }
    planned.parts.push_back({piece.canonical, piece.stored});
  }
  planned.tensor.note.offset = planned.parts.front().canonical.offset;
  return planned;
}

/// Files as huggingface_hub fills them: a tensor that would make the current one too large begins
/// the next; one that is too large by itself gets a file of its own, and the current one goes on.
std::vector<PlannedFile> FillFiles(std::vector<PlannedTensor> tensors, int64_t max_bytes) {
  std::vector<PlannedFile> files;
  PlannedFile current;
  int64_t current_bytes = 0;
  for (PlannedTensor& tensor : tensors) {
    const int64_t size_bytes = tensor.tensor.spec.size_bytes();
    if (size_bytes > max_bytes) {
      files.emplace_back().tensors.push_back(std::move(tensor));
      continue;
    }
    if (size_bytes > max_bytes - current_bytes) {
      files.push_back(std::exchange(current, {}));
      current_bytes = 0;
    }
    current.tensors.push_back(std::move(tensor));
    current_bytes += size_bytes;
  }
  if (!current.tensors.empty()) files.push_back(std::move(current));
  for (size_t i = 0; i < files.size(); ++i) {
    files[i].stem = ShardStem(static_cast<int64_t>(i), static_cast<int64_t>(files.size()));
  }
  return files;
}

VocabRule RuleFor(const ModelConfig& config, const PlanOptions& options) {
  if (options.vocab) return *options.vocab;
  VocabRule rule;
  rule.kind = config.vocab_size > 0 ? VocabRule::Kind::kPrune : VocabRule::Kind::kKeep;
  return rule;
}

}  // namespace
}  // namespace hf

Result<Plan> PlanHf(const ModelConfig& config, std::span<const TensorSpec> source,
                    const PlanOptions& options) {
  if (options.layout != ParallelLayout{}) {
    return InvalidArgument(
        Format("layout {}: a Hugging Face directory has no ranks", ToString(options.layout)));
  }
  if (options.max_shard_bytes < 1) {
    return InvalidArgument(
        Format("files of at most {} bytes: expected at least 1", options.max_shard_bytes));
  }
  NEMO_RETURN_IF_ERROR(hf::CheckExpressible(config));
  NEMO_ASSIGN_OR_RETURN(Plan plan, PlanShards(config, source, {}, hf::RuleFor(config, options)));
  std::map<std::string_view, const PlannedTensor*> canonical;
  for (const PlannedTensor& planned : plan.files.front().tensors) {
    canonical.emplace(planned.canonical_name, &planned);
  }
  std::vector<PlannedTensor> tensors;
  for (const hf::StoredTensor& stored : hf::StoredTensors(plan.config)) {
    const PlannedTensor& whole = *canonical.at(stored.canonical_name);
    tensors.push_back(hf::PlanTensor(stored, whole, plan.config));
  }
  plan.files = hf::FillFiles(std::move(tensors), options.max_shard_bytes);
  return plan;
}

}  // namespace nemo
