#include "tools/nemo-generate/prompts.h"

#include <algorithm>
#include <cstdio>
#include <limits>
#include <span>

#include "libcore/base/file.h"
#include "libcore/base/format.h"
#include "libcore/base/json.h"
#include "tools/common/prompt_lines.h"
#include "tools/common/suggest.h"
#include "tools/common/terminal.h"

namespace nemo {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

bool TakeText(const Value& value, std::string* out) {
  if (value.is_string()) *out = value.as_string();
  return value.is_string();
}

bool TakeTexts(const Value& value, std::vector<std::string>* out) {
  if (!value.is_array()) return false;
  out->clear();
  for (const Value& text : value.as_array()) {
    if (!TakeText(text, &out->emplace_back())) return false;
  }
  return true;
}

bool TakeBool(const Value& value, bool* out) {
  if (value.is_bool()) *out = value.as_bool();
  return value.is_bool();
}

bool TakeInt(const Value& value, int64_t min, int64_t max, int64_t* out) {
  if (!value.is_int() || value.as_int() < min || value.as_int() > max) return false;
  *out = value.as_int();
  return true;
}

bool TakeDouble(const Value& value, double min, double max, double* out) {
  if (!value.is_number() || !(value.as_double() >= min && value.as_double() <= max)) return false;
  *out = value.as_double();
  return true;
}

/// A key of a prompt's line, named as in the request of NeMo's server.
struct Field {
  const char* name;
  const char* expected;
  bool (*take)(const Value& value, Prompt* prompt);
};

constexpr Field kFields[] = {
    {"prompt", "a text", [](const Value& v, Prompt* p) { return TakeText(v, &p->text); }},
    {"tokens_to_generate", "a whole number from 1",
     [](const Value& v, Prompt* p) {
       return TakeInt(v, 1, kMaxTokens, &p->params.tokens_to_generate);
     }},
    {"min_tokens_to_generate", "a whole number from 0",
     [](const Value& v, Prompt* p) {
       return TakeInt(v, 0, kMaxTokens, &p->params.min_tokens_to_generate);
     }},
    {"greedy", "true or false",
     [](const Value& v, Prompt* p) { return TakeBool(v, &p->params.sampling.greedy); }},
    {"temperature", "a number from 0 to 100",
     [](const Value& v, Prompt* p) {
       return TakeDouble(v, 0, kMaxTemperature, &p->params.sampling.temperature);
     }},
    {"top_k", "a whole number from 0",
     [](const Value& v, Prompt* p) {
       return TakeInt(v, 0, kMaxTokens, &p->params.sampling.top_k);
     }},
    {"top_p", "a number from 0 to 1",
     [](const Value& v, Prompt* p) { return TakeDouble(v, 0, 1, &p->params.sampling.top_p); }},
    {"repetition_penalty", "a number from 1",
     [](const Value& v, Prompt* p) {
       return TakeDouble(v, 1, kInfinity, &p->params.sampling.repetition_penalty);
     }},
    {"repetition", "\"nemo\" or \"ctrl\"",
     [](const Value& v, Prompt* p) {
       std::string name;
       return TakeText(v, &name) && RepetitionFrom(name, &p->params.sampling.repetition);
     }},
    {"random_seed", "a whole number from 0, or null",
     [](const Value& v, Prompt* p) {
       return v.is_null() || TakeInt(v, 0, std::numeric_limits<int64_t>::max(), &p->params.seed);
     }},
    {"end_strings", "a list of texts",
     [](const Value& v, Prompt* p) { return TakeTexts(v, &p->params.end_strings); }},
    {"add_BOS", "true or false",
     [](const Value& v, Prompt* p) { return TakeBool(v, &p->params.add_bos); }},
    {"compute_logprob", "true or false",
     [](const Value& v, Prompt* p) { return TakeBool(v, &p->params.logprobs); }},
    {"all_probs", "true or false",
     [](const Value& v, Prompt* p) { return TakeBool(v, &p->params.all_probs); }},
};

/// A value as messages quote it.
std::string Quoted(const Value& value) {
  constexpr size_t kMaxBytes = 60;
  const std::string text = ToJson(value);
  return text.size() <= kMaxBytes ? text : std::string(value.type_name());
}

Status TakeField(const std::string& key, const Value& value, Prompt* prompt) {
  const auto* field = std::find_if(std::begin(kFields), std::end(kFields),
                                   [&](const Field& f) { return key == f.name; });
  if (field == std::end(kFields)) {
    std::vector<std::string> names;
    for (const Field& known : kFields) names.emplace_back(known.name);
    const std::string nearest = DidYouMean(key, names);
    return Corruption(
        Format("unknown key '{}'{}", key,
               nearest.empty() ? Format("; known: {}", fmt::join(names, ", ")) : nearest));
  }
  if (field->take(value, prompt)) return OkStatus();
  return Corruption(
      Format("{}: {} is expected, and {} was found", key, field->expected, Quoted(value)));
}

/// What rank 0 has read; the others get it from there.
struct PromptText {
  std::string bytes;
  bool lines = false;  ///< a prompt per line; otherwise one prompt
};

Result<std::string> ReadStandardInput() {
  std::string text;
  char block[1 << 16];
  for (size_t n = 0; (n = std::fread(block, 1, sizeof block, stdin)) > 0;) {
    text.append(block, n);
    if (static_cast<int64_t>(text.size()) > kMaxPromptBytes) {
      return InvalidArgument(Format("standard input holds more than {}, too much for prompts",
                                    FormatBytes(kMaxPromptBytes)));
    }
  }
  if (std::ferror(stdin) != 0) return IoError("standard input cannot be read");
  return text;
}

Result<std::string> PromptOfStandardInput() {
  const Status none =
      InvalidArgument("no prompt: give --prompt TEXT, --prompts FILE, or standard input");
  if (IsTerminal(stdin)) return none;
  NEMO_ASSIGN_OR_RETURN(std::string text, ReadStandardInput());
  // What echo and editors put at the end is no part of the prompt.
  if (text.ends_with('\n')) text.pop_back();
  if (text.empty()) return none;
  return text;
}

/// The bytes behind --prompts or standard input; empty when flags hold all prompts.
Result<std::string> ReadText(const GenerateJob& job) {
  if (job.prompts_file == "-") return ReadStandardInput();
  if (!job.prompts_file.empty()) return ReadAllFrom(job.prompts_file, kMaxPromptBytes);
  return job.prompts.empty() ? PromptOfStandardInput() : std::string();
}

}  // namespace

