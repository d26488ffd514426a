#include "libcore/eval/data_file.h"

#include <algorithm>

#include "libcore/base/format.h"
#include "libcore/base/json.h"
#include "libcore/eval/template.h"

namespace nemo::eval {
namespace {

constexpr size_t kMaxFieldBytes = 16 << 20;

Result<Value> RowOf(std::vector<std::string> fields, const std::vector<std::string>& columns,
                    int64_t line) {
  if (fields.size() != columns.size()) {
    return Corruption(Format("line {}: {} fields, {} were expected ({})", line, fields.size(),
                             columns.size(), FormatList(columns)));
  }
  Value row{Value::Object{}};
  for (size_t i = 0; i < columns.size(); ++i) row.Set(columns[i], std::move(fields[i]));
  return row;
}

// Walks over CSV, a field at a time.
class CsvText {
 public:
  explicit CsvText(std::string_view text) : text_(text) {}
  bool done() const { return at_ >= text_.size(); }
  int64_t line() const { return line_; }

  /// The fields up to the end of the row.
  Result<std::vector<std::string>> Row() {
    std::vector<std::string> fields;
    do {
      NEMO_ASSIGN_OR_RETURN(std::string field, Field());
      fields.push_back(std::move(field));
    } while (Skip(','));
    Skip('\r');
    if (!Skip('\n') && !done()) {
      return Corruption(Format("line {}: text after a closing quote", line_));
    }
    return fields;
  }

 private:
  bool Skip(char c) {
    if (done() || text_[at_] != c) return false;
    ++at_;
    line_ += c == '\n';
    return true;
  }

  Result<std::string> Field() {
    if (Skip('"')) return Quoted();
    const size_t end = std::min(text_.find_first_of(",\n", at_), text_.size());
    std::string field(text_.substr(at_, end - at_));
    at_ = end;
    const bool ends_row = end == text_.size() || text_[end] == '\n';
    if (ends_row && field.ends_with('\r')) field.pop_back();
    return field;
  }

  Result<std::string> Quoted() {
    const int64_t begin = line_;
    std::string field;
    while (!done()) {
      if (Skip('"')) {
        if (!Skip('"')) return field;
        field += '"';
        continue;
      }
      field += text_[at_];
      Skip(text_[at_]);
      if (field.size() > kMaxFieldBytes) break;
    }
    return Corruption(Format("line {}: a quoted field does not end", begin));
  }

  std::string_view text_;
  size_t at_ = 0;
  int64_t line_ = 1;
};

/// Calls `take(line, number)` for each line, without its end.
template <typename Take>
Status ForEachLine(std::string_view text, const Take& take) {
  for (int64_t number = 1; !text.empty(); ++number) {
    const size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    if (line.ends_with('\r')) line.remove_suffix(1);
    NEMO_RETURN_IF_ERROR(take(line, number));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return OkStatus();
}

std::vector<std::string> SplitTabs(std::string_view line) {
  std::vector<std::string> fields;
  for (size_t tab; (tab = line.find('\t')) != line.npos; line.remove_prefix(tab + 1)) {
    fields.emplace_back(line.substr(0, tab));
  }
  fields.emplace_back(line);
  return fields;
}

std::string FormatOf(std::string_view name) {
  for (std::string_view ending : {".csv", ".tsv", ".jsonl", ".json"}) {
    if (name.ends_with(ending)) return std::string(ending.substr(1));
  }
  return "";
}

Result<std::vector<Value>> Parse(const DataSpec& spec, std::string_view name,
                                 std::string_view text) {
  const std::string format = spec.format.empty() ? FormatOf(name) : spec.format;
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  if (format == "csv") return ParseCsv(text, spec.columns);
  if (format == "tsv") return ParseTsv(text, spec.columns);
  if (format == "jsonl") return ParseJsonl(text);
  if (format == "json") return ParseJsonRows(text, spec.path);
  return InvalidArgument(
      Format("the format of {} is not known: say `format: csv`, tsv, jsonl or json", name));
}

bool Passes(const DataSpec& spec, const Value& row) {
  return std::all_of(spec.where.begin(), spec.where.end(), [&](const auto& condition) {
    const Value* field = row.Find(condition.first);
    return field != nullptr && TextOf(*field) == condition.second;
  });
}

std::vector<Value> Chosen(const DataSpec& spec, std::vector<Value> rows) {
  const int64_t end = spec.rows_end < 0 ? std::ssize(rows) : spec.rows_end;
  std::vector<Value> chosen;
  for (int64_t i = spec.rows_begin; i < std::min<int64_t>(end, std::ssize(rows)); ++i) {
    if (Passes(spec, rows[i])) chosen.push_back(std::move(rows[i]));
  }
  return chosen;
}

}  // namespace

Result<std::vector<Value>> ParseCsv(std::string_view text,
                                    const std::vector<std::string>& columns) {
  std::vector<Value> rows;
  for (CsvText csv(text); !csv.done();) {
    const int64_t line = csv.line();
    NEMO_ASSIGN_OR_RETURN(std::vector<std::string> fields, csv.Row());
    if (fields.size() == 1 && fields[0].empty()) continue;
    NEMO_ASSIGN_OR_RETURN(Value row, RowOf(std::move(fields), columns, line));
    rows.push_back(std::move(row));
  }
  return rows;
}

Result<std::vector<Value>> ParseTsv(std::string_view text,
                                    const std::vector<std::string>& columns) {
  std::vector<Value> rows;
  NEMO_RETURN_IF_ERROR(ForEachLine(text, [&](std::string_view line, int64_t number) -> Status {
    if (line.empty()) return OkStatus();
    NEMO_ASSIGN_OR_RETURN(Value row, RowOf(SplitTabs(line), columns, number));
    rows.push_back(std::move(row));
    return OkStatus();
  }));
  return rows;
}

Result<std::vector<Value>> ParseJsonl(std::string_view text) {
  std::vector<Value> rows;
  NEMO_RETURN_IF_ERROR(ForEachLine(text, [&](std::string_view line, int64_t number) -> Status {
    if (line.find_first_not_of(" \t") == line.npos) return OkStatus();
    Result<Value> row = ParseJson(line);
    if (!row) return row.error().At(Format("line {}", number));
    if (!row->is_object()) {
      return Corruption(
          Format("line {}: a {} where a mapping was expected", number, row->type_name()));
    }
    rows.push_back(std::move(*row));
    return OkStatus();
  }));
  return rows;
}

Result<std::vector<Value>> ParseJsonRows(std::string_view text, std::string_view path) {
  NEMO_ASSIGN_OR_RETURN(const Value document, ParseJson(text));
  const Value* rows = path.empty() ? &document : document.Find(path);
  if (rows == nullptr || !rows->is_array()) {
    return Corruption(path.empty() ? std::string("not a list of rows")
                                   : Format("there is no list {}", path));
  }
  for (const Value& row : rows->as_array()) {
    if (!row.is_object()) return Corruption("a row that is no mapping");
  }
  return rows->as_array();
}

Result<std::vector<Value>> ReadRows(const DataSpec& spec, const FileReader& read) {
  for (const std::string& name : spec.files) {
    const Result<std::string> text = read(name);
    if (!text && text.error().code() == StatusCode::kNotFound) continue;
    if (!text) return text.error();
    Result<std::vector<Value>> rows = Parse(spec, name, *text);
    if (!rows) return rows.error().At(name);
    return Chosen(spec, std::move(*rows));
  }
  return NotFound(Format("none of the files {} is in the data folder", FormatList(spec.files)));
}

}  // namespace nemo::eval
