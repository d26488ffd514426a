#include "tools/nemo-bench/report/record.h"

#include <utility>

#include "libcore/base/format.h"
#include "libcore/base/json.h"

namespace nemo {
namespace {

constexpr const char* kKind = "record";

Value ToValue(const Work& work) {
  Value value;
  value.Set("read_bytes", work.read_bytes);
  value.Set("write_bytes", work.write_bytes);
  value.Set("flops", work.flops);
  return value;
}

Result<Work> WorkFromValue(const Value& value) {
  Work work;
  NEMO_ASSIGN_OR_RETURN(work.read_bytes, value.GetDouble("read_bytes"));
  NEMO_ASSIGN_OR_RETURN(work.write_bytes, value.GetDouble("write_bytes"));
  NEMO_ASSIGN_OR_RETURN(work.flops, value.GetDouble("flops"));
  return work;
}

Value RunValue(const Report& report) {
  Value run;
  run.Set("verb", report.verb);
  run.Set("subject", report.subject);
  run.Set("threads", report.threads);
  run.Set("machine", report.machine);
  run.Set("before", report.state_before);
  run.Set("after", report.state_after);
  run.Set("limits", report.limits ? ToValue(*report.limits) : Value());
  run.Set("notes", Value::ArrayOf(report.notes));
  return run;
}

Result<std::vector<std::string>> TextsOf(const Value& value, std::string_view key) {
  NEMO_ASSIGN_OR_RETURN(const Value::Array* items, value.GetArray(key));
  std::vector<std::string> texts;
  for (const Value& item : *items) {
    if (!item.is_string()) return Corruption(Format("{}: holds a {}", key, item.type_name()));
    texts.push_back(item.as_string());
  }
  return texts;
}

Status ReadRun(const Value& value, Report* report) {
  NEMO_ASSIGN_OR_RETURN(report->verb, value.GetString("verb"));
  NEMO_ASSIGN_OR_RETURN(report->subject, value.GetString("subject"));
  NEMO_ASSIGN_OR_RETURN(report->threads, value.GetInt("threads"));
  const std::pair<const char*, Value*> parts[] = {{"machine", &report->machine},
                                                  {"before", &report->state_before},
                                                  {"after", &report->state_after}};
  for (const auto& [key, part] : parts) {
    if (const Value* found = value.Find(key)) *part = *found;
  }
  NEMO_ASSIGN_OR_RETURN(report->notes, TextsOf(value, "notes"));
  const Value* limits = value.Find("limits");
  if (limits != nullptr && !limits->is_null()) {
    NEMO_ASSIGN_OR_RETURN(report->limits, LimitsFromValue(*limits));
  }
  return OkStatus();
}

Status ReadRates(const Value& value, Record* record) {
  NEMO_ASSIGN_OR_RETURN(const Value::Object* rates, value.GetObject("rates"));
  for (const auto& [unit, rate] : *rates) {
    if (!rate.is_number()) return Corruption(Format("rates: {} is no number", unit));
    record->rates.push_back({unit, rate.as_double()});
  }
  return OkStatus();
}

Status ReadPeer(const Value& value, Record* record) {
  const Value* found = value.Find("peer");
  if (found == nullptr || found->is_null()) return OkStatus();
  Peer peer;
  NEMO_ASSIGN_OR_RETURN(peer.name, found->GetString("name"));
  const Value* seconds = found->Find("seconds");
  if (seconds == nullptr) return NotFound("peer: no seconds");
  NEMO_ASSIGN_OR_RETURN(peer.time, SummaryFromValue(*seconds));
  record->peer = std::move(peer);
  return OkStatus();
}

Status ReadOptional(const Value& value, std::string_view key, std::optional<double>* out) {
  const Value* found = value.Find(key);
  if (found == nullptr || found->is_null()) return OkStatus();
  NEMO_ASSIGN_OR_RETURN(*out, value.GetDouble(key));
  return OkStatus();
}

Result<Record> RecordFromValue(const Value& value) {
  Record record;
  NEMO_ASSIGN_OR_RETURN(record.name, value.GetString("name"));
  NEMO_ASSIGN_OR_RETURN(record.operation, value.GetString("operation"));
  NEMO_ASSIGN_OR_RETURN(record.shape, value.GetString("shape"));
  NEMO_ASSIGN_OR_RETURN(record.dtype, value.GetString("dtype"));
  NEMO_ASSIGN_OR_RETURN(record.backend, value.GetString("backend"));
  NEMO_ASSIGN_OR_RETURN(record.limit, value.GetString("limit"));
  const Value* seconds = value.Find("seconds");
  if (seconds == nullptr) return NotFound("no seconds");
  NEMO_ASSIGN_OR_RETURN(record.time, SummaryFromValue(*seconds));
  const Value* work = value.Find("work");
  if (work != nullptr && !work->is_null()) {
    NEMO_ASSIGN_OR_RETURN(record.work, WorkFromValue(*work));
  }
  NEMO_RETURN_IF_ERROR(ReadRates(value, &record));
  NEMO_RETURN_IF_ERROR(ReadPeer(value, &record));
  NEMO_RETURN_IF_ERROR(ReadOptional(value, "fraction", &record.fraction));
  NEMO_RETURN_IF_ERROR(ReadOptional(value, "error", &record.error));
  NEMO_ASSIGN_OR_RETURN(record.warnings, TextsOf(value, "warnings"));
  return record;
}

Status Take(const Value& value, std::string_view kind, Report* report) {
  if (kind == "run") return ReadRun(value, report);
  if (kind != "row") return Corruption(Format("\"{}\" is '{}', expected run or row", kKind, kind));
  NEMO_ASSIGN_OR_RETURN(Record record, RecordFromValue(value));
  report->records.push_back(std::move(record));
  return OkStatus();
}

Result<Report> ReportFromValue(const Value& value) {
  Report report;
  NEMO_RETURN_IF_ERROR(ReadRun(*value.Find("run"), &report).At("run"));
  NEMO_ASSIGN_OR_RETURN(const Value::Array* rows, value.GetArray("rows"));
  for (const Value& row : *rows) {
    NEMO_RETURN_IF_ERROR(Take(row, "row", &report).At(Format("row {}", report.records.size() + 1)));
  }
  return report;
}

Result<Report> ReportFromLines(std::string_view text) {
  Report report;
  bool has_run = false;
  for (int64_t number = 1; !text.empty(); ++number) {
    const size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.empty()) continue;
    const std::string where = Format("line {}", number);
    const auto value = ParseJson(line);
    if (!value) return value.error().At(where);
    const auto kind = value->GetString(kKind);
    if (!kind) return Corruption(where + ": no report of nemo-bench");
    NEMO_RETURN_IF_ERROR(Take(*value, *kind, &report).At(where));
    has_run = has_run || *kind == "run";
  }
  if (!has_run) return Corruption("no report of nemo-bench: no line is of the run");
  return report;
}

}  // namespace

