#include "libcore/runtime/engine.h"

#include <cmath>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "libcore/base/format.h"
#include "libcore/runtime/math.h"
#include "libcore/runtime/padded_batch.h"
#include "libcore/runtime/rope.h"

namespace nemo {
namespace {

template <typename T = BF16>
const T* DataOf(const Buffer* buffer) {
  return buffer == nullptr ? nullptr : static_cast<const T*>(buffer->data());
}

Result<std::unique_ptr<Buffer>> ToBackend(Backend& backend, std::span<const BF16> values) {
  NEMO_ASSIGN_OR_RETURN(std::unique_ptr<Buffer> buffer,
                        backend.Allocate(static_cast<int64_t>(values.size_bytes())));
  NEMO_RETURN_IF_ERROR(backend.Upload(buffer->data(), std::as_bytes(values)));
  return buffer;
}

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

EngineOptions WithDefaults(EngineOptions o, const ModelConfig& config) {
  if (o.max_sequence_tokens == 0) o.max_sequence_tokens = config.max_position_embeddings;
  if (o.kv_pages == 0) o.kv_pages = o.max_sequences * PagesFor(o.max_sequence_tokens);
  o.logit_rows = std::min(o.logit_rows, o.max_step_tokens);
  return o;
}

/// What all ranks must have been told alike, in words.
std::string TermsOf(const ModelConfig& c, const ParallelLayout& layout, const EngineOptions& o) {
  return Format(
      "{}, {} layers of {} with {} heads, {} groups and a vocabulary of {}, {} rounding, steps of "
      "{} "
      "tokens, {} sequences of {} tokens in {} KV pages",
      ToString(layout), c.num_layers, c.hidden_size, c.num_attention_heads, c.num_query_groups,
      c.vocab_size, o.profile == DTypeProfile::kHf ? "hf" : "megatron", o.max_step_tokens,
      o.max_sequences, o.max_sequence_tokens, o.kv_pages);
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

}  // namespace

Engine::Engine(const ModelConfig& config, const EngineOptions& options, RankWeights weights,
               Backend& backend, Communicator& world, std::unique_ptr<Communicator> tp, KvCache kv)
    : config_(config),
      options_(options),
      weights_(std::move(weights)),
      backend_(backend),
      world_(world),
      tp_(std::move(tp)),
      kv_(std::move(kv)),
      bridge_(backend) {}

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
                                     backend.replays()};
  NEMO_ASSIGN_OR_RETURN(KvCache kv, KvCache::Create(kv_options, backend));
  std::unique_ptr<Engine> engine(new Engine(config, options, std::move(weights), backend, world,
                                            std::move(tp), std::move(kv)));
  NEMO_RETURN_IF_ERROR(engine->AllocateBuffers());
  return engine;
}

