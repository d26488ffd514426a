#include "tools/nemo-generate/work.h"

#include <random>
#include <span>
#include <utility>

#include "libcore/base/format.h"
#include "libcore/base/hash.h"
#include "libcore/base/json.h"
#include "libcore/runtime/fingerprint.h"

namespace nemo {
namespace {

constexpr size_t kMarkDigits = 16;

std::string Digits(std::string_view text) {
  return HashHex(std::as_bytes(std::span(text))).substr(0, kMarkDigits);
}

/// Everything that the answer of a request depends on beside the model and the run's seed.
Value Description(const Prompt& prompt, const GenerateRequest& request) {
  const SamplingParams& sampling = request.sampling;
  Value value;
  value.Set("ids", Value::ArrayOf(
                       std::vector<int64_t>(request.prompt_ids.begin(), request.prompt_ids.end())));
  value.Set("tokens", request.tokens_to_generate);
  value.Set("min_tokens", request.min_tokens_to_generate);
  value.Set("end_strings", Value::ArrayOf(request.end_strings));
  value.Set("logprobs", prompt.params.logprobs);
  value.Set("all_probs", prompt.params.all_probs);
  if (sampling.greedy) return value;
  value.Set("temperature", sampling.temperature);
  value.Set("top_k", sampling.top_k);
  value.Set("top_p", sampling.top_p);
  value.Set("repetition_penalty", sampling.repetition_penalty);
  value.Set("ctrl", sampling.repetition == Repetition::kCtrl);
  value.Set("seed", prompt.params.seed);
  return value;
}

Result<RunMark> MarkOf(const Session& session, const std::vector<Prompt>& prompts,
                       const std::vector<GenerateRequest>& requests) {
  RunMark mark;
  NEMO_ASSIGN_OR_RETURN(
      mark.model, Fingerprint(*session.model.checkpoint.source, session.model.checkpoint.config));
  mark.model = Digits(mark.model + Digits(session.model.checkpoint.tokenizer_model));
  NEMO_ASSIGN_OR_RETURN(std::string text, ArithmeticOf(session.model));
  for (size_t i = 0; i < requests.size(); ++i) {
    text += "\n" + ToJson(Description(prompts[i], requests[i]));
  }
  mark.requests = Digits(text);
  return mark;
}

/// The seed that the answers in `file` were drawn with, else the one that was asked for, else a new
/// one. kInvalidArgument: both are there and differ.
Result<uint64_t> ChooseSeed(const GenerateJob& job, const std::vector<Prompt>& prompts,
                            const AnswerFile* file) {
  for (size_t i = 0; file != nullptr && i < prompts.size(); ++i) {
    if (!file->finished()[i] || !DrawsFromRunSeed(prompts[i])) continue;
    const auto seed = file->SeedOf(static_cast<int64_t>(i));
    if (!seed) continue;
    if (job.seed >= 0 && job.seed != *seed) {
      return InvalidArgument(
          Format("{}: the answers there were drawn with --seed {}; go on with "
                 "that one, or begin anew with --force",
                 job.output, *seed));
    }
    return static_cast<uint64_t>(*seed);
  }
  return job.seed >= 0 ? static_cast<uint64_t>(job.seed) : std::random_device()();
}

AnswerFile::Mode ModeOf(const GenerateJob& job) {
  return job.resume  ? AnswerFile::Mode::kResume
         : job.force ? AnswerFile::Mode::kForce
                     : AnswerFile::Mode::kNew;
}

/// What rank 0 alone can know.
Status Decide(const Session& session, Work* work, std::unique_ptr<AnswerFile>* file) {
  const GenerateJob& job = session.job;
  if (!job.output.empty()) {
    NEMO_ASSIGN_OR_RETURN(const RunMark mark, MarkOf(session, work->prompts, work->requests));
    NEMO_ASSIGN_OR_RETURN(
        *file, AnswerFile::Open(job.output, ModeOf(job), mark, std::ssize(work->prompts)));
  }
  NEMO_ASSIGN_OR_RETURN(work->seed, ChooseSeed(job, work->prompts, file->get()));
  for (int64_t i = 0; i < std::ssize(work->prompts); ++i) {
    if (*file == nullptr || !(*file)->finished()[i]) work->pending.push_back(i);
  }
  return OkStatus();
}

Status ShareDecision(Work* work, Communicator& world) {
  int64_t head[2] = {static_cast<int64_t>(work->seed), std::ssize(work->pending)};
  NEMO_RETURN_IF_ERROR(world.Broadcast(std::as_writable_bytes(std::span(head)), 0));
  work->seed = static_cast<uint64_t>(head[0]);
  work->pending.resize(static_cast<size_t>(head[1]));
  return world.Broadcast(std::as_writable_bytes(std::span(work->pending)), 0);
}

}  // namespace

bool DrawsFromRunSeed(const Prompt& prompt) {
  return !prompt.params.greedy() && prompt.params.seed < 0;
}

Result<std::vector<GenerateRequest>> MakeRequests(const Session& session,
                                                  const std::vector<Prompt>& prompts) {
  const int64_t limit = session.model.checkpoint.config.max_position_embeddings;
  std::vector<GenerateRequest> requests;
  for (const Prompt& prompt : prompts) {
    const PromptParams& params = prompt.params;
    GenerateRequest& request = requests.emplace_back();
    auto ids = EncodePrompt(*session.model.tokenizer, prompt.text, params.add_bos);
    if (!ids) return ids.error().At(prompt.where);
    if (std::ssize(*ids) > limit || params.tokens_to_generate > limit - std::ssize(*ids)) {
      return InvalidArgument(
          Format("{}: {} tokens and {} to generate do not fit the model's context of {}; "
                 "shorten it, or lower --tokens-to-generate",
                 prompt.where, ids->size(), params.tokens_to_generate, limit));
    }
    request.prompt_ids = *std::move(ids);
    request.tokens_to_generate = params.tokens_to_generate;
    request.min_tokens_to_generate = params.min_tokens_to_generate;
    request.sampling = params.sampling;
    request.sampling.greedy = params.greedy();
    if (params.sampling.temperature == 0) request.sampling.temperature = 1;
    request.end_strings = params.end_strings;
    // NeMo's penalty acts through log-probabilities; here it acts whether they are shown or not.
    request.logprobs = params.logprobs || params.all_probs ||
                       (params.sampling.repetition == Repetition::kNemo &&
                        params.sampling.repetition_penalty != 1);
    request.full_logprobs = params.all_probs;
    request.token_texts = session.job.stream;
    // A prompt with a seed of its own is drawn as if it were alone.
    request.draw_index = params.seed < 0 ? static_cast<uint32_t>(requests.size() - 1) : 0;
  }
  return requests;
}

Result<Work> PrepareWork(const Session& session, Communicator& world,
                         std::unique_ptr<AnswerFile>* file) {
  Work work;
  NEMO_ASSIGN_OR_RETURN(work.prompts, CollectPrompts(session.job, world));
  NEMO_ASSIGN_OR_RETURN(work.requests, MakeRequests(session, work.prompts));
  if (world.rank() == 0) {
    if (Status status = Decide(session, &work, file); !status.ok()) {
      world.Abort(status.message());
      return status;
    }
  }
  NEMO_RETURN_IF_ERROR(ShareDecision(&work, world));
  for (size_t i = 0; i < work.requests.size(); ++i) {
    const int64_t own = work.prompts[i].params.seed;
    work.requests[i].sampling.seed = own < 0 ? work.seed : static_cast<uint64_t>(own);
  }
  return work;
}

}  // namespace nemo
