#include "libcore/serve/openai_completions.h"

#include <algorithm>
#include <utility>

#include "libcore/base/format.h"
#include "libcore/serve/openai_exchange.h"
#include "libcore/serve/token_text.h"

namespace nemo {
namespace {

constexpr int64_t kDefaultMaxTokens = 16;

struct Prompt {
  std::string text;  ///< as the client wrote it, or what its ids say
  std::vector<int32_t> ids;
};

class CompletionExchange final : public OpenAiExchange {
 public:
  CompletionExchange(const ApiContext& context, OpenAiOptions options,
                     std::vector<GenerateRequest> requests, std::vector<Prompt> prompts, bool echo)
      : OpenAiExchange(context, std::move(options), std::move(requests)),
        prompts_(std::move(prompts)),
        echo_(echo) {}

 protected:
  std::string_view id_prefix() const override { return "cmpl-"; }
  std::string_view object_name(bool) const override { return "text_completion"; }

  Value WholeChoice(int64_t index, const Part& part, const GenerateResult& result) override {
    Value choice;
    choice.Set("text", PromptText(index) + part.text);
    choice.Set("logprobs", options().num_logprobs ? Logprobs(index, part, &result) : Value());
    return choice;
  }

  Value ChunkChoice(int64_t index, const Part& part, bool first) override {
    Value choice;
    choice.Set("text", first ? PromptText(index) + part.text : part.text);
    choice.Set("logprobs", options().num_logprobs ? Logprobs(index, part, nullptr) : Value());
    return choice;
  }

 private:
  /// The four lists of "logprobs", in step.
  struct Columns {
    Value::Array tokens, token_logprobs, top_logprobs, text_offset;

    Value ToValue() && {
      Value value;
      value.Set("tokens", std::move(tokens));
      value.Set("token_logprobs", std::move(token_logprobs));
      value.Set("top_logprobs", std::move(top_logprobs));
      value.Set("text_offset", std::move(text_offset));
      return value;
    }
  };

  const Prompt& PromptOf(int64_t index) const { return prompts_[index / options().n]; }
  std::string PromptText(int64_t index) const { return echo_ ? PromptOf(index).text : ""; }

  /// {piece: logprob} of the likeliest, and of the token itself, with the number that it has beside
  /// it: clients look for the largest and compare.
  Value TopOf(int32_t id, double logprob, const std::vector<TokenLogprob>& top) const {
    Value value(Value::Object{});
    for (const TokenLogprob& other : top) {
      const std::string name = TokenName(context().tokenizer, other.token_id);
      if (value.Find(name) == nullptr) value.Set(name, other.logprob);
    }
    const std::string name = TokenName(context().tokenizer, id);
    if (value.Find(name) == nullptr) value.Set(name, logprob);
    return value;
  }

  void Add(int32_t id, int64_t offset, double logprob, const std::vector<TokenLogprob>& top,
           Columns* columns) const {
    columns->tokens.emplace_back(TokenName(context().tokenizer, id));
    columns->token_logprobs.emplace_back(logprob);
    columns->top_logprobs.push_back(TopOf(id, logprob, top));
    columns->text_offset.emplace_back(offset);
  }

  /// The prompt's tokens; nothing is known of the first, which has nothing before it.
  void AddPrompt(const GenerateResult& result, Columns* columns) const {
    const std::span<const int32_t> ids(result.token_ids);
    const auto prompt = ids.first(result.num_prompt_tokens);
    const auto offsets = TextOffsets(context().tokenizer, prompt);
    if (!offsets) return;
    columns->tokens.emplace_back(TokenName(context().tokenizer, prompt[0]));
    columns->token_logprobs.emplace_back();
    columns->top_logprobs.emplace_back();
    columns->text_offset.emplace_back(0);
    for (size_t i = 1; i < prompt.size() && i <= result.logprob.size(); ++i) {
      static const std::vector<TokenLogprob> kNone;
      const auto& top = i <= result.top_logprobs.size() ? result.top_logprobs[i - 1] : kNone;
      Add(prompt[i], (*offsets)[i], result.logprob[i - 1], top, columns);
    }
  }

  /// `result`: of a whole answer, whose prompt is told too when it is echoed.
  Value Logprobs(int64_t index, const Part& part, const GenerateResult* result) const {
    Columns columns;
    if (echo_ && result != nullptr) AddPrompt(*result, &columns);
    const int64_t begin = echo_ ? CountCharacters(PromptOf(index).text) : 0;
    for (const NotedToken& token : part.tokens) {
      Add(token.id, begin + token.text_begin, token.logprob, token.top_logprobs, &columns);
    }
    return std::move(columns).ToValue();
  }

  std::vector<Prompt> prompts_;
  bool echo_;
};

/// Ids of one prompt; nothing unless all are ids of the vocabulary.
std::optional<std::vector<int32_t>> IdsOf(const Value::Array& list, int64_t vocab_size) {
  std::vector<int32_t> ids;
  for (const Value& id : list) {
    if (!id.is_int() || id.as_int() < 0 || id.as_int() >= vocab_size) return std::nullopt;
    ids.push_back(static_cast<int32_t>(id.as_int()));
  }
  if (ids.empty()) return std::nullopt;
  return ids;
}

class PromptReader {
 public:
  PromptReader(const ApiContext& context, bool add_bos, OpenAiFields* fields)
      : context_(context), add_bos_(add_bos), fields_(*fields) {}

