#include "libcore/runtime/stage.h"

#include <cmath>
#include <utility>

#include "libcore/base/format.h"
#include "libcore/runtime/arena.h"
#include "libcore/runtime/host_bridge.h"
#include "libcore/runtime/output_layer.h"
#include "libcore/runtime/padded_batch.h"
#include "libcore/runtime/rope.h"

namespace nemo {
namespace {

const BF16* WeightsOf(const Buffer* buffer) {
  return buffer == nullptr ? nullptr : static_cast<const BF16*>(buffer->data());
}

template <typename T>
Result<std::unique_ptr<Buffer>> ToBackend(Backend& backend, const std::vector<T>& values) {
  const auto bytes = std::as_bytes(std::span(values));
  NEMO_ASSIGN_OR_RETURN(std::unique_ptr<Buffer> buffer, backend.Allocate(std::ssize(bytes)));
  NEMO_RETURN_IF_ERROR(backend.Upload(buffer->data(), bytes));
  return buffer;
}

/// A stage whose activations are T: BF16 or float.
template <typename T>
class StageOf final : public Stage {
 public:
  StageOf(const Parts& parts, const BasicOpTable<T>& ops)
      : config_(parts.config),
        weights_(parts.weights),
        backend_(parts.backend),
        world_(parts.world),
        tp_(parts.tp),
        kv_(parts.kv),
        profile_(parts.profile),
        max_step_tokens_(parts.max_step_tokens),
        ops_(ops),
        bridge_(parts.backend) {}
  ~StageOf() override { backend_.EndPeers(); }

  Status Allocate(const Parts& parts);
  Result<std::vector<LogitRow>> Run(const StepTokens& tokens,
                                    std::span<const LogitRequest> requests) override;
  void Observe(StreamObserver observer) override { observer_ = std::move(observer); }

 private:
  enum class Pending { kNone, kAdd, kReplace };
  static constexpr bool kRounds = std::is_same_v<T, BF16>;
  static constexpr Epilogue kPlain = kRounds ? Epilogue::kBf16 : Epilogue::kFloat;
  static constexpr Epilogue kRelu2 = kRounds ? Epilogue::kRelu2Bf16 : Epilogue::kRelu2Float;

  const RankShape& shape() const { return weights_.shape; }
  /// The ranks with the same tp_rank of the stages before and after.
  StageNeighbours Neighbours() const {
    const int rank = world_.rank(), tp_size = static_cast<int>(shape().tp_size);
    return {shape().first_stage() ? -1 : rank - tp_size,
            shape().last_stage() ? -1 : rank + tp_size};
  }
  int64_t StreamBytes() const {
    return num_tokens_ * shape().hidden_size * static_cast<int64_t>(sizeof(T));
  }
  /// How many tokens to pad a step to so that it can be replayed; 0: it cannot.
  int64_t ReplayedSize(const StepTokens& tokens) const;
  /// With `padded_size` > 0: padding up to that many tokens behind the step's.
  Status Upload(StepTokens tokens, int64_t padded_size);
  Status Enter();
  Status Embed();
  /// This stage, but for what it receives and sends.
  Status RunLayers();
  Status RunLayer(int64_t index);
  Status Attend(int64_t index);
  Status FeedForward(int64_t index);
  /// x += pending update; then, if `weight`, h = norm(x).
  Status AddAndNorm(const Buffer* weight, const Buffer* bias);
  /// update_ is what the block before `point` adds to x_, or puts in its place.
  void SetPending(Pending pending, const StreamPoint& point) {
    pending_ = pending;
    pending_point_ = point;
  }
  Status ShowStream();
  Status Leave();

  const ModelConfig& config_;
  const RankWeights& weights_;
  Backend& backend_;
  Communicator& world_;
  Communicator& tp_;
  KvCache& kv_;
  const DTypeProfile profile_;
  const int64_t max_step_tokens_;
  const BasicOpTable<T>& ops_;
  HostBridge bridge_;
  std::unique_ptr<OutputLayer<T>> output_;  // last stage
  std::unique_ptr<LogitHead> head_;         // last stage
  std::unique_ptr<Buffer> cos_, sin_;

  StreamObserver observer_;

  // Of the step in progress.
  int64_t num_tokens_ = 0;
  Pending pending_ = Pending::kNone;  // what update_ does to x_
  StreamPoint pending_point_;         // where x_ stands with it

