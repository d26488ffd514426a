#include "libcore/runtime/engine.h"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "libcore/base/format.h"
#include "libcore/runtime/math.h"

namespace nemo {
namespace {

Status CheckOptions(const EngineOptions& o) {
  const struct {
    const char* name;
    int64_t value;
  } kPositive[] = {{"max_step_tokens", o.max_step_tokens},
                   {"max_sequences", o.max_sequences},
                   {"max_sequence_tokens", o.max_sequence_tokens},
                   {"kv_pages", o.kv_pages},
                   {"logit_rows", o.logit_rows}};
  for (const auto& [name, value] : kPositive) {
    if (value < 1 || value > INT32_MAX) {
      return InvalidArgument(Format("engine: {} is {}, expected 1..{}", name, value, INT32_MAX));
    }
  }
  return OkStatus();
}

/// What all ranks must have been told alike, in words.
std::string TermsOf(const ModelConfig& c, const ParallelLayout& layout, const EngineOptions& o) {
  return Format(
      "{}, {} layers of {} with {} heads, {} groups and a vocabulary of {}, {} rounding, steps of "
      "{} "
      "tokens, {} sequences of {} tokens in {} KV pages",
      ToString(layout), c.num_layers, c.hidden_size, c.num_attention_heads, c.num_query_groups,
      c.vocab_size, ToString(o.profile), o.max_step_tokens, o.max_sequences, o.max_sequence_tokens,
      o.kv_pages);
}

/// Ranks that were started differently would wait for each other in vain.
Status CheckTerms(const std::string& terms, Communicator& world) {
  constexpr size_t kBytes = 512;
  std::string mine = terms.substr(0, kBytes);
  mine.resize(kBytes, ' ');
  std::vector<char> all(kBytes * world.size());
  NEMO_RETURN_IF_ERROR(
      world.AllGather(std::as_bytes(std::span(mine)), std::as_writable_bytes(std::span(all))));
  for (int rank = 0; rank < world.size(); ++rank) {
    const std::string_view theirs(all.data() + kBytes * rank, kBytes);
    if (theirs == mine) continue;
    return InvalidArgument(Format("ranks were started differently; rank {}: {}; rank {}: {}",
                                  world.rank(), terms, rank,
                                  theirs.substr(0, theirs.find_last_not_of(' ') + 1)));
  }
  return OkStatus();
}

StepTokens TokensOf(const Batch& batch) {
  StepTokens tokens;
  tokens.one_each = true;
  for (const SequenceStep& s : batch.sequences) {
    tokens.one_each &= s.token_ids.size() == 1;
    for (size_t i = 0; i < s.token_ids.size(); ++i) {
      tokens.token_ids.push_back(s.token_ids[i]);
      tokens.positions.push_back(static_cast<int32_t>(s.start + static_cast<int64_t>(i)));
      tokens.sequence_of.push_back(static_cast<int32_t>(s.slot));
    }
  }
  return tokens;
}

}  // namespace

EngineOptions WithDefaults(EngineOptions o, const ModelConfig& config) {
  if (o.max_sequence_tokens == 0) o.max_sequence_tokens = config.max_position_embeddings;
  if (o.kv_pages == 0) o.kv_pages = o.max_sequences * PagesFor(o.max_sequence_tokens);
  o.logit_rows = std::min(o.logit_rows, o.max_step_tokens);
  return o;
}

Engine::Engine(const ModelConfig& config, const EngineOptions& options, RankWeights weights,
               Backend& backend, Communicator& world, std::unique_ptr<Communicator> tp, KvCache kv)
    : config_(config),
      options_(options),
      weights_(std::move(weights)),
      backend_(backend),
      world_(world),
      tp_(std::move(tp)),
      kv_(std::move(kv)) {}

Result<std::unique_ptr<Engine>> Engine::Create(const ModelConfig& config,
                                               const ParallelLayout& layout,
                                               const EngineOptions& given, RankWeights weights,
                                               Backend& backend, Communicator& world) {
  if (world.size() != layout.world_size()) {
    return InvalidArgument(Format("layout {} needs {} ranks, and there are {}", ToString(layout),
                                  layout.world_size(), world.size()));
  }
  const RankShape& shape = weights.shape;
  NEMO_CHECK(shape.pp_rank * shape.tp_size + shape.tp_rank == world.rank());
  const EngineOptions options = WithDefaults(given, config);
  NEMO_RETURN_IF_ERROR(CheckOptions(options));
  if (options.max_sequence_tokens > config.max_position_embeddings) {
    return InvalidArgument(Format("sequences of {} tokens; this model was made for at most {}",
                                  options.max_sequence_tokens, config.max_position_embeddings));
  }
  NEMO_RETURN_IF_ERROR(CheckTerms(TermsOf(config, layout, options), world));
  NEMO_ASSIGN_OR_RETURN(
      std::unique_ptr<Communicator> tp,
      world.Split(static_cast<int>(shape.pp_rank), static_cast<int>(shape.tp_rank)));
  const KvCacheOptions kv_options = {static_cast<int64_t>(shape.layers.size()),
                                     shape.num_kv_heads,
                                     shape.head_dim,
                                     options.kv_pages,
                                     options.max_sequences,
                                     options.max_sequence_tokens,
                                     Stage::ElementBytes(options.profile),
                                     backend.replays()};
  NEMO_ASSIGN_OR_RETURN(KvCache kv, KvCache::Create(kv_options, backend));
  std::unique_ptr<Engine> engine(new Engine(config, options, std::move(weights), backend, world,
                                            std::move(tp), std::move(kv)));
  NEMO_ASSIGN_OR_RETURN(
      engine->stage_,
      Stage::Create({engine->config_, engine->weights_, backend, world, *engine->tp_, engine->kv_,
                     options.profile, options.max_step_tokens, options.max_sequence_tokens,
                     options.logit_rows}));
  return engine;
}

Status Engine::CheckBatch(const Batch& batch) const {
  int64_t num_tokens = 0;
  for (const SequenceStep& s : batch.sequences) {
    const auto count = static_cast<int64_t>(s.token_ids.size());
    num_tokens += count;
    NEMO_CHECK(s.num_logit_rows <= count && s.num_whole_rows <= s.num_logit_rows);
    NEMO_CHECK(s.targets.empty() || static_cast<int64_t>(s.targets.size()) == s.num_logit_rows);
    NEMO_CHECK(s.slot >= 0 && s.slot < options_.max_sequences);
    if (s.start < 0 ||
        s.start + count > std::min(kv_.book().tokens_of(s.slot), options_.max_sequence_tokens)) {
      return InvalidArgument(Format("positions {}..{} of slot {}; {} are reserved", s.start,
                                    s.start + count, s.slot, kv_.book().tokens_of(s.slot)));
    }
    for (const std::vector<int32_t>* ids : {&s.token_ids, &s.targets}) {
      for (const int32_t id : *ids) {
        if (id >= config_.vocab_size || id < (ids == &s.targets ? -1 : 0)) {
          return InvalidArgument(
              Format("token id {} is outside the vocabulary of {}", id, config_.vocab_size));
        }
      }
    }
  }
  if (num_tokens > options_.max_step_tokens) {
    return InvalidArgument(Format("{} tokens in one step; the engine was made for {}", num_tokens,
                                  options_.max_step_tokens));
  }
  return OkStatus();
}

std::vector<LogitRequest> Engine::RequestsOf(const Batch& batch) const {
  std::vector<LogitRequest> requests;
  int64_t row_end = 0;
  for (const SequenceStep& s : batch.sequences) {
    row_end += static_cast<int64_t>(s.token_ids.size());
    for (int64_t i = 0; i < s.num_logit_rows; ++i) {
      requests.push_back({row_end - s.num_logit_rows + i, s.targets.empty() ? -1 : s.targets[i],
                          i >= s.num_logit_rows - s.num_whole_rows,
                          s.draw && i + 1 == s.num_logit_rows ? &*s.draw : nullptr, s.num_top});
    }
  }
  return requests;
}

Result<std::vector<LogitRow>> Engine::Forward(const Batch& batch) {
  // Sums over ranks treat denormal numbers as the kernels do.
  const FlushDenormals flush;
  NEMO_RETURN_IF_ERROR(CheckBatch(batch));
  const StepTokens tokens = TokensOf(batch);
  if (tokens.token_ids.empty()) return std::vector<LogitRow>();
  return stage_->Run(tokens, RequestsOf(batch));
}

}  // namespace nemo
