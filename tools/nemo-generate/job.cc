#include "tools/nemo-generate/job.h"

#include <limits>
#include <string_view>
#include <utility>

#include "libcore/base/format.h"

namespace nemo {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

FlagSetter SetRepetition(Repetition* out) {
  return [out](const std::string& text) {
    if (RepetitionFrom(text, out)) return OkStatus();
    return InvalidArgument(Format("'{}' is not one of nemo, ctrl", text));
  };
}

FlagGroup PromptFlags(GenerateJob* job) {
  return {
      "Prompts (without --prompt and --prompts: all of standard input is one prompt)",
      {
          {.name = "prompt",
           .value = "TEXT",
           .help = "a prompt; may be repeated",
           .repeatable = true,
           .set = AppendText(&job->prompts)},
          {.name = "prompts",
           .value = "FILE",
           .help =
               "more prompts: one per line, or FILE.jsonl with a text in quotes or {\"prompt\": "
               "TEXT} and parameters of its own per line; - is standard input",
           .set = SetText(&job->prompts_file)},
          {.name = "add-bos",
           .aliases = {"add-BOS"},
           .help = "put the begin-of-text token in front",
           .set = SetSwitch(&job->params.add_bos)},
      }};
}

FlagGroup SamplingFlags(GenerateJob* job) {
  PromptParams& params = job->params;
  SamplingParams& sampling = params.sampling;
  return {
      "Sampling (the defaults are those of NeMo's server)",
      {
          {.name = "tokens-to-generate",
           .aliases = {"max-tokens"},
           .value = "N",
           .help = "at most this many new tokens (default 64)",
           .set = SetInt(&params.tokens_to_generate, 1, kMaxTokens)},
          {.name = "min-tokens-to-generate",
           .value = "N",
           .help = "no end of text before this many (default 0)",
           .set = SetInt(&params.min_tokens_to_generate, 0, kMaxTokens)},
          {.name = "greedy",
           .help =
               "the likeliest token each time, whatever temperature, top-k, top-p and penalty say",
           .set = SetSwitch(&sampling.greedy)},
          {.name = "temperature",
           .value = "T",
           .help = "below 1 sharper, above 1 flatter (default 1.0; 0 means --greedy)",
           .set = SetDouble(&sampling.temperature, 0, kMaxTemperature)},
          {.name = "top-k",
           .value = "K",
           .help = "choose among the K likeliest (default 0: all)",
           .set = SetInt(&sampling.top_k, 0, kMaxTokens)},
          {.name = "top-p",
           .value = "P",
           .help =
               "choose among the likeliest that hold P of the probability (default 0.9; 0 and 1: "
               "all)",
           .set = SetDouble(&sampling.top_p, 0, 1)},
          {.name = "repetition-penalty",
           .value = "X",
           .help = "divide the logits of tokens already there (default 1.0)",
           .set = SetDouble(&sampling.repetition_penalty, 1, kInfinity)},
          {.name = "repetition",
           .value = "KIND",
           .help = "how that penalty acts: nemo (default) divides every logit, from the second new "
                   "token on; ctrl, as transformers, multiplies those below zero, from the first",
           .choices = {"nemo", "ctrl"},
           .set = SetRepetition(&sampling.repetition)},
          {.name = "seed",
           .aliases = {"random-seed"},
           .value = "N",
           .help = "equal seeds give equal text on every layout and machine (default: a new one)",
           .set = SetInt(&job->seed, 0)},
          {.name = "end-string",
           .aliases = {"end-strings"},
           .value = "TEXT",
           .help = "stop when the text ends so; may be repeated",
           .repeatable = true,
           .set = AppendText(&params.end_strings)},
      }};
}

FlagGroup AnswerFlags(GenerateJob* job) {
  return {
      "Answer",
      {
          {.name = "logprobs",
           .aliases = {"compute-logprob"},
           .help = "the log-probability of each token, those of the prompt too",
           .set = SetSwitch(&job->params.logprobs)},
          {.name = "all-probs",
           .help = "the log-probabilities of the whole vocabulary at each token (with --json or "
                   "--output)",
           .set = SetSwitch(&job->params.all_probs)},
          {.name = "stream",
           .help = "print tokens as they come, one prompt after the other",
           .set = SetSwitch(&job->stream)},
          {.name = "output",
           .value = "FILE.jsonl",
           .help = "write the answers to a file, one JSON object per line, in the order of the "
                   "prompts",
           .set = SetText(&job->output)},
          {.name = "resume",
           .help = "go on with --output where a stopped run of the same model, prompts and "
                   "parameters ended",
           .set = SetSwitch(&job->resume)},
          {.name = "force",
           .help = "replace what stands at --output",
           .set = SetSwitch(&job->force)},
      }};
}

FlagGroup ServerFlags(GenerateJob* job) {
  ServeFlags& serve = job->serve;
  return {"Server (with --serve; docs/serving.md)",
          {
              {.name = "serve",
               .help = "answer NeMo's PUT /generate and OpenAI's /v1/completions, "
                       "/v1/chat/completions and /v1/models over HTTP until SIGTERM or SIGINT",
               .set = SetSwitch(&serve.on)},
              {.name = "host",
               .value = "NAME",
               .help = "the address to listen on (default 127.0.0.1; 0.0.0.0: everybody's)",
               .set = SetText(&serve.host)},
              {.name = "port",
               .value = "N",
               .help = "default 1424; 0: any free one, which is told on standard error",
               .set = SetInt(&serve.port, 0, 65535)},
              {.name = "api-key-file",
               .value = "FILE",
               .help = "take only requests with one of its keys, one a line: "
                       "Authorization: Bearer KEY",
               .set = SetText(&serve.api_key_file)},
              {.name = "model-name",
               .value = "NAME",
               .help = "what the OpenAI API calls the model (default: the name of SRC)",
               .set = SetText(&serve.model_name)},
              {.name = "strict",
               .help = "PUT /generate refuses what NeMo's server answers with 200 and a text, or "
                       "ignores, with 400",
               .set = SetSwitch(&serve.strict)},
              {.name = "nemo-only",
               .help = "only the routes of NeMo's server, as that has them",
               .set = SetSwitch(&serve.nemo_only)},
              {.name = "max-queue",
               .value = "N",
               .help = "requests that may wait for room in the batch; more get 429 (default 256)",
               .set = SetInt(&serve.max_queue, 1, 1 << 20)},
              {.name = "max-connections",
               .value = "N",
               .help = "clients at once (default 512)",
               .set = SetInt(&serve.max_connections, 1, 1 << 16)},
              {.name = "max-request-bytes",
               .value = "SIZE",
               .help = "of a body; more gets 413 (default 16MiB)",
               .set = SetBytes(&serve.max_request_bytes, 1)},
              {.name = "max-sequence-tokens",
               .value = "N",
               .help = "of a prompt and its continuation (default: the model's context)",
               .set = SetInt(&serve.max_sequence_tokens, 2, kMaxTokens)},
              {.name = "kv-memory",
               .value = "SIZE",
               .help = "of the KV cache of each rank (default: enough for a batch of the longest "
                       "sequences)",
               .set = SetBytes(&serve.kv_memory_bytes, 1)},
              {.name = "read-timeout",
               .value = "SECONDS",
               .help = "in which a request must arrive (default 30)",
               .set = SetInt(&serve.read_timeout, 1, 86400)},
              {.name = "request-timeout",
               .value = "SECONDS",
               .help = "in which it must be answered, waiting included (default 600)",
               .set = SetInt(&serve.request_timeout, 1, 86400 * 7)},
              {.name = "drain-timeout",
               .value = "SECONDS",
               .help = "for what is under way when a signal ends the server (default 60)",
               .set = SetInt(&serve.drain_timeout, 0, 86400)},
              {.name = "log-prompts",
               .help = "the log on standard error has the bodies of requests, too",
               .set = SetSwitch(&serve.log_prompts)},
          }};
}

}  // namespace

