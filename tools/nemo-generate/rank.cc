#include "tools/nemo-generate/rank.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <random>
#include <span>
#include <utility>

#include "kernels/registry.h"
#include "libcore/base/format.h"
#include "libcore/runtime/engine.h"
#include "libcore/runtime/generate.h"
#include "libcore/runtime/weights.h"

namespace nemo {
namespace {

/// Tokens of one step on a host processor; runtime.md calls it the budget.
constexpr int64_t kStepTokens = 256;

using Clock = std::chrono::steady_clock;

double SecondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// Buffers for what these requests need, not for what the model could hold.
EngineOptions OptionsFor(const GenerateJob& job, std::span<const GenerateRequest> requests) {
  EngineOptions options;
  options.profile = job.dtype_profile == "hf" ? DTypeProfile::kHf : DTypeProfile::kMegatron;
  // One after the other, so that streamed texts do not mix.
  options.max_sequences = job.stream ? 1 : std::min(job.max_batch_size, std::ssize(requests));
  options.max_step_tokens = std::max({kStepTokens, job.prefill_chunk, options.max_sequences});
  for (const GenerateRequest& request : requests) {
    options.max_sequence_tokens = std::max(
        options.max_sequence_tokens, std::ssize(request.prompt_ids) + request.tokens_to_generate);
  }
  return options;
}

/// Rank 0 draws where none was given; all use its.
Result<uint64_t> AgreeOnSeed(const GenerateJob& job, Communicator& world) {
  auto seed = static_cast<uint64_t>(job.seed);
  if (job.seed < 0) seed = std::random_device()();
  NEMO_RETURN_IF_ERROR(world.Broadcast(std::as_writable_bytes(std::span(&seed, 1)), 0));
  return seed;
}

/// Prints each prompt when its first token comes, then token by token.
class Streamer {
 public:
  Streamer(const Session& session, std::span<const GenerateRequest> requests,
           const Console& console)
      : session_(session), requests_(requests), console_(console) {}

  void OnToken(int64_t id, std::string_view text) {
    if (id != current_) {
      if (current_ >= 0) console_.Print("\n\n");
      current_ = id;
      const auto prompt = session_.tokenizer->Decode(requests_[static_cast<size_t>(id)].prompt_ids);
      if (prompt) console_.Print(*prompt);
    }
    console_.Print(text);
    std::fflush(stdout);
  }

 private:
  const Session& session_;
  std::span<const GenerateRequest> requests_;
  const Console& console_;
  int64_t current_ = -1;
};

}  // namespace

Result<Session> OpenSession(const GenerateJob& job) {
  Session session;
  session.job = job;
  NEMO_ASSIGN_OR_RETURN(session.layout, LayoutFromOptions(job.layout));
  NEMO_ASSIGN_OR_RETURN(session.checkpoint, OpenSource(job.source));
  if (session.checkpoint.tokenizer_model.empty()) {
    return Unsupported(
        Format("{}: has no tokenizer, and without one text cannot be made", job.source));
  }
  NEMO_ASSIGN_OR_RETURN(session.tokenizer, LoadSentencePiece(session.checkpoint.tokenizer_model));
  NEMO_RETURN_IF_ERROR(CheckLayout(session.layout, session.checkpoint.config));
  return session;
}

Result<std::vector<GenerateRequest>> MakeRequests(const Session& session,
                                                  const std::vector<std::string>& prompts) {
  const GenerateJob& job = session.job;
  const int64_t limit = session.checkpoint.config.max_position_embeddings;
  GenerateRequest request;
  request.tokens_to_generate = job.tokens_to_generate;
  request.min_tokens_to_generate = job.min_tokens_to_generate;
  request.sampling = job.sampling;
  request.sampling.greedy = job.greedy();
  if (job.sampling.temperature == 0) request.sampling.temperature = 1;
  request.end_strings = job.end_strings;
  // The penalty acts through log-probabilities, as NeMo's does; here it acts whether they are shown
  // or not.
  request.logprobs = job.logprobs || job.all_probs || job.sampling.repetition_penalty != 1;
  request.full_logprobs = job.all_probs;
  std::vector<GenerateRequest> requests;
  for (size_t i = 0; i < prompts.size(); ++i) {
    const std::string where = Format("prompt {}", i + 1);
    auto ids = EncodePrompt(*session.tokenizer, prompts[i], job.add_bos);
    if (!ids) return ids.error().At(where);
    if (std::ssize(*ids) > limit || job.tokens_to_generate > limit - std::ssize(*ids)) {
      return InvalidArgument(
          Format("{}: {} tokens and {} to generate do not fit the model's context of {}; "
                 "shorten it, or lower --tokens-to-generate",
                 where, ids->size(), job.tokens_to_generate, limit));
    }
    request.prompt_ids = *std::move(ids);
    requests.push_back(request);
  }
  return requests;
}

Status RunRank(const Session& session, const std::vector<GenerateRequest>& requests,
               Communicator& world, const Console& console, Answer* answer) {
  const GenerateJob& job = session.job;
  const bool speaks = world.rank() == 0;
  const auto start = Clock::now();
  NEMO_ASSIGN_OR_RETURN(
      const std::unique_ptr<Backend> backend,
      CreateBackend(job.backend, {session.threads, job.isa, session.device + world.rank()}));
  NEMO_ASSIGN_OR_RETURN(RankWeights weights,
                        LoadWeights(*session.checkpoint.source, session.checkpoint.config,
                                    session.layout, world.rank(), *backend, session.threads,
                                    speaks ? console.progress() : NullProgress()));
  NEMO_ASSIGN_OR_RETURN(
      const std::unique_ptr<Engine> engine,
      Engine::Create(session.checkpoint.config, session.layout, OptionsFor(job, requests),
                     std::move(weights), *backend, world));
  NEMO_ASSIGN_OR_RETURN(const uint64_t seed, AgreeOnSeed(job, world));
  std::vector<GenerateRequest> seeded = requests;
  for (GenerateRequest& request : seeded) request.sampling.seed = seed;

  const double load_seconds = SecondsSince(start);
  Streamer streamer(session, requests, console);
  TokenCallback on_token;
  if (speaks && job.stream) {
    on_token = [&](int64_t id, int32_t, std::string_view text) { streamer.OnToken(id, text); };
  }
  NEMO_ASSIGN_OR_RETURN(std::vector<GenerateResult> results,
                        Generate(*engine, *session.tokenizer, std::move(seeded),
                                 {.prefill_chunk = job.prefill_chunk}, on_token));
  if (!speaks) return OkStatus();
  *answer = {std::move(results),
             seed,
             ToString(session.layout),
             Format("{} ({})", backend->name(), backend->variant()),
             load_seconds,
             SecondsSince(start) - load_seconds,
             job.stream};
  if (job.stream) console.Print("\n");
  return OkStatus();
}

}  // namespace nemo
