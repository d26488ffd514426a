#include "tools/nemo-generate/report.h"

#include <algorithm>
#include <utility>

#include "libcore/base/format.h"
#include "libcore/base/json.h"
#include "tools/common/table.h"

namespace nemo {
namespace {

struct Counts {
  int64_t prompt_tokens = 0;
  int64_t generated_tokens = 0;
  double first_token_ms = 0;  ///< of the first prompt
};

Counts CountTokens(const Answer& answer) {
  Counts counts;
  for (const GenerateResult& result : answer.results) {
    counts.prompt_tokens += result.num_prompt_tokens;
    counts.generated_tokens += std::ssize(result.token_ids) - result.num_prompt_tokens;
  }
  if (!answer.results.empty()) counts.first_token_ms = answer.results.front().first_token_ms;
  return counts;
}

double Rate(const Counts& counts, const Answer& answer) {
  return static_cast<double>(counts.generated_tokens) / std::max(answer.generate_seconds, 1e-9);
}

/// Pieces are written as JSON texts: a newline in one must not break its row.
std::string LogprobTable(const GenerateResult& result) {
  Table table({{"piece"}, {"id", Table::Align::kRight}, {"logprob", Table::Align::kRight}});
  for (size_t i = 0; i < result.tokens.size(); ++i) {
    // The first token follows nothing.
    const std::string logprob = i == 0 ? "-" : Format("{:.6f}", result.logprob[i - 1]);
    table.AddRow({ToJson(result.tokens[i]), Format("{}", result.token_ids[i]), logprob});
  }
  return table.ToText(TableWidth());
}

Value Timing(const Answer& answer) {
  const Counts counts = CountTokens(answer);
  Value timing;
  timing.Set("layout", answer.layout);
  timing.Set("backend", answer.backend);
  timing.Set("load_seconds", answer.load_seconds);
  timing.Set("generate_seconds", answer.generate_seconds);
  timing.Set("prompt_tokens", counts.prompt_tokens);
  timing.Set("generated_tokens", counts.generated_tokens);
  timing.Set("tokens_per_second", Rate(counts, answer));
  timing.Set("first_token_ms", counts.first_token_ms);
  return timing;
}

}  // namespace

std::string ToText(const GenerateJob& job, const Answer& answer) {
  std::string text;
  for (size_t i = 0; i < answer.results.size(); ++i) {
    const GenerateResult& result = answer.results[i];
    if (!answer.streamed) {
      if (answer.results.size() > 1) {
        text += Format("{}== {} of {} ==\n", i > 0 ? "\n" : "", i + 1, answer.results.size());
      }
      text += result.text + "\n";
    }
    if (job.logprobs) text += "\n" + LogprobTable(result);
  }
  return text;
}

Value ToValue(const GenerateJob& job, const Answer& answer) {
  Value::Array sentences, tokens, token_ids, logprob, offsets, full_logprob;
  for (const GenerateResult& result : answer.results) {
    sentences.emplace_back(result.text);
    tokens.push_back(Value::ArrayOf(result.tokens));
    Value::Array ids;
    for (const int32_t id : result.token_ids) ids.emplace_back(int64_t{id});
    token_ids.emplace_back(std::move(ids));
    logprob.push_back(Value::ArrayOf(result.logprob));
    offsets.push_back(Value::ArrayOf(result.offsets));
    Value::Array rows;
    for (const std::vector<float>& row : result.full_logprob) {
      rows.push_back(Value::ArrayOf(std::vector<double>(row.begin(), row.end())));
    }
    full_logprob.emplace_back(std::move(rows));
  }
  Value value;
  value.Set("sentences", std::move(sentences));
  value.Set("tokens", std::move(tokens));
  value.Set("token_ids", std::move(token_ids));
  value.Set("logprob", job.logprobs || job.all_probs ? Value(std::move(logprob)) : Value());
  if (job.all_probs) value.Set("full_logprob", std::move(full_logprob));
  value.Set("offsets", std::move(offsets));
  // Nothing is drawn without sampling.
  value.Set("seed", job.greedy() ? Value() : Value(static_cast<int64_t>(answer.seed)));
  value.Set("timing", Timing(answer));
  return value;
}

std::string Summary(const Answer& answer) {
  const Counts counts = CountTokens(answer);
  return Format(
      "{} prompt tokens, {} generated in {:.2f} s, {:.1f} tokens/s; loading took {:.2f} s; {}, "
      "{}, seed {}",
      counts.prompt_tokens, counts.generated_tokens, answer.generate_seconds, Rate(counts, answer),
      answer.load_seconds, answer.layout, answer.backend, answer.seed);
}

}  // namespace nemo