Status Engine::AllocateBuffers() {
  NEMO_RETURN_IF_ERROR(bridge_.Join(*tp_));
  const RankShape& s = shape();
  const int64_t tokens = options_.max_step_tokens;
  arena_.Add(&token_ids_, tokens);
  arena_.Add(&positions_, tokens);
  arena_.Add(&sequence_of_, tokens);
  arena_.Add(&x_, tokens * s.hidden_size);
  arena_.Add(&h_, tokens * s.hidden_size);
  arena_.Add(&qkv_, tokens * s.qkv_columns());
  arena_.Add(&attention_, tokens * s.num_q_heads * s.head_dim);
  arena_.Add(&up_, tokens * s.ffn_size);
  arena_.Add(&update_, tokens * s.hidden_size);
  NEMO_RETURN_IF_ERROR(
      arena_.Allocate(backend_).At(Format("buffers of a step of {} tokens", tokens)));

  const RopeTables rope =
      MakeRopeTables(options_.max_sequence_tokens, s.rotary_dim, config_.rotary_base);
  NEMO_ASSIGN_OR_RETURN(cos_, ToBackend(backend_, rope.cos));
  NEMO_ASSIGN_OR_RETURN(sin_, ToBackend(backend_, rope.sin));
  if (!s.last_stage()) return OkStatus();
  const LogitHead::Options head = {config_.vocab_size, options_.logit_rows,
                                   static_cast<float>(config_.layernorm_epsilon),
                                   config_.layernorm_zero_centered_gamma, options_.profile};
  NEMO_ASSIGN_OR_RETURN(head_, LogitHead::Create(head, weights_, backend_, *tp_));
  return OkStatus();
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

int64_t Engine::ReplayedSize(const Batch& batch) const {
  if (!backend_.replays() || !bridge_.SumsOnBackend(*tp_)) return 0;
  for (const SequenceStep& s : batch.sequences) {
    if (s.token_ids.size() != 1) return 0;
  }
  const int64_t size = PaddedBatch(std::ssize(batch.sequences));
  return size <= options_.max_step_tokens ? size : 0;
}

Status Engine::UploadBatch(const Batch& batch, int64_t padded_size) {
  std::vector<int32_t> token_ids, positions, sequence_of;
  for (const SequenceStep& s : batch.sequences) {
    for (size_t i = 0; i < s.token_ids.size(); ++i) {
      token_ids.push_back(s.token_ids[i]);
      positions.push_back(static_cast<int32_t>(s.start + static_cast<int64_t>(i)));
      sequence_of.push_back(static_cast<int32_t>(s.slot));
    }
  }
  if (!token_ids.empty() && padded_size > std::ssize(token_ids)) {
    token_ids.resize(padded_size, 0);
    positions.resize(padded_size, 0);
    sequence_of.resize(padded_size, static_cast<int32_t>(options_.max_sequences));
  }
  num_tokens_ = static_cast<int64_t>(token_ids.size());
  NEMO_RETURN_IF_ERROR(bridge_.Put(token_ids_, std::span<const int32_t>(token_ids)));
  NEMO_RETURN_IF_ERROR(bridge_.Put(positions_, std::span<const int32_t>(positions)));
  return bridge_.Put(sequence_of_, std::span<const int32_t>(sequence_of));
}

/// The first stage looks the tokens up; later ones receive the residual stream from the rank with
/// the same tp_rank of the stage before.
Status Engine::EnterStage() {
  const RankShape& s = shape();
  pending_ = Pending::kNone;
  if (s.first_stage()) return OkStatus();
  const int64_t size_bytes = num_tokens_ * s.hidden_size * static_cast<int64_t>(sizeof(BF16));
  return bridge_.Recv(world_, x_, size_bytes, world_.rank() - static_cast<int>(s.tp_size));
}

Status Engine::Embed() {
  const RankShape& s = shape();
  const EmbedArgs embed = {token_ids_,
                           num_tokens_,
                           DataOf(weights_.embedding.get()),
                           s.vocab.column_begin(),
                           s.vocab.num_columns(),
                           s.hidden_size,
                           update_,
                           weights_.embedding == nullptr ? weights_.head.get() : nullptr};
  NEMO_RETURN_IF_ERROR(backend_.ops().embed(backend_, embed));
  pending_ = Pending::kReplace;
  return bridge_.AllReduceSum(*tp_, update_, num_tokens_ * s.hidden_size);
}

Status Engine::AddAndNorm(const Buffer* weight, const Buffer* bias) {
  const ResidualNormArgs args = {x_,
                                 pending_ == Pending::kNone ? nullptr : update_,
                                 pending_ == Pending::kReplace,
                                 DataOf(weight),
                                 DataOf(bias),
                                 h_,
                                 num_tokens_,
                                 shape().hidden_size,
                                 static_cast<float>(config_.layernorm_epsilon),
                                 config_.layernorm_zero_centered_gamma,
                                 options_.profile};
  pending_ = Pending::kNone;
  return backend_.ops().residual_norm(backend_, args);
}

Status Engine::Attend(int64_t index) {
  const RankShape& s = shape();
  const LayerWeights& w = weights_.layers[index];
  const OpTable& ops = backend_.ops();
  NEMO_ASSIGN_OR_RETURN(const int32_t* table, kv_.page_table());
  BF16* pages = kv_.layer_pages(index);
  NEMO_RETURN_IF_ERROR(ops.linear(backend_, {w.qkv.get(), h_, num_tokens_, qkv_, Epilogue::kBf16}));
  NEMO_RETURN_IF_ERROR(
      ops.rope_append(backend_, {qkv_, num_tokens_, s.num_q_heads, s.num_kv_heads, s.head_dim,
                                 s.rotary_dim, DataOf(cos_.get()), DataOf(sin_.get()), positions_,
                                 sequence_of_, table, kv_.table_stride(), pages}));
  const auto scale = static_cast<float>(1.0 / std::sqrt(static_cast<double>(s.head_dim)));
  NEMO_RETURN_IF_ERROR(ops.attention(
      backend_, {qkv_, num_tokens_, s.num_q_heads, s.num_kv_heads, s.head_dim, scale, positions_,
                 sequence_of_, table, kv_.table_stride(), pages, attention_}));
  NEMO_RETURN_IF_ERROR(
      ops.linear(backend_, {w.proj.get(), attention_, num_tokens_, update_, Epilogue::kFloat}));
  pending_ = Pending::kAdd;
  return bridge_.AllReduceSum(*tp_, update_, num_tokens_ * s.hidden_size);
}

Status Engine::FeedForward(int64_t index) {
  const LayerWeights& w = weights_.layers[index];
  const OpTable& ops = backend_.ops();
  NEMO_RETURN_IF_ERROR(
      ops.linear(backend_, {w.fc1.get(), h_, num_tokens_, up_, Epilogue::kRelu2Bf16}));
  NEMO_RETURN_IF_ERROR(
      ops.linear(backend_, {w.fc2.get(), up_, num_tokens_, update_, Epilogue::kFloat}));
  pending_ = Pending::kAdd;
  return bridge_.AllReduceSum(*tp_, update_, num_tokens_ * shape().hidden_size);
}

Status Engine::RunLayer(int64_t index) {
  const LayerWeights& w = weights_.layers[index];
  NEMO_RETURN_IF_ERROR(AddAndNorm(w.qkv_norm_weight.get(), w.qkv_norm_bias.get()));
  NEMO_RETURN_IF_ERROR(Attend(index));
  NEMO_RETURN_IF_ERROR(AddAndNorm(w.fc1_norm_weight.get(), w.fc1_norm_bias.get()));
  return FeedForward(index);
}

Status Engine::RunStage() {
  if (shape().first_stage()) NEMO_RETURN_IF_ERROR(Embed());
  for (size_t i = 0; i < weights_.layers.size(); ++i) {
    NEMO_RETURN_IF_ERROR(
        RunLayer(static_cast<int64_t>(i)).At(Format("layer {}", shape().layers[i])));
  }
  // What is sent on, and what the final norm reads, is the residual stream with the last update in
  // it.
  return pending_ == Pending::kNone ? OkStatus() : AddAndNorm(nullptr, nullptr);
}

Status Engine::LeaveStage() {
  const RankShape& s = shape();
  if (s.last_stage()) return OkStatus();
  const int64_t size_bytes = num_tokens_ * s.hidden_size * static_cast<int64_t>(sizeof(BF16));
  return bridge_.Post(world_, x_, size_bytes, world_.rank() + static_cast<int>(s.tp_size));
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
  const int64_t replayed_size = ReplayedSize(batch);
  NEMO_RETURN_IF_ERROR(UploadBatch(batch, replayed_size));
  if (num_tokens_ == 0) return std::vector<LogitRow>();
  NEMO_RETURN_IF_ERROR(EnterStage());
  if (replayed_size > 0) {
    NEMO_RETURN_IF_ERROR(kv_.page_table().error());  // what it uploads is no part of the record
    NEMO_RETURN_IF_ERROR(backend_.Repeat(replayed_size, [this] { return RunStage(); }));
  } else {
    NEMO_RETURN_IF_ERROR(RunStage());
  }
  NEMO_RETURN_IF_ERROR(LeaveStage());
  if (!shape().last_stage()) return std::vector<LogitRow>();
  return head_->Run(x_, num_tokens_, RequestsOf(batch));
}

}  // namespace nemo
