#include "libcore/runtime/generator.h"

#include <algorithm>
#include <limits>

#include "libcore/base/format.h"
#include "libcore/runtime/generate.h"

namespace nemo {
namespace {

double MillisecondsSince(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin)
      .count();
}

constexpr int64_t kNever = std::numeric_limits<int64_t>::max();

}  // namespace

Generator::Sequence::Sequence(GenerateRequest r, EndCondition e, const Tokenizer& tokenizer)
    : request(std::move(r)),
      end(std::move(e)),
      stream(tokenizer),
      ids(request.prompt_ids),
      added(std::chrono::steady_clock::now()) {
  result.num_prompt_tokens = std::ssize(ids);
}

int64_t Generator::Sequence::first_row() const {
  const int64_t newest = generates() ? std::ssize(ids) - 1 : kNever;
  const int64_t wanted = request.logprobs ? std::min(request.logprobs_begin, newest) : newest;
  return std::max(wanted, num_asked);
}

Result<std::unique_ptr<Generator>> Generator::Create(Engine& engine, const Tokenizer& tokenizer,
                                                     const GenerateOptions& options) {
  const EngineOptions& limits = engine.options();
  if (tokenizer.vocab_size() < engine.config().vocab_size) {
    return InvalidArgument(
        Format("the tokenizer has {} pieces and the model a vocabulary of {}; they do not "
               "belong together",
               tokenizer.vocab_size(), engine.config().vocab_size));
  }
  NEMO_ASSIGN_OR_RETURN(Scheduler scheduler,
                        Scheduler::Create({limits.max_step_tokens, options.prefill_chunk,
                                           std::min(limits.max_sequences, limits.max_step_tokens),
                                           /*num_groups=*/1, options.prefix_cache},
                                          engine.kv().book()));
  return std::unique_ptr<Generator>(new Generator(engine, tokenizer, std::move(scheduler)));
}

Generator::~Generator() {
  for (const auto& [id, sequence] : sequences_) scheduler_.Finish(id);
}

Status Generator::CheckRequest(const GenerateRequest& request) const {
  NEMO_RETURN_IF_ERROR(CheckSampling(request.sampling));
  const int64_t num_prompt = std::ssize(request.prompt_ids);
  const int64_t limit = engine_.options().max_sequence_tokens;
  if (num_prompt == 0) return InvalidArgument("the prompt has no tokens");
  if (request.tokens_to_generate < 0 || request.min_tokens_to_generate < 0 ||
      request.logprobs_begin < 0) {
    return InvalidArgument(
        Format("tokens to generate {}, at least {}, log-probabilities from {}: none may be "
               "negative",
               request.tokens_to_generate, request.min_tokens_to_generate, request.logprobs_begin));
  }
  if (num_prompt > limit || request.tokens_to_generate > limit - num_prompt) {
    return InvalidArgument(
        Format("a prompt of {} tokens and {} to generate do not fit the context of {} tokens; "
               "shorten the prompt or generate fewer",
               num_prompt, request.tokens_to_generate, limit));
  }
  for (const int32_t id : request.prompt_ids) {
    if (id < 0 || id >= engine_.config().vocab_size) {
      return InvalidArgument(
          Format("token id {} is outside the vocabulary of {}", id, engine_.config().vocab_size));
    }
  }
  return OkStatus();
}

Result<int64_t> Generator::Add(GenerateRequest request) {
  NEMO_RETURN_IF_ERROR(CheckRequest(request));
  NEMO_ASSIGN_OR_RETURN(EndCondition end, EndCondition::Create(tokenizer_, request.end_strings));
  const int64_t id = next_id_;
  Sequence sequence(std::move(request), std::move(end), tokenizer_);
  NEMO_RETURN_IF_ERROR(sequence.stream.Skip(sequence.ids));
  // The last token of a sequence is never fed: nobody asks what follows it.
  const int64_t num_prompt = std::ssize(sequence.ids);
  const bool scores = sequence.request.logprobs && sequence.request.logprobs_begin < num_prompt - 1;
  const int64_t to_feed = sequence.generates() ? num_prompt : scores ? num_prompt - 1 : 0;
  const int64_t longest =
      num_prompt + std::max<int64_t>(sequence.request.tokens_to_generate, 1) - 1;
  if (to_feed > 0) {
    const auto end = sequence.ids.begin() + to_feed;
    NEMO_RETURN_IF_ERROR(scheduler_.Add(id, {sequence.ids.begin(), end}, longest,
                                        std::min(sequence.first_row(), to_feed)));
  }
  sequences_.emplace(id, std::move(sequence));
  ++next_id_;
  if (to_feed == 0) NEMO_RETURN_IF_ERROR(Finish(id, FinishReason::kLength));
  return id;
}

