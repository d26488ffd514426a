// OpenAiExchange: the part of an answer that completions and chat share: choices, how they grow,
// why they ended, usage, server-sent events. The two say how one choice is written.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "libcore/serve/api.h"
#include "libcore/serve/continuation.h"
#include "libcore/serve/openai_options.h"

namespace nemo {

class OpenAiExchange : public Exchange {
 public:
  /// `requests`: for each prompt its `options.n` choices. Refers to the context.
  OpenAiExchange(const ApiContext& context, OpenAiOptions options,
                 std::vector<GenerateRequest> requests);

  const std::vector<GenerateRequest>& requests() const override { return requests_; }
  bool streams() const override { return options_.stream; }
  Reply Answer(std::vector<GenerateResult> results) override;
  std::string OnToken(int64_t index, const TokenEvent& event) override;
  std::string OnFinished(int64_t index, const GenerateResult& result) override;
  std::string End() override;
  Reply Failure(int http_status, const std::string& message) const override;
  std::string FailureInStream(int http_status, const std::string& message) const override;

 protected:
  using Part = Continuation::Part;

  virtual std::string_view id_prefix() const = 0;
  virtual std::string_view object_name(bool chunk) const = 0;
  /// The whole choice, without "index" and "finish_reason".
  virtual Value WholeChoice(int64_t index, const Part& part, const GenerateResult& result) = 0;
  /// A part of it, the same. `first`: nothing of this choice has gone out.
  virtual Value ChunkChoice(int64_t index, const Part& part, bool first) = 0;
  /// Strings before which the text is cut, beside those that the client named.
  virtual std::vector<std::string> own_stops() const { return {}; }

  const ApiContext& context() const { return context_; }
  const OpenAiOptions& options() const { return options_; }

 private:
  struct Choice {
    explicit Choice(std::vector<std::string> stops) : continuation(std::move(stops)) {}
    Continuation continuation;
    bool begun = false;
  };

  /// Adds generated token number `i` of a result.
  void AddToken(int64_t index, const GenerateResult& result, int64_t i, std::string_view text);
  Status AddTokens(int64_t index, const GenerateResult& result);
  std::string_view ReasonOf(int64_t index, const GenerateResult& result) const;
  void Count(int64_t index, const GenerateResult& result);
  Value Usage() const;
  /// {"id", "object", "created", "model", "choices"}
  Value Envelope(Value::Array choices, bool chunk);
  std::string Chunk(int64_t index, const Part& part, Value finish_reason);
  Choice& choice(int64_t index);

  const ApiContext& context_;
  OpenAiOptions options_;
  std::vector<GenerateRequest> requests_;
  std::vector<Choice> choices_;
  std::string id_;
  int64_t created_seconds_;
  int64_t num_prompt_tokens_ = 0, num_completion_tokens_ = 0;
};

/// A server-sent event.
std::string ServerSentEvent(const Value& value);

}  // namespace nemo