Result<Prompt> ParsePromptLine(std::string_view line, const PromptParams& defaults) {
  constexpr const char* kExpected =
      "a text in quotes or an object with \"prompt\" is expected on each line";
  const auto value = ParseJson(line);
  if (!value) return Corruption(Format("{}; {}", value.error().message(), kExpected));
  Prompt prompt = {.params = defaults};
  if (TakeText(*value, &prompt.text)) return prompt;
  if (!value->is_object()) {
    return Corruption(Format("{}, and {} was found", kExpected, Quoted(*value)));
  }
  if (value->Find("prompt") == nullptr) return Corruption("the object has no \"prompt\"");
  for (const auto& [key, field] : value->as_object()) {
    NEMO_RETURN_IF_ERROR(TakeField(key, field, &prompt));
  }
  return prompt;
}

Result<std::vector<Prompt>> ParsePrompts(std::string_view text, bool jsonl,
                                         const std::string& where, const PromptParams& defaults) {
  std::vector<Prompt> prompts;
  NEMO_RETURN_IF_ERROR(ForEachPromptLine(
      text, where, [&](std::string_view line, const std::string& place) -> Status {
        if (jsonl) {
          auto prompt = ParsePromptLine(line, defaults);
          if (!prompt) return prompt.error().At(place);
          prompts.push_back(*std::move(prompt));
        } else {
          prompts.push_back({std::string(line), {}, defaults});
        }
        prompts.back().where = place;
        return OkStatus();
      }));
  return prompts;
}

Result<std::vector<Prompt>> CollectPrompts(const GenerateJob& job, Communicator& world) {
  std::string text;
  if (world.rank() == 0) {
    auto read = ReadText(job);
    if (!read) {
      world.Abort(read.error().message());
      return read.error();
    }
    text = *std::move(read);
  }
  int64_t size = std::ssize(text);
  NEMO_RETURN_IF_ERROR(world.Broadcast(std::as_writable_bytes(std::span(&size, 1)), 0));
  text.resize(static_cast<size_t>(size));
  NEMO_RETURN_IF_ERROR(world.Broadcast(std::as_writable_bytes(std::span(text)), 0));

  std::vector<Prompt> prompts;
  const auto append = [&](std::string prompt) {
    prompts.push_back({std::move(prompt), Format("prompt {}", prompts.size() + 1), job.params});
  };
  for (const std::string& prompt : job.prompts) append(prompt);
  if (!job.prompts_file.empty()) {
    const std::string& file = job.prompts_file;
    NEMO_ASSIGN_OR_RETURN(std::vector<Prompt> more,
                          ParsePrompts(text, file.ends_with(".jsonl"),
                                       file == "-" ? "standard input" : file, job.params));
    std::move(more.begin(), more.end(), std::back_inserter(prompts));
  } else if (prompts.empty()) {
    append(std::move(text));
  }
  return prompts;
}

}  // namespace nemo