void Generator::Cancel(int64_t id) {
  scheduler_.Finish(id);
  sequences_.erase(id);
}

std::map<int64_t, GenerateResult> Generator::TakeFinished() { return std::exchange(finished_, {}); }

Status Generator::Step(const TokenCallback& on_token) {
  Status status = RunStep(on_token);
  if (!status.ok()) engine_.world().Abort(status.message());
  return status;
}

Status Generator::RunStep(const TokenCallback& on_token) {
  const std::vector<ScheduledSpan> spans = scheduler_.Next();
  Batch batch;
  size_t num_rows = 0;
  for (const ScheduledSpan& span : spans) {
    batch.sequences.push_back(StepOf(span));
    num_rows += batch.sequences.back().num_logit_rows;
  }
  NEMO_ASSIGN_OR_RETURN(const std::vector<LogitRow> rows, engine_.Forward(batch));
  // Without rows there is no news, and an early stage goes on while later ones still compute.
  if (num_rows == 0) return OkStatus();
  std::vector<RowNews> news(num_rows);
  if (engine_.world().rank() == engine_.last_stage_root()) {
    NEMO_ASSIGN_OR_RETURN(news, Decide(spans, batch, rows));
  }
  NEMO_RETURN_IF_ERROR(engine_.world().Broadcast(std::as_writable_bytes(std::span(news)),
                                                 engine_.last_stage_root()));
  NEMO_RETURN_IF_ERROR(ShareWholeRows(spans, batch, rows));
  size_t first = 0;
  for (size_t i = 0; i < spans.size(); ++i) {
    const auto count = static_cast<size_t>(batch.sequences[i].num_logit_rows);
    NEMO_RETURN_IF_ERROR(Apply(spans[i], std::span(news).subspan(first, count), on_token));
    first += count;
  }
  return OkStatus();
}

SequenceStep Generator::StepOf(const ScheduledSpan& span) {
  Sequence& sequence = sequences_.at(span.id);
  const int64_t end = span.start + span.count;
  SequenceStep step = {span.slot, span.start};
  step.token_ids.assign(sequence.ids.begin() + span.start, sequence.ids.begin() + end);
  step.num_logit_rows = std::max<int64_t>(0, end - std::max(span.start, sequence.first_row()));
  for (int64_t row = end - step.num_logit_rows; row < end; ++row) {
    step.targets.push_back(row + 1 < std::ssize(sequence.ids) ? sequence.ids[row + 1] : -1);
  }
  const bool chooses = step.num_logit_rows > 0 && step.targets.back() < 0;
  sequence.num_asked = std::max(sequence.num_asked, end);
  if (sequence.request.full_logprobs && sequence.request.logprobs) {
    step.num_whole_rows = step.num_logit_rows;
  } else if (chooses && !(sequence.request.sampling.greedy && sequence.min_reached())) {
    step.num_whole_rows = 1;
  }
  return step;
}

Result<int32_t> Generator::ChooseToken(const Sequence& sequence, const LogitRow& row) const {
  const SamplingParams& sampling = sequence.request.sampling;
  if (sampling.greedy && sequence.min_reached()) return row.score.argmax;
  std::vector<float> logits = row.logits;
  const int32_t eos = tokenizer_.eos_id();
  if (!sequence.min_reached() && eos >= 0 && eos < std::ssize(logits)) {
    logits[eos] = -std::numeric_limits<float>::infinity();
  }
  if (sampling.greedy) return ArgMax(logits);
  // NeMo's penalty knows the tokens through the log-probabilities, and has none before the first
  // step.
  const bool penalise = sequence.request.logprobs && sequence.num_generated() > 0;
  ScaleLogits(sampling, penalise ? std::span(sequence.ids).subspan(1) : std::span<const int32_t>(),
              logits);
  const DrawKey key = {sampling.seed, static_cast<uint32_t>(sequence.ids.size()),
                       sequence.request.draw_index, 0};
  const int32_t token_id = Choose(Survivors(sampling, logits), key);
  if (token_id < 0)
    return Corruption("no token is left to choose from: the logits are not finite numbers");
  return token_id;
}

