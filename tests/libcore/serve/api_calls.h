// What tests of the APIs share: a tokenizer, a context, calls.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "libcore/serve/api.h"
#include "libcore/text/tokenizer.h"
#include "tests/testing.h"

namespace nemo::testing {

/// A server's APIs without the server.
class ApiUnderTest {
 public:
  explicit ApiUnderTest(std::string_view model = "tokenizers/bpe2048.model")
      : tokenizer_(*LoadSentencePiece(ReadFileOrDie(GoldenPath(model)))),
        context{*tokenizer_, "demo", 4096, 1700000000} {}

  Opening Call(std::string_view method, std::string_view path, std::string_view body,
               std::string_view content_type = "application/json") const {
    return OpenCall(context, {method, path, content_type, body});
  }
  const Tokenizer& tokenizer() const { return *tokenizer_; }

 private:
  std::unique_ptr<Tokenizer> tokenizer_;

 public:
  ApiContext context;
};

/// The exchange of a call that was accepted; nullptr if it was not.
inline Exchange* ExchangeOf(const Opening& opening) {
  const auto* exchange = std::get_if<std::unique_ptr<Exchange>>(&opening);
  return exchange == nullptr ? nullptr : exchange->get();
}

/// The answer of a call that ended at once; status 0 if it did not.
inline Reply ReplyOf(const Opening& opening) {
  const auto* reply = std::get_if<Reply>(&opening);
  return reply == nullptr ? Reply{0, "", ""} : *reply;
}

}  // namespace nemo::testing