std::vector<FlagGroup> GenerateFlags(GenerateJob* job) {
  return {PromptFlags(job), SamplingFlags(job), AnswerFlags(job), MachineFlags(&job->machine),
          ServerFlags(job)};
}

namespace {

/// A server gets its prompts, and gives its answers, over HTTP.
Status CheckServeJob(const GenerateJob& job, bool json) {
  const std::pair<bool, std::string_view> others[] = {{!job.prompts.empty(), "--prompt"},
                                                      {!job.prompts_file.empty(), "--prompts"},
                                                      {job.stream, "--stream"},
                                                      {!job.output.empty(), "--output"},
                                                      {json, "--json"}};
  for (const auto& [is_given, flag] : others) {
    if (!is_given) continue;
    return InvalidArgument(
        Format("--serve and {} exclude one another: a server takes prompts and gives answers over "
               "HTTP",
               flag));
  }
  return OkStatus();
}

}  // namespace

Status CheckJob(const GenerateJob& job, bool json) {
  if (job.serve.on) NEMO_RETURN_IF_ERROR(CheckServeJob(job, json));
  if (job.stream && json) {
    return InvalidArgument(
        "--stream and --json exclude one another: JSON is one object at the end");
  }
  if (job.stream && !job.output.empty()) {
    return InvalidArgument(
        "--stream and --output exclude one another: one is for a terminal, the other for a file");
  }
  if (job.params.all_probs && !json && job.output.empty()) {
    return InvalidArgument(
        "--all-probs is for --json and --output: a row is as long as the vocabulary");
  }
  if (job.output.empty() && (job.resume || job.force)) {
    return InvalidArgument(Format("--{} is about a file of answers: give --output FILE.jsonl",
                                  job.resume ? "resume" : "force"));
  }
  if (job.resume && job.force) {
    return InvalidArgument(
        "--resume and --force exclude one another: one goes on with what is there, the other "
        "begins anew");
  }
  return OkStatus();
}

}  // namespace nemo