Result<std::vector<Generator::RowNews>> Generator::Decide(const std::vector<ScheduledSpan>& spans,
                                                          const Batch& batch,
                                                          std::span<const LogitRow> rows) {
  std::vector<RowNews> news;
  for (size_t i = 0; i < spans.size(); ++i) {
    const Sequence& sequence = sequences_.at(spans[i].id);
    for (const int32_t target : batch.sequences[i].targets) {
      const LogitRow& row = rows[news.size()];
      int32_t token_id = target;
      float logit = row.target_logit;
      if (target < 0) {
        NEMO_ASSIGN_OR_RETURN(token_id, ChooseToken(sequence, row));
        logit = row.logits.empty() ? row.score.max : row.logits[token_id];
      }
      news.push_back({row.score.LogProb(logit), token_id, row.score.argmax});
    }
  }
  return news;
}

/// Whole rows go from the last stage to rank 0 alone: they are large.
Status Generator::ShareWholeRows(const std::vector<ScheduledSpan>& spans, const Batch& batch,
                                 std::span<const LogitRow> rows) {
  Communicator& world = engine_.world();
  const int root = engine_.last_stage_root();
  if (world.rank() != root && world.rank() != 0) return OkStatus();
  size_t row = 0;
  for (size_t i = 0; i < spans.size(); ++i) {
    Sequence& sequence = sequences_.at(spans[i].id);
    const bool wanted = sequence.request.full_logprobs && sequence.request.logprobs;
    const int64_t end = spans[i].start + spans[i].count;
    for (int64_t at = end - batch.sequences[i].num_logit_rows; at < end; ++at, ++row) {
      if (!wanted || at < sequence.request.logprobs_begin) continue;
      std::vector<float> logprobs(engine_.config().vocab_size);
      if (world.rank() == root) {
        std::transform(
            rows[row].logits.begin(), rows[row].logits.end(), logprobs.begin(),
            [&](float logit) { return static_cast<float>(rows[row].score.LogProb(logit)); });
        if (root != 0) NEMO_RETURN_IF_ERROR(world.Send(std::as_bytes(std::span(logprobs)), 0));
      } else {
        NEMO_RETURN_IF_ERROR(world.Recv(std::as_writable_bytes(std::span(logprobs)), root));
      }
      if (world.rank() == 0) sequence.result.full_logprob.push_back(std::move(logprobs));
    }
  }
  return OkStatus();
}

Status Generator::Apply(const ScheduledSpan& span, std::span<const RowNews> news,
                        const TokenCallback& on_token) {
  Sequence& sequence = sequences_.at(span.id);
  const int64_t end = span.start + span.count;
  if (sequence.request.logprobs) {
    for (size_t i = 0; i < news.size(); ++i) {
      if (end - std::ssize(news) + static_cast<int64_t>(i) < sequence.request.logprobs_begin)
        continue;
      sequence.result.logprob.push_back(news[i].logprob);
      sequence.result.argmax.push_back(news[i].argmax);
    }
  }
  if (news.empty()) return OkStatus();
  if (!sequence.generates()) {
    return end + 1 == std::ssize(sequence.ids) ? Finish(span.id, FinishReason::kLength)
                                               : OkStatus();
  }
  return end == std::ssize(sequence.ids) ? TakeToken(span.id, news.back().token_id, on_token)
                                         : OkStatus();
}

Status Generator::TakeToken(int64_t id, int32_t token_id, const TokenCallback& on_token) {
  Sequence& sequence = sequences_.at(id);
  if (sequence.num_generated() == 0)
    sequence.result.first_token_ms = MillisecondsSince(sequence.added);
  sequence.ids.push_back(token_id);
  NEMO_ASSIGN_OR_RETURN(const bool ended, sequence.end.Reached(sequence.ids));
  const bool done = ended || sequence.num_generated() == sequence.request.tokens_to_generate;
  if (on_token) {
    NEMO_ASSIGN_OR_RETURN(std::string text, sequence.stream.Add(token_id));
    if (done) {
      NEMO_ASSIGN_OR_RETURN(const std::string rest, sequence.stream.Finish());
      text += rest;
    }
    on_token(id, token_id, text);
  }
  if (done) return Finish(id, ended ? FinishReason::kEnd : FinishReason::kLength);
  scheduler_.Append(id, token_id);
  return OkStatus();
}

Status Generator::Finish(int64_t id, FinishReason reason) {
  Sequence& sequence = sequences_.at(id);
  GenerateResult& result = sequence.result;
  result.finish_reason = reason;
  result.token_ids = sequence.ids;
  NEMO_ASSIGN_OR_RETURN(result.text, tokenizer_.Decode(sequence.ids));
  for (const int32_t token_id : sequence.ids) result.tokens.push_back(tokenizer_.Piece(token_id));
  result.offsets = PieceOffsets(tokenizer_, sequence.ids);
  result.total_ms = MillisecondsSince(sequence.added);
  finished_.emplace(id, std::move(result));
  Cancel(id);
  return OkStatus();
}

}  // namespace nemo