  Arena arena_;                     // T = max_step_tokens
  int32_t* token_ids_ = nullptr;    // [T]
  int32_t* positions_ = nullptr;    // [T]
  int32_t* sequence_of_ = nullptr;  // [T] slots
  T* x_ = nullptr;                  // [T, hidden] the residual stream
  T* h_ = nullptr;                  // [T, hidden]
  T* qkv_ = nullptr;                // [T, qkv_columns]
  T* attention_ = nullptr;          // [T, q heads * head_dim]
  T* up_ = nullptr;                 // [T, ffn]
  float* update_ = nullptr;         // [T, hidden]
};

template <typename T>
Status StageOf<T>::Allocate(const Parts& parts) {
  NEMO_RETURN_IF_ERROR(bridge_.Join(tp_));
  const RankShape& s = shape();
  if (s.pp_size > 1) NEMO_RETURN_IF_ERROR(bridge_.Link(world_, Neighbours()));
  const int64_t tokens = max_step_tokens_;
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

  const auto rope = MakeRopeTables<T>(parts.max_sequence_tokens, s.rotary_dim, config_.rotary_base);
  NEMO_ASSIGN_OR_RETURN(cos_, ToBackend(backend_, rope.cos));
  NEMO_ASSIGN_OR_RETURN(sin_, ToBackend(backend_, rope.sin));
  if (!s.last_stage()) return OkStatus();
  const OutputLayerOptions output = {parts.logit_rows,
                                     static_cast<float>(config_.layernorm_epsilon),
                                     config_.layernorm_zero_centered_gamma, profile_};
  NEMO_ASSIGN_OR_RETURN(output_, OutputLayer<T>::Create(output, weights_, backend_, ops_));
  NEMO_ASSIGN_OR_RETURN(
      head_, LogitHead::Create({config_.vocab_size, parts.logit_rows, parts.max_sequence_tokens},
                               s.vocab, backend_, tp_));
  return OkStatus();
}

template <typename T>
int64_t StageOf<T>::ReplayedSize(const StepTokens& tokens) const {
  if (!tokens.one_each || !backend_.replays() || !bridge_.SumsOnBackend(tp_)) return 0;
  if (observer_) return 0;
  const int64_t size = PaddedBatch(std::ssize(tokens.token_ids));
  return size <= max_step_tokens_ ? size : 0;
}

template <typename T>
Status StageOf<T>::Upload(StepTokens tokens, int64_t padded_size) {
  if (padded_size > std::ssize(tokens.token_ids)) {
    tokens.token_ids.resize(padded_size, 0);
    tokens.positions.resize(padded_size, 0);
    tokens.sequence_of.resize(padded_size, static_cast<int32_t>(kv_.padding_slot()));
  }
  num_tokens_ = std::ssize(tokens.token_ids);
  NEMO_RETURN_IF_ERROR(bridge_.Put(token_ids_, std::span<const int32_t>(tokens.token_ids)));
  NEMO_RETURN_IF_ERROR(bridge_.Put(positions_, std::span<const int32_t>(tokens.positions)));
  return bridge_.Put(sequence_of_, std::span<const int32_t>(tokens.sequence_of));
}

/// Stages but the first receive the residual stream.
template <typename T>
Status StageOf<T>::Enter() {
  pending_ = Pending::kNone;
  if (shape().first_stage()) return OkStatus();
  return bridge_.Recv(world_, x_, StreamBytes(), Neighbours().before);
}

template <typename T>
Status StageOf<T>::Embed() {
  const RankShape& s = shape();
  const EmbedArgs embed = {token_ids_,
                           num_tokens_,
                           WeightsOf(weights_.embedding.get()),
                           s.vocab.column_begin(),
                           s.vocab.num_columns(),
                           s.hidden_size,
                           update_,
                           weights_.embedding == nullptr ? weights_.head.get() : nullptr};
  NEMO_RETURN_IF_ERROR(backend_.ops().embed(backend_, embed));
  SetPending(Pending::kReplace, {});
  return bridge_.AllReduceSum(tp_, update_, num_tokens_ * s.hidden_size);
}

template <typename T>
Status StageOf<T>::AddAndNorm(const Buffer* weight, const Buffer* bias) {
  const BasicResidualNormArgs<T> args = {x_,
                                         pending_ == Pending::kNone ? nullptr : update_,
                                         pending_ == Pending::kReplace,
                                         WeightsOf(weight),
                                         WeightsOf(bias),
                                         h_,
                                         num_tokens_,
                                         shape().hidden_size,
                                         static_cast<float>(config_.layernorm_epsilon),
                                         config_.layernorm_zero_centered_gamma,
                                         profile_};
  const bool changes_stream = pending_ != Pending::kNone;
  pending_ = Pending::kNone;
  NEMO_RETURN_IF_ERROR(ops_.residual_norm(backend_, args));
  return changes_stream && observer_ ? ShowStream() : OkStatus();
}

template <typename T>
Status StageOf<T>::ShowStream() {
  NEMO_ASSIGN_OR_RETURN(const std::span<const std::byte> rows, bridge_.View(x_, StreamBytes()));
  return observer_(pending_point_, rows);
}

template <typename T>
Status StageOf<T>::Attend(int64_t index) {
  const RankShape& s = shape();
  const LayerWeights& w = weights_.layers[index];
  NEMO_ASSIGN_OR_RETURN(const int32_t* table, kv_.page_table());
  T* pages = kv_.layer_pages<T>(index);
  NEMO_RETURN_IF_ERROR(ops_.linear(backend_, {w.qkv.get(), h_, num_tokens_, qkv_, kPlain}));
  NEMO_RETURN_IF_ERROR(ops_.rope_append(
      backend_, {qkv_, num_tokens_, s.num_q_heads, s.num_kv_heads, s.head_dim, s.rotary_dim,
                 static_cast<const T*>(cos_->data()), static_cast<const T*>(sin_->data()),
                 positions_, sequence_of_, table, kv_.table_stride(), pages}));
  const auto scale = static_cast<float>(1.0 / std::sqrt(static_cast<double>(s.head_dim)));
  NEMO_RETURN_IF_ERROR(ops_.attention(
      backend_, {qkv_, num_tokens_, s.num_q_heads, s.num_kv_heads, s.head_dim, scale, positions_,
                 sequence_of_, table, kv_.table_stride(), pages, attention_}));
  NEMO_RETURN_IF_ERROR(
      ops_.linear(backend_, {w.proj.get(), attention_, num_tokens_, update_, Epilogue::kFloat}));
  SetPending(Pending::kAdd, {StreamPoint::After::kAttention, s.layers[index]});
  return bridge_.AllReduceSum(tp_, update_, num_tokens_ * s.hidden_size);
}

template <typename T>
Status StageOf<T>::FeedForward(int64_t index) {
  const LayerWeights& w = weights_.layers[index];
  NEMO_RETURN_IF_ERROR(ops_.linear(backend_, {w.fc1.get(), h_, num_tokens_, up_, kRelu2}));
  NEMO_RETURN_IF_ERROR(
      ops_.linear(backend_, {w.fc2.get(), up_, num_tokens_, update_, Epilogue::kFloat}));
  SetPending(Pending::kAdd, {StreamPoint::After::kMlp, shape().layers[index]});
  return bridge_.AllReduceSum(tp_, update_, num_tokens_ * shape().hidden_size);
}

template <typename T>
Status StageOf<T>::RunLayer(int64_t index) {
  const LayerWeights& w = weights_.layers[index];
  NEMO_RETURN_IF_ERROR(AddAndNorm(w.qkv_norm_weight.get(), w.qkv_norm_bias.get()));
  NEMO_RETURN_IF_ERROR(Attend(index));
  NEMO_RETURN_IF_ERROR(AddAndNorm(w.fc1_norm_weight.get(), w.fc1_norm_bias.get()));
  return FeedForward(index);
}

template <typename T>
Status StageOf<T>::RunLayers() {
  if (shape().first_stage()) NEMO_RETURN_IF_ERROR(Embed());
  for (size_t i = 0; i < weights_.layers.size(); ++i) {
    NEMO_RETURN_IF_ERROR(
        RunLayer(static_cast<int64_t>(i)).At(Format("layer {}", shape().layers[i])));
  }
  // What is sent on, and what the final norm reads, is the residual stream with the last update in
  // it.
  return pending_ == Pending::kNone ? OkStatus() : AddAndNorm(nullptr, nullptr);
}

template <typename T>
Status StageOf<T>::Leave() {
  if (shape().last_stage()) return OkStatus();
  return bridge_.Post(world_, x_, StreamBytes(), Neighbours().after);
}

template <typename T>
Result<std::vector<LogitRow>> StageOf<T>::Run(const StepTokens& tokens,
                                              std::span<const LogitRequest> requests) {
  const int64_t replayed_size = ReplayedSize(tokens);
  NEMO_RETURN_IF_ERROR(Upload(tokens, replayed_size));
  NEMO_RETURN_IF_ERROR(Enter());
  if (replayed_size > 0) {
    // What the page table uploads is no part of the record.
    NEMO_RETURN_IF_ERROR(kv_.page_table().error());
    NEMO_RETURN_IF_ERROR(backend_.Repeat(replayed_size, [this] { return RunLayers(); }));
  } else {
    NEMO_RETURN_IF_ERROR(RunLayers());
  }
  NEMO_RETURN_IF_ERROR(Leave());
  if (!shape().last_stage()) return std::vector<LogitRow>();
  const auto logits = [&](std::span<const int32_t> rows, float* out) {
    return output_->Logits(x_, num_tokens_, rows, out);
  };
  return head_->Run(logits, requests);
}

template <typename T>
Result<std::unique_ptr<Stage>> Make(const Stage::Parts& parts, const BasicOpTable<T>& ops) {
  auto stage = std::make_unique<StageOf<T>>(parts, ops);
  NEMO_RETURN_IF_ERROR(stage->Allocate(parts));
  return std::unique_ptr<Stage>(std::move(stage));
}

}  // namespace

int64_t Stage::ElementBytes(DTypeProfile profile) {
  return profile == DTypeProfile::kFp32 ? sizeof(float) : sizeof(BF16);
}

Result<std::unique_ptr<Stage>> Stage::Create(const Parts& parts) {
  if (parts.profile != DTypeProfile::kFp32) return Make(parts, parts.backend.ops());
  if (const BasicOpTable<float>* ops = parts.backend.fp32_ops()) return Make(parts, *ops);
  return InvalidArgument(
      Format("the backend {} rounds to bf16 between operations and has no others: the profile "
             "fp32 runs on the backend reference",
             parts.backend.name()));
}

}  // namespace nemo
