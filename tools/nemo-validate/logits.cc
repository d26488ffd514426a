#include "tools/nemo-validate/logits.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "libcore/base/file.h"
#include "libcore/base/format.h"
#include "libcore/base/json.h"
#include "libcore/runtime/philox.h"
#include "libcore/runtime/request.h"
#include "tools/common/model_world.h"
#include "tools/common/prompt_lines.h"

namespace nemo {
namespace {

/// Text, code, numbers: enough that every layer and many rows of the vocabulary take part.
constexpr const char* kPrompts[] = {
    "The capital of France is",
    "To be, or not to be, that is the question:",
    "def fibonacci(n):\n    return",
    "1, 2, 4, 8, 16,",
};
/// Where no checkpoint has a tokenizer: so many sequences of so many drawn tokens.
constexpr uint32_t kNumDrawn = 4;
constexpr uint32_t kDrawnTokens = 12;
/// All that is computed of them is kept.
constexpr int64_t kMaxTokens = 4096;

using Sequences = std::vector<std::vector<int32_t>>;

/// A line of --prompts: all of it, or of a .jsonl file the text in quotes or under "prompt".
Result<std::string> PromptOfLine(std::string_view line, bool jsonl) {
  if (!jsonl) return std::string(line);
  NEMO_ASSIGN_OR_RETURN(const Value value, ParseJson(line));
  const Value* text = value.is_object() ? value.Find("prompt") : &value;
  if (text != nullptr && text->is_string()) return text->as_string();
  return Corruption("a text in quotes or an object with \"prompt\" is expected on each line");
}

Result<std::vector<std::string>> PromptTexts(const LogitsOptions& options) {
  std::vector<std::string> texts = options.prompts;
  if (!options.prompts_file.empty()) {
    const std::string& file = options.prompts_file;
    NEMO_ASSIGN_OR_RETURN(const std::string text, ReadAllFrom(file, kMaxPromptBytes));
    NEMO_RETURN_IF_ERROR(ForEachPromptLine(
        text, file, [&](std::string_view line, const std::string& place) -> Status {
          auto prompt = PromptOfLine(line, file.ends_with(".jsonl"));
          if (!prompt) return prompt.error().At(place);
          texts.push_back(*std::move(prompt));
          return OkStatus();
        }));
  }
  return texts;
}

Sequences DrawnSequences(int64_t vocab_size) {
  Sequences sequences(kNumDrawn);
  for (uint32_t i = 0; i < kNumDrawn; ++i) {
    for (uint32_t at = 0; at < kDrawnTokens; ++at) {
      const uint32_t bits = Philox4x32({at, i, 0, 0}, {0, 0})[0];
      sequences[i].push_back(static_cast<int32_t>(bits % static_cast<uint64_t>(vocab_size)));
    }
  }
  return sequences;
}

Result<Sequences> Encode(const LogitsOptions& options, const Tokenizer* tokenizer,
                         const ModelConfig& config) {
  NEMO_ASSIGN_OR_RETURN(std::vector<std::string> texts, PromptTexts(options));
  const bool own = texts.empty();
  if (tokenizer == nullptr) {
    if (own) return DrawnSequences(config.vocab_size);
    return Unsupported(
        "no checkpoint here has a tokenizer, and without one text has no tokens; leave out "
        "--prompt and --prompts, and tokens are drawn");
  }
  if (own) texts.assign(std::begin(kPrompts), std::end(kPrompts));
  Sequences sequences;
  int64_t num_tokens = 0;
  for (const std::string& text : texts) {
    auto ids = EncodePrompt(*tokenizer, text, /*add_bos=*/false);
    if (!ids) return ids.error().At(Format("prompt {}", sequences.size() + 1));
    sequences.push_back(*std::move(ids));
    num_tokens += std::ssize(sequences.back());
    if (std::ssize(sequences.back()) > config.max_position_embeddings || num_tokens > kMaxTokens) {
      return InvalidArgument(
          Format("prompt {}: {} tokens, {} with those before it; the model's context is {}, and "
                 "this check keeps what is computed of at most {}; give fewer or shorter prompts",
                 sequences.size(), sequences.back().size(), num_tokens,
                 config.max_position_embeddings, kMaxTokens));
    }
  }
  return sequences;
}

/// One run of the tool: the first model leaves its traces, the second is compared with them.
class LogitsRun {
 public:
  LogitsRun(const std::string& other, const LogitsOptions& options, const Console& console)
      : other_(other), options_(options), console_(console) {
    check_.has_other = !other.empty();
    check_.tolerance = options.tolerance;
  }

  Status First(ModelSession& session, const RunAllRanks& run_ranks) {
    NEMO_RETURN_IF_ERROR(Prepare(session));
    traces_.resize(session.layout.world_size());
    return run_ranks([&](Communicator& world) -> Status {
      NEMO_ASSIGN_OR_RETURN(traces_[world.rank()], RunModel(session, world));
      const Trace& trace = traces_[world.rank()];
      return check_.has_other ? OkStatus() : Compare(session, trace, trace, world);
    });
  }

