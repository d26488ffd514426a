#include "libcore/serve/nemo_params.h"

#include <algorithm>
#include <cmath>
#include <iterator>

#include "libcore/base/format.h"
#include "libcore/text/tokenizer.h"

namespace nemo {
namespace {

constexpr int64_t kMaxSentences = 128;

// Python's view of JSON: a boolean is an int (true is 1), 1.0 is not; NeMo asks for the exact type
// where it wants a number that may be a fraction, so a boolean is none there.

bool TakeInt(const Value& value, int64_t min, int64_t* out) {
  if (!value.is_int() && !value.is_bool()) return false;
  *out = value.is_int() ? value.as_int() : int64_t{value.as_bool()};
  return *out >= min;
}

bool TakeNumber(const Value& value, double min, double max, double* out) {
  if (!value.is_number()) return false;
  *out = value.as_double();
  return *out >= min && *out <= max;
}

bool TakeBool(const Value& value, bool* out) {
  if (value.is_bool()) *out = value.as_bool();
  return value.is_bool();
}

bool TakeTexts(const Value& value, std::vector<std::string>* out) {
  if (!value.is_array()) return false;
  out->clear();
  for (const Value& text : value.as_array()) {
    if (!text.is_string()) return false;
    out->push_back(text.as_string());
  }
  return true;
}

struct Field {
  const char* name;
  const char* error;
  bool (*take)(const Value& value, NemoParams* params);
};

/// In the order of NeMo's checks.
constexpr Field kFields[] = {
    {"task_ids",
     "Input at 'sentences' must by a tuple of two tensors like:                    "
     "(context_tokens_tensor, context_length_tensor) if task ids are given",
     [](const Value&, NemoParams*) { return false; }},
    {"tokens_to_generate", "tokens_to_generate must be an integer greater than 0",
     [](const Value& v, NemoParams* p) { return TakeInt(v, 1, &p->tokens_to_generate); }},
    {"all_probs", "all_probs must be a boolean value",
     [](const Value& v, NemoParams* p) { return TakeBool(v, &p->all_probs); }},
    {"temperature", "temperature must be a positive number less than or equal to 100.0",
     [](const Value& v, NemoParams* p) {
       return TakeNumber(v, 0, 100, &p->temperature) && p->temperature > 0;
     }},
    {"add_BOS", "add_BOS must be a boolean value",
     [](const Value& v, NemoParams* p) { return TakeBool(v, &p->add_bos); }},
    {"greedy", "greedy must be a boolean value",
     [](const Value& v, NemoParams* p) { return TakeBool(v, &p->greedy); }},
    {"top_k", "top_k must be a positive integer number",
     [](const Value& v, NemoParams* p) { return TakeNumber(v, 0, HUGE_VAL, &p->top_k); }},
    {"top_p", "top_p must be a positive number less than or equal to 1.0",
     [](const Value& v, NemoParams* p) { return TakeNumber(v, 0, 1, &p->top_p); }},
    {"repetition_penalty", "repetition_penalty must be a positive number no less than 1.0",
     [](const Value& v, NemoParams* p) {
       return TakeNumber(v, 1, HUGE_VAL, &p->repetition_penalty);
     }},
    {"end_strings", "expect end_strings to be a list of strings",
     [](const Value& v, NemoParams* p) { return TakeTexts(v, &p->end_strings); }},
    {"min_tokens_to_generate", "min_tokens_to_generate must be an integer no less than 0",
     [](const Value& v, NemoParams* p) { return TakeInt(v, 0, &p->min_tokens_to_generate); }},
    // For models with retrieval; of no effect on others.
    {"neighbors", "num of neighbors must be an integer no less than 0",
     [](const Value& v, NemoParams*) {
       int64_t neighbors = 0;
       return TakeInt(v, 0, &neighbors);
     }},
    {"compute_logprob", "compute_logprob must be a boolean value",
     [](const Value& v, NemoParams* p) { return TakeBool(v, &p->compute_logprob); }},
    {"random_seed", "random_seed must be a positive integer number or None",
     [](const Value& v, NemoParams* p) {
       return v.is_null() || TakeInt(v, 0, &p->random_seed.emplace());
     }},
};

NemoFault Internal(std::string text) { return {NemoFault::Kind::kInternal, std::move(text)}; }

/// Python iterates over a text letter by letter.
Value::Array LettersOf(std::string_view text) {
  Value::Array letters;
  while (!text.empty()) {
    size_t size = 1;
    while (size < text.size() && (static_cast<unsigned char>(text[size]) & 0xc0) == 0x80) ++size;
    letters.emplace_back(text.substr(0, size));
    text.remove_prefix(size);
  }
  return letters;
}

int64_t LengthOf(const Value& sentences) {
  return sentences.is_string() ? CountCharacters(sentences.as_string())
                               : std::ssize(sentences.as_array());
}

/// Nothing: may go on.
std::optional<NemoFault> CheckSentences(const Value* sentences, bool strict) {
  if (sentences == nullptr) return Internal("sentences is missing: a list of texts");
  if (!sentences->is_array() && !sentences->is_string()) {
    return Internal("sentences must be a list of texts");
  }
  if (LengthOf(*sentences) > kMaxSentences) {
    return NemoFault{NemoFault::Kind::kTooMany,
                     Format("Maximum number of sentences is {}", kMaxSentences)};
  }
  if (strict && sentences->is_string()) return Internal("sentences must be a list, not one text");
  if (strict && LengthOf(*sentences) == 0) return Internal("sentences is empty");
  return std::nullopt;
}

std::optional<NemoFault> CheckKeys(const Value& body) {
  for (const auto& member : body.as_object()) {
    const std::string& key = member.first;
    const bool known =
        key == "sentences" || std::any_of(std::begin(kFields), std::end(kFields),
                                          [&](const Field& f) { return key == f.name; });
    if (!known) return NemoFault{NemoFault::Kind::kText, Format("unknown field '{}'", key)};
  }
  return std::nullopt;
}

}  // namespace

std::variant<NemoParams, NemoFault> ParseNemoParams(const Value& body, bool strict) {
  if (!body.is_object()) return Internal("the body must be a JSON object");
  const Value* sentences = body.Find("sentences");
  if (auto fault = CheckSentences(sentences, strict)) return *fault;
  NemoParams params;
  for (const Field& field : kFields) {
    const Value* value = body.Find(field.name);
    if (value != nullptr && !field.take(*value, &params)) {
      return NemoFault{NemoFault::Kind::kText, field.error};
    }
  }
  if (strict && params.top_k != std::floor(params.top_k)) {
    return NemoFault{NemoFault::Kind::kText, "top_k must be a whole number"};
  }
  if (auto fault = strict ? CheckKeys(body) : std::nullopt) return *fault;
  const Value texts =
      sentences->is_string() ? Value(LettersOf(sentences->as_string())) : *sentences;
  if (!TakeTexts(texts, &params.sentences)) return Internal("sentences must be a list of texts");
  return params;
}

}  // namespace nemo
