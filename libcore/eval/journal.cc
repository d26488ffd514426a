#include "libcore/eval/journal.h"

#include <algorithm>
#include <span>

#include "libcore/base/format.h"
#include "libcore/base/json.h"

namespace nemo::eval {
namespace {

constexpr int64_t kMaxBytes = int64_t{1} << 34;
constexpr std::string_view kVersionKey = "nemo_eval_journal";
constexpr int64_t kVersion = 1;

std::string HeadLine(std::string_view key) {
  Value head;
  head.Set(std::string_view(kVersionKey), kVersion);
  head.Set("run", key);
  return ToJson(head) + "\n";
}

Status CheckHead(const Value& head, std::string_view key) {
  const Result<int64_t> version = head.GetInt(kVersionKey);
  if (!version) return Corruption("line 1: not the head of a journal of nemo-eval");
  if (*version != kVersion) {
    return InvalidArgument(
        Format("the journal is of version {}, and this tool writes {}", *version, kVersion));
  }
  const Result<std::string> run = head.GetString("run");
  if (run && *run == key) return OkStatus();
  return InvalidArgument(
      "the journal is of another run: other weights, tasks, data or options; take another "
      "--output, or begin anew with --force");
}

Result<EvalResponse> ResponseFrom(const Value& value) {
  if (value.is_string()) return EvalResponse{0, false, value.as_string()};
  if (value.is_array() && value.as_array().size() == 2 && value.as_array()[0].is_number() &&
      value.as_array()[1].is_bool()) {
    return EvalResponse{value.as_array()[0].as_double(), value.as_array()[1].as_bool(), ""};
  }
  return Corruption("a response was expected: a text, or [number, true or false]");
}

Status AddRecord(const Value& line, Journal::Records& records) {
  NEMO_ASSIGN_OR_RETURN(std::string task, line.GetString("task"));
  NEMO_ASSIGN_OR_RETURN(const int64_t doc, line.GetInt("doc"));
  NEMO_ASSIGN_OR_RETURN(const Value::Array* list, line.GetArray("responses"));
  Responses responses;
  for (const Value& value : *list) {
    NEMO_ASSIGN_OR_RETURN(EvalResponse response, ResponseFrom(value));
    responses.push_back(std::move(response));
  }
  records[{std::move(task), doc}] = std::move(responses);
  return OkStatus();
}

Value ToValue(const EvalResponse& response, RequestKind kind) {
  if (kind == RequestKind::kGenerate) return Value(response.text);
  return Value(Value::Array{response.logprob, response.is_greedy});
}

}  // namespace

Result<std::pair<Journal::Records, int64_t>> ParseJournal(std::string_view text,
                                                          std::string_view key) {
  Journal::Records records;
  int64_t whole = 0;
  for (int64_t number = 1; whole < std::ssize(text); ++number) {
    const size_t end = text.find('\n', whole);
    if (end == text.npos) break;  // torn: its sample is asked about again
    const Result<Value> line = ParseJson(text.substr(whole, end - whole));
    Status status = !line         ? line.error()
                    : number == 1 ? CheckHead(*line, key)
                                  : AddRecord(*line, records);
    if (!status.ok()) {
      // A crash of the machine can leave the last line whole in length only.
      if (number > 1 && end + 1 == text.size()) break;
      return number == 1 ? status : status.At(Format("line {}", number));
    }
    whole = static_cast<int64_t>(end) + 1;
  }
  return std::pair(std::move(records), whole);
}

Result<std::unique_ptr<Journal>> Journal::Begin(const std::string& path, std::string_view key) {
  NEMO_ASSIGN_OR_RETURN(std::unique_ptr<WritableFile> file, OpenForWrite(path, /*truncate=*/true));
  const std::string head = HeadLine(key);
  NEMO_RETURN_IF_ERROR(file->WriteAt(0, std::as_bytes(std::span(head))));
  return std::unique_ptr<Journal>(new Journal(std::move(file), std::ssize(head), {}));
}

Result<std::unique_ptr<Journal>> Journal::Continue(const std::string& path, std::string_view key) {
  NEMO_ASSIGN_OR_RETURN(const std::string text, ReadAllFrom(path, kMaxBytes));
  auto parsed = ParseJournal(text, key);
  if (!parsed) return parsed.error().At(path);
  auto& [records, whole] = *parsed;
  if (whole == 0) return Begin(path, key);
  NEMO_ASSIGN_OR_RETURN(std::unique_ptr<WritableFile> file, OpenForWrite(path, /*truncate=*/false));
  NEMO_RETURN_IF_ERROR(file->Truncate(whole));
  return std::unique_ptr<Journal>(new Journal(std::move(file), whole, std::move(records)));
}

std::string JournalLine(const std::string& task, int64_t doc_index, const Responses& responses,
                        RequestKind kind) {
  Value line;
  line.Set("task", task);
  line.Set("doc", doc_index);
  Value::Array list;
  for (const EvalResponse& response : responses) list.push_back(ToValue(response, kind));
  line.Set("responses", Value(std::move(list)));
  return ToJson(line) + "\n";
}

Result<Journal::Records> ParseJournalLines(std::string_view lines) {
  Journal::Records records;
  while (!lines.empty()) {
    const size_t end = std::min(lines.find('\n'), lines.size());
    NEMO_ASSIGN_OR_RETURN(const Value line, ParseJson(lines.substr(0, end)));
    NEMO_RETURN_IF_ERROR(AddRecord(line, records));
    lines.remove_prefix(std::min(end + 1, lines.size()));
  }
  return records;
}

Status Journal::Add(const std::string& task, int64_t doc_index, const Responses& responses,
                    RequestKind kind) {
  return AddLines(JournalLine(task, doc_index, responses, kind));
}

Status Journal::AddLines(std::string_view lines) {
  NEMO_RETURN_IF_ERROR(file_->WriteAt(size_bytes_, std::as_bytes(std::span(lines))));
  size_bytes_ += std::ssize(lines);
  return OkStatus();
}

Status Journal::TakeOver(const std::string& path, std::string_view key) {
  NEMO_ASSIGN_OR_RETURN(const std::string text, ReadAllFrom(path, kMaxBytes));
  auto parsed = ParseJournal(text, key);
  if (!parsed) return parsed.error().At(path);
  auto& [records, whole] = *parsed;
  const size_t head = std::min(text.find('\n'), text.size() - 1) + 1;
  if (whole > 0) {
    NEMO_RETURN_IF_ERROR(AddLines(std::string_view(text).substr(head, whole - head)));
  }
  records_.merge(records);
  return OkStatus();
}

}  // namespace nemo::eval
