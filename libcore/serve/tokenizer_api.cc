#include "libcore/serve/tokenizer_api.h"

#include <utility>

#include "libcore/base/format.h"
#include "libcore/serve/chat_template.h"
#include "libcore/serve/openai_options.h"
#include "libcore/serve/token_text.h"

namespace nemo {
namespace {

Value ModelValue(const ApiContext& context) {
  Value model;
  model.Set("id", context.model_name);
  model.Set("object", "model");
  model.Set("created", context.created_seconds);
  model.Set("owned_by", "nemotron-toolkit");
  model.Set("max_model_len", context.max_sequence_tokens);
  return model;
}

Value PieceOrNull(const Tokenizer& tokenizer, int32_t id) {
  return id < 0 ? Value() : Value(tokenizer.Piece(id));
}

Value IdList(std::span<const int32_t> ids) {
  Value::Array list;
  for (const int32_t id : ids) list.emplace_back(int64_t{id});
  return list;
}

/// The ids of "prompt" or of "messages".
Result<std::vector<int32_t>> IdsOf(const ApiContext& context, OpenAiFields* fields) {
  const bool add_bos = fields->Bool("add_special_tokens", false);
  const Value* prompt = fields->Take("prompt");
  std::string text;
  if (prompt == nullptr) {
    text = ChatPrompt(fields);
  } else if (prompt->is_string()) {
    text = prompt->as_string();
  } else {
    fields->Fault("prompt", "prompt must be a text");
  }
  NEMO_ASSIGN_OR_RETURN(std::vector<int32_t> ids, EncodeWithSpecials(context.tokenizer, text));
  const int32_t bos = context.tokenizer.bos_id();
  if (add_bos && bos >= 0 && (ids.empty() || ids[0] != bos)) ids.insert(ids.begin(), bos);
  return ids;
}

/// Fields of vLLM's that have no meaning here.
constexpr std::string_view kIgnored[] = {"model", "return_token_strs", "add_generation_prompt"};

}  // namespace

Opening OpenModels(const ApiContext& context, const ApiCall&) {
  Value body;
  body.Set("object", "list");
  body.Set("data", Value::Array{ModelValue(context)});
  return OpenAiJson(body);
}

Opening OpenModel(const ApiContext& context, const ApiCall& call) {
  const std::string_view id = call.path.substr(std::string_view("/v1/models/").size());
  if (id == context.model_name) return OpenAiJson(ModelValue(context));
  return OpenAiError(
      {Format("The model '{}' does not exist; this server has '{}'", id, context.model_name),
       "model", "model_not_found", 404});
}

Opening OpenHealth(const ApiContext&, const ApiCall&) {
  Value body;
  body.Set("status", "ok");
  return OpenAiJson(body);
}

Opening OpenTokenizerInfo(const ApiContext& context, const ApiCall&) {
  const Tokenizer& tokenizer = context.tokenizer;
  Value body;
  body.Set("tokenizer_class", "SentencePiece");
  body.Set("vocab_size", tokenizer.vocab_size());
  body.Set("model_max_length", context.max_sequence_tokens);
  body.Set("bos_token", PieceOrNull(tokenizer, tokenizer.bos_id()));
  body.Set("eos_token", PieceOrNull(tokenizer, tokenizer.eos_id()));
  body.Set("pad_token", PieceOrNull(tokenizer, tokenizer.pad_id()));
  body.Set("unk_token", PieceOrNull(tokenizer, tokenizer.unk_id()));
  body.Set("chat_template", kChatTemplate);
  return OpenAiJson(body);
}

Opening OpenTokenize(const ApiContext& context, const ApiCall& call) {
  auto parsed = ParseOpenAiBody(call);
  if (auto* reply = std::get_if<Reply>(&parsed)) return std::move(*reply);
  OpenAiFields fields(std::get<Value>(parsed));
  const auto ids = IdsOf(context, &fields);
  fields.Ignore(kIgnored);
  if (const auto& fault = fields.Finish()) return OpenAiError(*fault);
  if (!ids) return OpenAiError(400, ids.error().message());
  Value::Array pieces;
  for (const int32_t id : *ids) pieces.emplace_back(context.tokenizer.Piece(id));
  Value body;
  body.Set("count", std::ssize(*ids));
  body.Set("max_model_len", context.max_sequence_tokens);
  body.Set("tokens", IdList(*ids));
  body.Set("token_strs", std::move(pieces));
  return OpenAiJson(body);
}

Opening OpenDetokenize(const ApiContext& context, const ApiCall& call) {
  auto parsed = ParseOpenAiBody(call);
  if (auto* reply = std::get_if<Reply>(&parsed)) return std::move(*reply);
  OpenAiFields fields(std::get<Value>(parsed));
  const Value* tokens = fields.Take("tokens");
  std::vector<int32_t> ids;
  bool good = tokens != nullptr && tokens->is_array();
  for (const Value& id : good ? tokens->as_array() : Value::Array{}) {
    good = good && id.is_int() && id.as_int() >= 0 && id.as_int() < context.tokenizer.vocab_size();
    if (good) ids.push_back(static_cast<int32_t>(id.as_int()));
  }
  if (!good) {
    fields.Fault("tokens", Format("tokens must be a list of whole numbers from 0 to {}",
                                  context.tokenizer.vocab_size() - 1));
  }
  fields.Ignore(kIgnored);
  if (const auto& fault = fields.Finish()) return OpenAiError(*fault);
  const auto text = context.tokenizer.Decode(ids);
  if (!text) return OpenAiError(400, text.error().message());
  Value body;
  body.Set("prompt", *text);
  return OpenAiJson(body);
}

}  // namespace nemo