  Status Second(ModelSession& session, const RunAllRanks& run_ranks) {
    session.checkpoint.config.vocab_size = vocab_size_;
    return run_ranks([&](Communicator& world) -> Status {
      NEMO_ASSIGN_OR_RETURN(const Trace trace, RunModel(session, world));
      return Compare(session, traces_[world.rank()], trace, world);
    });
  }

  LogitsCheck Take() { return std::move(check_); }

 private:
  /// The tokens that both models are fed.
  Status Prepare(ModelSession& session) {
    ModelConfig& config = session.checkpoint.config;
    std::unique_ptr<Tokenizer> tokenizer = std::move(session.tokenizer);
    if (tokenizer == nullptr && check_.has_other) {
      NEMO_ASSIGN_OR_RETURN(const Checkpoint other, OpenSource(other_, &tokenizer));
      if (config.vocab_size == 0) config.vocab_size = other.config.vocab_size;
    }
    if (config.vocab_size == 0) config.vocab_size = config.padded_vocab_size;
    vocab_size_ = config.vocab_size;
    NEMO_ASSIGN_OR_RETURN(sequences_, Encode(options_, tokenizer.get(), config));
    check_.num_prompts = std::ssize(sequences_);
    for (const std::vector<int32_t>& ids : sequences_) check_.num_tokens += std::ssize(ids);
    check_.layout = ToString(session.layout);
    return OkStatus();
  }

  Result<Trace> RunModel(const ModelSession& session, Communicator& world) {
    EngineOptions options;
    options.max_sequences = 1;
    for (const std::vector<int32_t>& ids : sequences_) {
      options.max_sequence_tokens = std::max(options.max_sequence_tokens, std::ssize(ids));
    }
    NEMO_ASSIGN_OR_RETURN(const LoadedModel model, LoadModel(session, world, options, console_));
    const bool speaks = world.rank() == 0;
    if (speaks) check_.backend = model.BackendName();
    return TraceModel(*model.engine, sequences_, speaks ? console_.progress() : NullProgress());
  }

  Status Compare(const ModelSession& session, const Trace& a, const Trace& b, Communicator& world) {
    NEMO_ASSIGN_OR_RETURN(TraceDeviation found, CompareTraces(a, b, session.checkpoint.config,
                                                              session.machine.profile(), world));
    if (world.rank() == 0) check_.found = std::move(found);
    return OkStatus();
  }

  const std::string& other_;
  const LogitsOptions& options_;
  const Console& console_;
  Sequences sequences_;
  int64_t vocab_size_ = 0;
  std::vector<Trace> traces_;  // of the first model; each rank uses its own
  LogitsCheck check_;          // written by rank 0
};

}  // namespace

std::string_view LogitsOptions::GivenFlag() const {
  if (!prompts.empty()) return "prompt";
  if (!prompts_file.empty()) return "prompts";
  return tolerance >= 0 ? "tolerance" : "";
}

std::vector<FlagGroup> LogitsFlags(LogitsOptions* options) {
  return {{"Prompts of level logits (default: some of the tool's own)",
           {{.name = "prompt",
             .value = "TEXT",
             .help = "a prompt; may be repeated",
             .repeatable = true,
             .set = AppendText(&options->prompts)},
            {.name = "prompts",
             .value = "FILE",
             .help = "more prompts: one per line, or FILE.jsonl with a text in quotes or "
                     "{\"prompt\": TEXT} per line",
             .set = SetText(&options->prompts_file)},
            {.name = "tolerance",
             .value = "X",
             .help = "with OTHER: logits may lie so far apart, and elements that differ are told "
                     "and are no reason to say no (default: all is equal to the bit)",
             .set = SetDouble(&options->tolerance, 0, std::numeric_limits<double>::max())}}},
          PlainMachineFlags(&options->machine)};
}

bool LogitsCheck::equal() const {
  return found.first_difference() == nullptr && found.logits.values.equal();
}

bool LogitsCheck::ok() const {
  const LogitDeviation& logits = found.logits;
  if (found.first_not_finite() != nullptr || logits.values.num_not_finite > 0) return false;
  if (!has_other) return logits.num_constant_a == 0;
  return tolerance < 0 ? equal() : logits.values.max_abs <= tolerance;
}

Result<LogitsCheck> CheckLogits(const std::string& source, const std::string& other,
                                const LogitsOptions& options, const Console& console) {
  LogitsRun run(other, options, console);
  NEMO_RETURN_IF_ERROR(RunInWorld(
      source, options.machine, console,
      [&](ModelSession& session, Communicator&, const RunAllRanks& run_ranks) {
        return run.First(session, run_ranks);
      },
      /*needs_tokenizer=*/false));
  if (!other.empty()) {
    NEMO_RETURN_IF_ERROR(RunInWorld(
        other, options.machine, console,
        [&](ModelSession& session, Communicator&, const RunAllRanks& run_ranks) {
          return run.Second(session, run_ranks);
        },
        /*needs_tokenizer=*/false));
  }
  return run.Take();
}

}  // namespace nemo
