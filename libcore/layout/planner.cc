#include "libcore/layout/planner.h"

#include <algorithm>
#include <utility>

#include "libcore/base/format.h"
#include "libcore/model/architecture.h"
#include "libcore/tensor/cast.h"
#include "libcore/tensor/source.h"

namespace nemo {
namespace {

int64_t RoundUp(int64_t value, int64_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

Result<int64_t> TargetVocabRows(const ModelConfig& config, const ParallelLayout& layout,
                                const VocabRule& rule) {
  if (rule.kind == VocabRule::Kind::kKeep) return config.padded_vocab_size;
  if (config.vocab_size == 0) {
    // Without a tokenizer nobody knows which rows are padding.
    if (rule.kind == VocabRule::Kind::kMegatron) return config.padded_vocab_size;
    return InvalidArgument(
        "the checkpoint has no tokenizer, so its real vocabulary is not known: use --vocab keep");
  }
  switch (rule.kind) {
    case VocabRule::Kind::kPrune:
      return config.vocab_size;
    case VocabRule::Kind::kPad:
      if (rule.multiple < 1 || rule.multiple > (int64_t{1} << 24)) {
        return InvalidArgument(Format("vocabulary padding to a multiple of {}: expected 1..{}",
                                      rule.multiple, int64_t{1} << 24));
      }
      return RoundUp(config.vocab_size, rule.multiple * layout.tp_size);
    default:
      return RoundUp(config.vocab_size, config.make_vocab_size_divisible_by * layout.tp_size);
  }
}

Status CheckVocabRows(int64_t rows, const ParallelLayout& layout) {
  if (rows % layout.tp_size == 0) return OkStatus();
  return InvalidArgument(
      Format("a vocabulary of {} rows does not divide by the tensor-parallel size {}; pad it, "
             "for example with --vocab pad:128",
             rows, layout.tp_size));
}

/// The moves that fill one shard of a vocabulary tensor: rows the source has and wants kept, zeros
/// behind.
void MoveVocabPart(const ShardPart& part, const std::string& source_name, int64_t kept_rows,
                   std::vector<Move>& moves) {
  const int64_t begin = part.canonical.offset[0];
  const int64_t end = begin + part.canonical.extent[0];
  const int64_t cut = std::clamp(kept_rows, begin, end);
  const auto rows = [](Box box, int64_t skip, int64_t count) {
    box.offset[0] += skip;
    box.extent[0] = count;
    return box;
  };
  if (cut > begin) {
    moves.push_back(
        {source_name, rows(part.canonical, 0, cut - begin), rows(part.local, 0, cut - begin)});
  }
  if (end > cut) {
    const Box zeros = rows(part.local, cut - begin, end - cut);
    moves.push_back({"", Box::Whole(zeros.extent), zeros});
  }
}

class Planner {
 public:
  Planner(const ModelConfig& target, std::span<const TensorSpec> source,
          const ParallelLayout& layout, int64_t kept_vocab_rows)
      : config_(target), source_(source), layout_(layout), kept_vocab_rows_(kept_vocab_rows) {}

  PlannedTensor PlanTensor(const LogicalTensor& logical, const std::string& stored_name,
                           int64_t tp_rank) const {
    const TensorSpec* spec = FindSpec(source_, logical.name);
    NEMO_CHECK(spec != nullptr);
    Shard shard = ShardOf(logical, layout_, config_, tp_rank);
    PlannedTensor planned;
    planned.canonical_name = logical.name;
    planned.tensor.spec = {stored_name, DType::kBF16, shard.shape};
    planned.tensor.note = {logical.shape, shard.parts.front().canonical.offset,
                           std::string(ShardRuleName(logical.rule))};
    for (const ShardPart& part : shard.parts) {
      if (logical.rule == ShardRule::kVocab) {
        MoveVocabPart(part, logical.name, kept_vocab_rows_, planned.moves);
      } else {
        planned.moves.push_back({logical.name, part.canonical, part.local});
      }
    }
    planned.parts = std::move(shard.parts);
    return planned;
  }

 private:
  const ModelConfig& config_;
  std::span<const TensorSpec> source_;
  const ParallelLayout& layout_;
  int64_t kept_vocab_rows_;
};

/// Every logical tensor is among `source` with its shape and a dtype that weights can have.
Status CheckSource(const std::vector<LogicalTensor>& logical, std::span<const TensorSpec> source) {
  for (const LogicalTensor& tensor : logical) {
    const TensorSpec* spec = FindSpec(source, tensor.name);
    if (spec == nullptr) {
      return NotFound(Format("tensor {} is missing; the checkpoint is incomplete", tensor.name));
    }
    if (spec->shape != tensor.shape) {
      return Corruption(Format("tensor {} has shape {}, and the model's configuration asks for {}",
                               tensor.name, FormatList(spec->shape), FormatList(tensor.shape)));
    }
    if (!CanCastToBF16(spec->dtype)) {
      return Unsupported(
          Format("tensor {} has dtype {}; weights are BF16, or F32 or F16 to be cast to it",
                 tensor.name, DTypeName(spec->dtype)));
    }
  }
  return OkStatus();
}

}  // namespace

Result<Plan> PlanShards(const ModelConfig& config, std::span<const TensorSpec> source,
                        const ParallelLayout& layout, const VocabRule& vocab) {
  NEMO_ASSIGN_OR_RETURN(const std::vector<LogicalTensor> stored, LogicalTensors(config));
  NEMO_RETURN_IF_ERROR(CheckSource(stored, source));
  NEMO_RETURN_IF_ERROR(CheckLayout(layout, config));

  Plan plan;
  plan.layout = layout;
  plan.config = config;
  NEMO_ASSIGN_OR_RETURN(plan.config.padded_vocab_size, TargetVocabRows(config, layout, vocab));
  NEMO_RETURN_IF_ERROR(CheckVocabRows(plan.config.padded_vocab_size, layout));
  // Rows beyond the tokenizer's vocabulary are leftovers of training: written as zeros unless kept.
  const bool keep_all = vocab.kind == VocabRule::Kind::kKeep || config.vocab_size == 0;
  const int64_t kept_rows = keep_all ? config.padded_vocab_size : config.vocab_size;

  NEMO_ASSIGN_OR_RETURN(const std::vector<LogicalTensor> logical, LogicalTensors(plan.config));
  const Planner planner(plan.config, source, layout, kept_rows);
  plan.files.reserve(static_cast<size_t>(layout.world_size()));
  for (int64_t pp_rank = 0; pp_rank < layout.pp_size; ++pp_rank) {
    for (int64_t tp_rank = 0; tp_rank < layout.tp_size; ++tp_rank) {
      plan.files.push_back(
          {Format("tp_rank_{:02}_pp_rank_{:03}", tp_rank, pp_rank), tp_rank, pp_rank, {}});
    }
  }
  const auto add = [&](const LogicalTensor& tensor, std::string_view stored_name, int64_t stage) {
    for (int64_t tp_rank = 0; tp_rank < layout.tp_size; ++tp_rank) {
      PlannedFile& file = plan.files[static_cast<size_t>(stage * layout.tp_size + tp_rank)];
      file.tensors.push_back(planner.PlanTensor(tensor, std::string(stored_name), tp_rank));
    }
  };
  for (const LogicalTensor& tensor : logical) {
    add(tensor, tensor.name, StageOf(layout, plan.config, tensor));
  }
  // A tied output layer is the embedding: the last stage gets a copy under Megatron's name for it.
  if (config.share_embeddings_and_output_weights && layout.pp_size > 1) {
    add(logical.front(), kOutputLayerName, layout.pp_size - 1);
  }
  return plan;
}

}  // namespace nemo