const Rate* Record::FindRate(std::string_view unit) const {
  for (const Rate& rate : rates) {
    if (rate.unit == unit) return &rate;
  }
  return nullptr;
}

void AddRoofline(const std::optional<Limits>& limits, Record* record) {
  if (!record->work || record->time.median <= 0) return;
  const Work& work = *record->work;
  record->rates.push_back({"GB/s", work.bytes() / record->time.median / 1e9});
  record->rates.push_back({"TFLOP/s", work.flops / record->time.median / 1e12});
  if (!limits || !limits->known()) return;
  record->limit = LimitName(work, *limits);
  record->fraction = LimitSeconds(work, *limits) / record->time.median;
}

double PeerRatio(const Record& record) {
  NEMO_CHECK(record.peer.has_value());
  return record.peer->time.median / record.time.median;
}

Value ToValue(const Record& record) {
  Value value;
  value.Set("name", record.name);
  value.Set("operation", record.operation);
  value.Set("shape", record.shape);
  value.Set("dtype", record.dtype);
  value.Set("backend", record.backend);
  value.Set("seconds", ToValue(record.time));
  value.Set("work", record.work ? ToValue(*record.work) : Value());
  Value rates = Value(Value::Object());
  for (const Rate& rate : record.rates) rates.Set(rate.unit, rate.value);
  value.Set("rates", std::move(rates));
  value.Set("limit", record.limit);
  value.Set("fraction", record.fraction ? Value(*record.fraction) : Value());
  value.Set("error", record.error ? Value(*record.error) : Value());
  Value peer;
  if (record.peer) {
    peer.Set("name", record.peer->name);
    peer.Set("seconds", ToValue(record.peer->time));
    peer.Set("ratio", PeerRatio(record));
  }
  value.Set("peer", std::move(peer));
  value.Set("warnings", Value::ArrayOf(record.warnings));
  return value;
}

Value ToValue(const Report& report) {
  Value::Array rows;
  for (const Record& record : report.records) rows.push_back(ToValue(record));
  Value value;
  value.Set("run", RunValue(report));
  value.Set("rows", std::move(rows));
  return value;
}

std::string ToJsonLines(const Report& report) {
  const auto line = [](const char* kind, const Value& members) {
    Value value;
    value.Set(kKind, kind);
    for (const auto& [key, member] : members.as_object()) value.Set(key, member);
    return ToJson(value) + "\n";
  };
  std::string text = line("run", RunValue(report));
  for (const Record& record : report.records) text += line("row", ToValue(record));
  return text;
}

Result<Report> ParseReport(std::string_view text) {
  const auto whole = ParseJson(text);
  if (whole && whole->Find("run") != nullptr) return ReportFromValue(*whole);
  return ReportFromLines(text);
}

}  // namespace nemo
