#include "tools/nemo-generate/report.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "libcore/base/format.h"
#include "libcore/base/json.h"
#include "tools/common/table.h"

namespace nemo {

void RunReport::Count(int64_t index, const GenerateResult& result) {
  ++num_answers;
  prompt_tokens += result.num_prompt_tokens;
  generated_tokens += std::ssize(result.token_ids) - result.num_prompt_tokens;
  if (index == 0) first_token_ms = result.first_token_ms;
}

double RunReport::tokens_per_second() const {
  return static_cast<double>(generated_tokens) / std::max(generate_seconds, 1e-9);
}

// Pieces are written as JSON texts: a newline in one must not break its row.
std::string LogprobTable(const GenerateResult& result) {
  Table table({{"piece"}, {"id", Table::Align::kRight}, {"logprob", Table::Align::kRight}});
  for (size_t i = 0; i < result.tokens.size(); ++i) {
    // The first token follows nothing.
    const std::string logprob = i == 0 ? "-" : Format("{:.6f}", result.logprob[i - 1]);
    table.AddRow({ToJson(result.tokens[i]), Format("{}", result.token_ids[i]), logprob});
  }
  return table.ToText(TableWidth());
}

Value SeedValue(const GenerateRequest& request) {
  if (request.sampling.greedy) return Value();
  return Value(static_cast<int64_t>(request.sampling.seed));
}

Value AnswerValue(const PromptParams& params, const GenerateRequest& request,
                  const GenerateResult& result) {
  Value::Array ids;
  for (const int32_t id : result.token_ids) ids.emplace_back(int64_t{id});
  Value value;
  value.Set("seed", SeedValue(request));
  value.Set("sentence", result.text);
  value.Set("tokens", Value::ArrayOf(result.tokens));
  value.Set("token_ids", std::move(ids));
  value.Set("logprob",
            params.logprobs || params.all_probs ? Value::ArrayOf(result.logprob) : Value());
  if (params.all_probs) {
    Value::Array rows;
    for (const std::vector<float>& row : result.full_logprob) {
      rows.push_back(Value::ArrayOf(std::vector<double>(row.begin(), row.end())));
    }
    value.Set("full_logprob", std::move(rows));
  }
  value.Set("offsets", Value::ArrayOf(result.offsets));
  value.Set("prompt_tokens", result.num_prompt_tokens);
  value.Set("finish_reason", result.finish_reason == FinishReason::kLength ? "length" : "stop");
  return value;
}

Value TimingValue(const RunReport& report) {
  Value timing;
  timing.Set("layout", report.layout);
  timing.Set("backend", report.backend);
  timing.Set("load_seconds", report.load_seconds);
  timing.Set("generate_seconds", report.generate_seconds);
  timing.Set("prompt_tokens", report.prompt_tokens);
  timing.Set("generated_tokens", report.generated_tokens);
  timing.Set("tokens_per_second", report.tokens_per_second());
  timing.Set("first_token_ms", report.first_token_ms);
  return timing;
}

std::string Summary(const RunReport& report) {
  return Format(
      "{} prompt tokens, {} generated in {:.2f} s, {:.1f} tokens/s; loading took {:.2f} s; {}, "
      "{}, seed {}",
      report.prompt_tokens, report.generated_tokens, report.generate_seconds,
      report.tokens_per_second(), report.load_seconds, report.layout, report.backend, report.seed);
}

}  // namespace nemo
