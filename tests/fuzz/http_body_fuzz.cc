// Bodies of HTTP requests to every API. The first line says which: "PUT /generate", then the body;
// with " strict" or " nemo" behind it in that mode. What was accepted is answered by a stand-in for
// the model, whole and streamed: both must be what the API promises.
#include <memory>
#include <string>

#include "libcore/base/check.h"
#include "libcore/base/json.h"
#include "libcore/serve/api.h"
#include "tests/fuzz/harness.h"
#include "tests/libcore/serve/stand_in_model.h"
#include "tests/testing.h"

namespace {

using nemo::Exchange;
using nemo::GenerateResult;

constexpr size_t kMaxAnswered = 16;  // requests of a call; more say nothing new

const nemo::Tokenizer& SharedTokenizer() {
  static const std::unique_ptr<nemo::Tokenizer> tokenizer = *nemo::LoadSentencePiece(
      nemo::testing::ReadFileOrDie(nemo::testing::GoldenPath("tokenizers/bpe2048.model")));
  return *tokenizer;
}

void CheckReply(const nemo::Reply& reply) {
  NEMO_CHECK(reply.status >= 200 && reply.status < 600);
  NEMO_CHECK(reply.content_type != "application/json" || nemo::ParseJson(reply.body));
}

/// Each event is JSON or the end.
void CheckEvents(std::string_view sent) {
  while (!sent.empty()) {
    const size_t end = sent.find("\n\n");
    NEMO_CHECK(sent.starts_with("data: ") && end != std::string_view::npos);
    const std::string_view data = sent.substr(6, end - 6);
    NEMO_CHECK(data == "[DONE]" || nemo::ParseJson(data));
    sent.remove_prefix(end + 2);
  }
}

void Answer(Exchange* exchange) {
  const nemo::testing::StandInModel model(SharedTokenizer());
  std::vector<GenerateResult> results;
  for (const nemo::GenerateRequest& request : exchange->requests()) {
    results.push_back(model.Run(request, {30, 700, 701, 240, 159, 152, 128, 5}));
  }
  if (!exchange->streams()) return CheckReply(exchange->Answer(std::move(results)));
  std::string sent;
  for (size_t i = 0; i < results.size(); ++i) {
    sent += model.Stream(exchange, static_cast<int64_t>(i), results[i]);
  }
  CheckEvents(sent + exchange->End());
  CheckEvents(exchange->FailureInStream(500, "\xff is not UTF-8"));
}

}  // namespace

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string input = nemo::fuzz::Bytes(data, size);
  const size_t line_end = std::min(input.find('\n'), input.size());
  const std::string_view line = std::string_view(input).substr(0, line_end);
  const size_t blank = std::min(line.find(' '), line.size());
  const size_t path_end = std::min(line.find(' ', std::min(blank + 1, line.size())), line.size());
  nemo::ApiContext context{SharedTokenizer(), "demo", 4096};
  context.strict = line.ends_with(" strict");
  context.nemo_only = line.ends_with(" nemo");
  const nemo::ApiCall call{line.substr(0, blank),
                           blank == line.size() ? "" : line.substr(blank + 1, path_end - blank - 1),
                           "application/json",
                           std::string_view(input).substr(std::min(line_end + 1, input.size()))};
  nemo::Opening opening;
  {
    // Choices have copies of the stop strings, and there may be 1024 of them for a few bytes.
    const nemo::fuzz::MemoryLimit limit(size + 16384, 1024);
    opening = nemo::OpenCall(context, call);
  }
  if (const auto* reply = std::get_if<nemo::Reply>(&opening)) {
    CheckReply(*reply);
  } else if (Exchange& exchange = *std::get<std::unique_ptr<Exchange>>(opening);
             exchange.requests().size() <= kMaxAnswered) {
    Answer(&exchange);
  }
  return 0;
}
