#include "libcore/runtime/generator.h"

#include <algorithm>
#include <iterator>
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
      stop(request.stop_strings),
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
                                           engine.shape().pp_size, options.prefix_cache},
                                          engine.kv().book()));
  return std::unique_ptr<Generator>(new Generator(engine, tokenizer, std::move(scheduler)));
}

Generator::~Generator() {
  for (const auto& [id, sequence] : sequences_) scheduler_.Finish(id);
}

RequestLimits Generator::limits() const {
  return {engine_.options().max_sequence_tokens, engine_.config().vocab_size,
          engine_.kv().book().num_pages()};
}

GeneratorLoad Generator::load() const {
  const PageBook& book = engine_.kv().book();
  return {scheduler_.num_running(), scheduler_.num_waiting(), book.num_pages() - book.free_pages(),
          book.num_pages()};
}

Result<int64_t> Generator::Add(GenerateRequest request) {
  NEMO_RETURN_IF_ERROR(CheckRequest(request, limits()));
  NEMO_ASSIGN_OR_RETURN(EndCondition end, EndCondition::Create(tokenizer_, request.end_strings));
  const int64_t id = next_id_;
  Sequence sequence(std::move(request), std::move(end), tokenizer_);
  if (sequence.request.token_texts || sequence.stop.watches()) {
    NEMO_RETURN_IF_ERROR(sequence.stream.Skip(sequence.ids));
  }
  const int64_t num_prompt = std::ssize(sequence.ids);
  const bool scores = sequence.request.logprobs && sequence.request.logprobs_begin < num_prompt - 1;
  const int64_t to_feed = sequence.generates() ? num_prompt : scores ? num_prompt - 1 : 0;
  const int64_t longest = FedTokens(sequence.request);
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
  NEMO_ASSIGN_OR_RETURN(const bool took_off, TakeOff());
  // An outcome is taken when as many steps are under way as there are stages, whenever it arrived,
  // so all ranks know the same when they schedule.
  const bool full = std::ssize(flights_) >= engine_.shape().pp_size;
  if (full || (!took_off && !flights_.empty())) return Land(on_token);
  if (took_off || sequences_.empty()) return OkStatus();
  return Unavailable("requests wait and nothing runs: another generator has the KV pages");
}

Result<bool> Generator::TakeOff() {
  Flight flight;
  flight.spans = scheduler_.Next();
  if (flight.spans.empty()) return false;
  flight.step = next_step_++;
  for (const ScheduledSpan& span : flight.spans) {
    flight.batch.sequences.push_back(StepOf(span));
    const SequenceStep& step = flight.batch.sequences.back();
    flight.num_rows += step.num_logit_rows;
    flight.num_top += step.num_logit_rows * step.num_top;
    const auto part = [](int64_t number) { return static_cast<int32_t>(number); };
    const int32_t work[] = {part(span.id),    part(span.slot),           part(span.start),
                            part(span.count), part(step.num_logit_rows), part(step.num_top)};
    flight.digest = PageKey(PageKey(flight.digest, work), step.token_ids);
  }
  NEMO_ASSIGN_OR_RETURN(const std::vector<LogitRow> rows, engine_.Forward(flight.batch));
  if (engine_.world().rank() == engine_.last_stage_root()) {
    NEMO_RETURN_IF_ERROR(Report(rows, flight));
  }
  flights_.push_back(std::move(flight));
  return true;
}

Status Generator::Land(const TokenCallback& on_token) {
  Flight flight = std::move(flights_.front());
  flights_.pop_front();
  NEMO_RETURN_IF_ERROR(PassNews(flight));
  NEMO_RETURN_IF_ERROR(ReceiveWholeRows(flight));
  std::span<const RowNews> rows = flight.news.rows;
  std::span<const TokenLogprob> top = flight.news.top;
  for (size_t i = 0; i < flight.spans.size(); ++i) {
    const SequenceStep& step = flight.batch.sequences[i];
    const auto num_rows = static_cast<size_t>(step.num_logit_rows);
    const size_t num_top = num_rows * static_cast<size_t>(step.num_top);
    NEMO_RETURN_IF_ERROR(
        Apply(flight.spans[i], step, {rows.first(num_rows), top.first(num_top)}, on_token));
    rows = rows.subspan(num_rows);
    top = top.subspan(num_top);
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
    step.num_whole_rows =
        std::clamp<int64_t>(end - sequence.request.logprobs_begin, 0, step.num_logit_rows);
  }
  step.num_top = std::min(sequence.request.top_logprobs, engine_.config().vocab_size);
  // The likeliest token is known without a draw.
  if (chooses && !(sequence.request.sampling.greedy && sequence.min_reached())) {
    step.draw = DrawOf(sequence);
  }
  return step;
}

