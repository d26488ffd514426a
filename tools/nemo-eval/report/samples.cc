#include "tools/nemo-eval/report/samples.h"

#include <algorithm>
#include <cstdlib>

#include "libcore/base/json.h"
#include "libcore/text/tokenizer.h"

namespace nemo {
namespace {

constexpr size_t kMaxContextBytes = 3000;
constexpr size_t kMaxAnswerBytes = 4000;

bool ContinuesCharacter(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

/// The end of a context, which is the question; `*cut` characters are missing before it.
std::string Tail(const std::string& text, int64_t* cut) {
  *cut = 0;
  if (text.size() <= kMaxContextBytes) return text;
  size_t begin = text.size() - kMaxContextBytes;
  while (begin < text.size() && ContinuesCharacter(text[begin])) ++begin;
  *cut = CountCharacters(std::string_view(text).substr(0, begin));
  return text.substr(begin);
}

std::string Head(const std::string& text) {
  size_t size = std::min(text.size(), kMaxAnswerBytes);
  while (size < text.size() && size > 0 && ContinuesCharacter(text[size])) --size;
  return text.substr(0, size);
}

std::string TextOf(const Value* value) {
  if (value == nullptr || value->is_null()) return "";
  return value->is_string() ? value->as_string() : ToJson(*value);
}

/// Element `i` of a list, or nullptr.
const Value* Element(const Value* list, size_t i) {
  if (list == nullptr || !list->is_array() || i >= list->as_array().size()) return nullptr;
  return &list->as_array()[i];
}

// Files hold texts or numbers here: "-13.06" and "False".
Value NumberOf(const Value* value) {
  if (value != nullptr && value->is_number()) return *value;
  const std::string text = TextOf(value);
  char* end = nullptr;
  const double number = std::strtod(text.c_str(), &end);
  return text.empty() || *end != '\0' ? Value() : Value(number);
}

bool IsTrue(const Value* value) {
  if (value != nullptr && value->is_bool()) return value->as_bool();
  return TextOf(value) == "True";
}

/// {"gen_args_0": {"arg_0": context, "arg_1": continuation}, ...} in order.
std::vector<const Value*> RequestsOf(const Value& row) {
  std::vector<const Value*> requests;
  const Value* arguments = row.Find("arguments");
  for (size_t i = 0; arguments != nullptr; ++i) {
    const Value* request = arguments->Find("gen_args_" + std::to_string(i));
    if (request == nullptr) break;
    requests.push_back(request);
  }
  return requests;
}

Value ChoicesOf(const Value& row, const std::vector<const Value*>& requests) {
  const std::string first = TextOf(requests[0]->Find("arg_0"));
  Value::Array choices;
  for (size_t i = 0; i < requests.size(); ++i) {
    // A response is [[sum, is greedy]].
    const Value* pair = Element(Element(row.Find("resps"), i), 0);
    Value choice;
    choice.Set("text", TextOf(requests[i]->Find("arg_1")));
    const std::string context = TextOf(requests[i]->Find("arg_0"));
    int64_t cut = 0;
    if (context != first) choice.Set("context", Tail(context, &cut));
    choice.Set("ll", NumberOf(Element(pair, 0)));
    choice.Set("greedy", IsTrue(Element(pair, 1)));
    choices.push_back(std::move(choice));
  }
  return Value(std::move(choices));
}

/// The mean of the row's metrics.
Value ScoreOf(const Value& row) {
  const Value* metrics = row.Find("metrics");
  if (metrics == nullptr || !metrics->is_array()) return Value();
  double sum = 0;
  int64_t count = 0;
  for (const Value& name : metrics->as_array()) {
    const Value* value = name.is_string() ? row.Find(name.as_string()) : nullptr;
    if (value == nullptr || !value->is_number()) continue;
    sum += value->as_double();
    ++count;
  }
  return count == 0 ? Value() : Value(sum / static_cast<double>(count));
}

Value BrowserRow(const Value& row) {
  Value out;
  out.Set("id", NumberOf(row.Find("doc_id")));
  out.Set("filter", TextOf(row.Find("filter")));
  out.Set("score", ScoreOf(row));
  out.Set("target", Head(TextOf(row.Find("target"))));
  const std::vector<const Value*> requests = RequestsOf(row);
  if (requests.empty()) return out;
  int64_t cut = 0;
  out.Set("context", Tail(TextOf(requests[0]->Find("arg_0")), &cut));
  if (cut > 0) out.Set("cut", cut);
  if (requests.size() > 1) {
    out.Set("choices", ChoicesOf(row, requests));
    const Value gold = NumberOf(row.Find("target"));
    if (gold.is_number()) out.Set("gold", gold);
  } else {
    out.Set("response", Head(TextOf(Element(Element(row.Find("resps"), 0), 0))));
    out.Set("answer", Head(TextOf(Element(row.Find("filtered_resps"), 0))));
  }
  return out;
}

/// A script element ends at "</script" wherever it stands, and "<!--" changes what its end is.
std::string AsScript(const std::string& json) {
  std::string out;
  for (const char c : json) {
    if (c == '<') {
      out += "\\u003c";
    } else {
      out += c;
    }
  }
  return out;
}

}  // namespace

std::string BrowserData(const std::vector<TaskSamples>& samples, int64_t max_bytes) {
  std::string out = "[";
  int64_t tasks_left = std::ssize(samples);
  for (const TaskSamples& task : samples) {
    // What a task does not need is there for those behind it.
    const int64_t share = std::max<int64_t>(0, max_bytes - std::ssize(out)) / tasks_left--;
    std::string rows;
    for (const Value& row : task.rows) {
      const std::string text = AsScript(ToJson(BrowserRow(row)));
      if (!rows.empty() && std::ssize(rows) + std::ssize(text) > share) break;
      rows += (rows.empty() ? "" : ",\n") + text;
    }
    out += (out.size() == 1 ? "" : ",\n");
    out += "{\"task\":" + AsScript(ToJson(Value(task.task))) +
           ",\"total\":" + std::to_string(task.num_rows) + ",\"rows\":[" + rows + "]}";
  }
  return out + "]";
}

}  // namespace nemo