  std::vector<Prompt> Read() {
    const Value* value = fields_.Take("prompt");
    if (value == nullptr) {
      fields_.Fault("prompt", "prompt is missing: a text, token ids, or a list of either");
    } else if (value->is_string()) {
      AddText(value->as_string());
    } else if (value->is_array() && !value->as_array().empty() && value->as_array()[0].is_int()) {
      AddIds(*value);
    } else {
      AddList(*value);
    }
    return std::move(prompts_);
  }

 private:
  void AddList(const Value& list) {
    if (!list.is_array() || list.as_array().empty() || std::ssize(list.as_array()) > kMaxChoices) {
      fields_.Fault("prompt", Format("prompt must be a text, token ids, or a list of 1 to {} of "
                                     "either",
                                     kMaxChoices));
      return;
    }
    const bool texts = list.as_array()[0].is_string();
    for (const Value& item : list.as_array()) {
      if (texts != item.is_string() || (!texts && !item.is_array())) {
        fields_.Fault("prompt", "prompt must be a list of texts or a list of lists of token ids");
        return;
      }
      texts ? AddText(item.as_string()) : AddIds(item);
    }
  }

  void AddText(const std::string& text) {
    auto ids = EncodeWithSpecials(context_.tokenizer, text);
    const int32_t bos = context_.tokenizer.bos_id();
    if (ids && (ids->empty() || (add_bos_ && ids->front() != bos))) {
      auto prefix = EncodePrompt(context_.tokenizer, "", add_bos_);
      if (prefix) ids->insert(ids->begin(), prefix->begin(), prefix->end());
      if (!prefix) ids = prefix.error();
    }
    if (!ids) {
      fields_.Fault("prompt", ids.error().message());
      return;
    }
    prompts_.push_back({text, std::move(*ids)});
  }

  void AddIds(const Value& list) {
    auto ids = IdsOf(list.as_array(), context_.tokenizer.vocab_size());
    auto text = ids ? context_.tokenizer.Decode(*ids) : Result<std::string>(InvalidArgument(""));
    if (!text) {
      fields_.Fault("prompt", Format("token ids must be whole numbers from 0 to {}, at least one",
                                     context_.tokenizer.vocab_size() - 1));
      return;
    }
    prompts_.push_back({std::move(*text), std::move(*ids)});
  }

  const ApiContext& context_;
  bool add_bos_;
  OpenAiFields& fields_;
  std::vector<Prompt> prompts_;
};

/// NeMo's servers take true for 1.
std::optional<int64_t> TakeLogprobs(OpenAiFields* fields) {
  const Value* value = fields->Take("logprobs");
  if (value == nullptr || !value->is_bool()) return fields->Int("logprobs", 0, kMaxTopLogprobs);
  return value->as_bool() ? std::optional<int64_t>(1) : std::nullopt;
}

void TakeBestOf(int64_t n, OpenAiFields* fields) {
  const auto best_of = fields->Int("best_of", 1, 1 << 20);
  if (best_of && *best_of != n) {
    fields->Fault("best_of", "best_of is not supported; ask for n choices and choose",
                  "unsupported_parameter");
  }
}

struct CompletionFields {
  OpenAiOptions options;
  std::vector<Prompt> prompts;
  bool echo = false;
};

CompletionFields TakeFields(const ApiContext& context, OpenAiFields* fields) {
  static constexpr std::string_view kRefused[] = {"suffix"};
  CompletionFields taken;
  taken.options = TakeOpenAiOptions(context, fields);
  taken.options.max_tokens = fields->Int("max_tokens", 0, int64_t{1} << 40);
  taken.options.num_logprobs = TakeLogprobs(fields);
  taken.echo = fields->Bool("echo", false);
  TakeBestOf(taken.options.n, fields);
  fields->Refuse(kRefused);
  const bool add_bos = fields->Bool("add_special_tokens", false);
  taken.prompts = PromptReader(context, add_bos, fields).Read();
  if (taken.options.max_tokens == 0 && !taken.echo) {
    fields->Fault("max_tokens", "max_tokens may be 0 only with echo");
  }
  if (taken.options.stream && taken.echo && taken.options.num_logprobs) {
    fields->Fault("stream", "log-probabilities of an echoed prompt cannot be streamed");
  }
  if (std::ssize(taken.prompts) * taken.options.n > kMaxChoices) {
    fields->Fault("n", Format("prompts times n may be {} at most", kMaxChoices));
  }
  return taken;
}

}  // namespace

Opening OpenCompletions(const ApiContext& context, const ApiCall& call) {
  auto body = ParseOpenAiBody(call);
  if (auto* reply = std::get_if<Reply>(&body)) return std::move(*reply);
  OpenAiFields fields(std::get<Value>(body));
  CompletionFields taken = TakeFields(context, &fields);
  if (const auto& fault = fields.Finish()) return OpenAiError(*fault);
  const OpenAiOptions& options = taken.options;
  std::vector<GenerateRequest> requests;
  for (int64_t i = 0; i < std::ssize(taken.prompts) * options.n; ++i) {
    auto request =
        RequestOf(context, options, taken.prompts[i / options.n].ids, i, kDefaultMaxTokens);
    if (const auto* fault = std::get_if<OpenAiFault>(&request)) return OpenAiError(*fault);
    requests.push_back(std::move(std::get<GenerateRequest>(request)));
    if (taken.echo) requests.back().logprobs_begin = 0;
  }
  return std::make_unique<CompletionExchange>(context, options, std::move(requests),
                                              std::move(taken.prompts), taken.echo);
}

}  // namespace nemo