TokenDraw Generator::DrawOf(const Sequence& sequence) const {
  const SamplingParams& sampling = sequence.request.sampling;
  TokenDraw draw = {.params = sampling};
  if (!sequence.min_reached()) draw.banned_id = tokenizer_.eos_id();
  if (sampling.repetition_penalty != 1) {
    // NeMo's penalty knows the tokens through the log-probabilities, and has none before the first
    // step; it never sees the first token.
    const bool ctrl = sampling.repetition == Repetition::kCtrl;
    const bool acts = ctrl || (sequence.request.logprobs && sequence.num_generated() > 0);
    if (acts) draw.used.assign(sequence.ids.begin() + (ctrl ? 0 : 1), sequence.ids.end());
  }
  draw.key = {sampling.seed, static_cast<uint32_t>(sequence.ids.size()),
              sequence.request.draw_index, 0};
  return draw;
}

Status Generator::Report(std::span<const LogitRow> rows, Flight& flight) {
  StepNews news = {flight.step, flight.digest, {}, {}};
  for (size_t i = 0; i < flight.spans.size(); ++i) {
    const SequenceStep& step = flight.batch.sequences[i];
    for (int64_t at = 0; at < step.num_logit_rows; ++at) {
      const LogitRow& row = rows[news.rows.size()];
      int32_t token_id = step.targets[at];
      float logit = row.target_logit;
      if (token_id < 0) {
        token_id = step.draw ? row.token_id : row.score.argmax;
        if (!step.draw) logit = row.score.max;
      }
      news.rows.push_back({row.score.LogProb(logit), token_id, row.score.argmax});
      for (const Candidate& c : row.top) {
        news.top.push_back({c.token_id, row.score.LogProb(c.logit)});
      }
      news.top.resize(news.top.size() + step.num_top - row.top.size());
      if (at < step.num_logit_rows - step.num_whole_rows) continue;
      std::vector<float>& logprobs = flight.whole_rows.emplace_back(row.logits.size());
      std::transform(row.logits.begin(), row.logits.end(), logprobs.begin(),
                     [&](float other) { return static_cast<float>(row.score.LogProb(other)); });
    }
  }
  Communicator& world = engine_.world();
  if (world.rank() == 0) {
    flight.news = std::move(news);
    return OkStatus();
  }
  NEMO_RETURN_IF_ERROR(world.Post(PackStepNews(news), 0));
  for (const std::vector<float>& row : std::exchange(flight.whole_rows, {})) {
    NEMO_RETURN_IF_ERROR(world.Post(std::as_bytes(std::span(row)), 0));
  }
  return OkStatus();
}

Status Generator::PassNews(Flight& flight) {
  const RankShape& shape = engine_.shape();
  Communicator& world = engine_.world();
  // Without rows and stages there is nothing to tell. With stages even an empty message says that
  // the step is through, so that an early stage does not run away from the others.
  if (flight.num_rows == 0 && shape.pp_size == 1) return OkStatus();
  std::vector<std::byte> message(StepNewsBytes(flight.num_rows, flight.num_top));
  if (world.rank() == 0) {
    if (shape.pp_size == 1) {
      message = PackStepNews(flight.news);
    } else {
      NEMO_RETURN_IF_ERROR(world.Recv(message, engine_.last_stage_root()));
    }
  }
  const int stage_size = static_cast<int>(shape.tp_size);
  if (shape.first_stage()) {
    NEMO_RETURN_IF_ERROR(engine_.tp().Broadcast(message, 0));
  } else {
    NEMO_RETURN_IF_ERROR(world.Recv(message, world.rank() - stage_size));
  }
  if (!shape.last_stage()) {
    NEMO_RETURN_IF_ERROR(world.Post(message, world.rank() + stage_size));
  }
  NEMO_ASSIGN_OR_RETURN(flight.news, UnpackStepNews(message, flight.step, flight.digest,
                                                    flight.num_rows, flight.num_top));
  return OkStatus();
}

Status Generator::ReceiveWholeRows(Flight& flight) {
  Communicator& world = engine_.world();
  if (world.rank() != 0) return OkStatus();
  size_t next = 0;
  for (size_t i = 0; i < flight.spans.size(); ++i) {
    // A request that was given up meanwhile wants nothing, but what was sent has to be received.
    const auto sequence = sequences_.find(flight.spans[i].id);
    for (int64_t n = 0; n < flight.batch.sequences[i].num_whole_rows; ++n) {
      std::vector<float> row(engine_.config().vocab_size);
      if (engine_.last_stage_root() == 0) {
        row = std::move(flight.whole_rows[next++]);
      } else {
        NEMO_RETURN_IF_ERROR(
            world.Recv(std::as_writable_bytes(std::span(row)), engine_.last_stage_root()));
      }
      if (sequence == sequences_.end()) continue;
      sequence->second.result.full_logprob.push_back(std::move(row));
    }
  }
  return OkStatus();
}

Status Generator::Apply(const ScheduledSpan& span, const SequenceStep& step, const News& news,
                        const TokenCallback& on_token) {
  const auto found = sequences_.find(span.id);
  // Given up, or nothing asked.
  if (found == sequences_.end() || news.rows.empty()) return OkStatus();
  Sequence& sequence = found->second;
  const int64_t end = span.start + span.count;
  if (sequence.request.logprobs) KeepLogprobs(sequence, end, step.num_top, news);
  if (step.targets.back() < 0) return TakeToken(span.id, news.rows.back(), on_token);
  return !sequence.generates() && end + 1 == std::ssize(sequence.ids)
             ? Finish(span.id, FinishReason::kLength)
             : OkStatus();
}

void Generator::KeepLogprobs(Sequence& sequence, int64_t end, int64_t num_top, const News& news) {
  const int64_t begin = end - std::ssize(news.rows);
  for (int64_t i = 0; i < std::ssize(news.rows); ++i) {
    if (begin + i < sequence.request.logprobs_begin) continue;
    sequence.result.logprob.push_back(news.rows[i].logprob);
    sequence.result.argmax.push_back(news.rows[i].argmax);
    if (num_top == 0) continue;
    auto& top = sequence.result.top_logprobs.emplace_back();
    std::ranges::copy_if(news.top.subspan(i * num_top, num_top), std::back_inserter(top),
                         [](const TokenLogprob& token) { return token.token_id >= 0; });
  }
}

Status Generator::TakeToken(int64_t id, const RowNews& chosen, const TokenCallback& on_token) {
  Sequence& sequence = sequences_.at(id);
  if (sequence.num_generated() == 0)
    sequence.result.first_token_ms = MillisecondsSince(sequence.added);
  sequence.ids.push_back(chosen.token_id);
  NEMO_ASSIGN_OR_RETURN(const bool ended, sequence.end.Reached(sequence.ids));
  const bool full = sequence.num_generated() == sequence.request.tokens_to_generate;
  const bool tells_text = on_token && sequence.request.token_texts;
  std::string text;
  if (tells_text || sequence.stop.watches()) {
    NEMO_ASSIGN_OR_RETURN(text, sequence.stream.Add(chosen.token_id));
  }
  const bool stopped = sequence.stop.Add(text);
  if (on_token) {
    if (tells_text && (ended || full || stopped)) {
      NEMO_ASSIGN_OR_RETURN(const std::string rest, sequence.stream.Finish());
      text += rest;
    }
    TokenEvent event = {.id = id, .token_id = chosen.token_id};
    if (tells_text) event.text = text;
    if (sequence.request.logprobs) event.logprob = chosen.logprob;
    if (!sequence.result.top_logprobs.empty()) {
      event.top_logprobs = sequence.result.top_logprobs.back();
    }
    on_token(event);
  }
  if (ended) return Finish(id, FinishReason::kEnd);
  if (stopped) return Finish(id, FinishReason::kStop);
  if (full) return Finish(id, FinishReason::kLength);
  scheduler_.Append(id, chosen.token_id);
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
