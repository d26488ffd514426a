#include "libcore/eval/task_spec.h"

#include <algorithm>

#include "libcore/base/format.h"
#include "libcore/base/yaml.h"
#include "libcore/eval/metric.h"
#include "libcore/eval/registry.h"
#include "libcore/eval/spec_reader.h"
#include "libcore/eval/substitute.h"

namespace nemo::eval {
namespace {

// ---- the parts of a task -----------------------------------------------------------------------

/// Runs `parse` on the value and notes its error under `key`.
template <typename T, typename Parse>
T Parsed(SpecReader& reader, std::string_view key, const Parse& parse) {
  Result<T> result = parse();
  if (result) return std::move(*result);
  reader.Note(result.error().At(key));
  return T();
}

Template ReadTemplate(SpecReader& reader, std::string_view key) {
  const std::string text = reader.Text(key);
  return Parsed<Template>(reader, key, [&] { return Template::Parse(text); });
}

Result<ListSpec> ParseList(const Value& spec) {
  ListSpec list;
  if (spec.is_array()) {
    for (const Value& value : spec.as_array()) {
      NEMO_ASSIGN_OR_RETURN(Template item, Template::Parse(TextOf(value)));
      list.items.push_back(std::move(item));
    }
    return list;
  }
  SpecReader reader(spec);
  const std::string each = reader.Text("each");
  list.item = ReadTemplate(reader, "value");
  reader.Any("join");  // a field's own
  NEMO_RETURN_IF_ERROR(reader.Done());
  if (each.empty() || list.item.empty()) return InvalidArgument("`each` and `value` go together");
  list.each = SplitPath(each);
  return list;
}

ListSpec ReadList(SpecReader& reader, std::string_view key) {
  const Value* value = reader.Any(key);
  if (value == nullptr) return {};
  return Parsed<ListSpec>(reader, key, [&] { return ParseList(*value); });
}

Result<FieldSpec> ParseField(const std::string& name, const Value& spec) {
  FieldSpec field;
  field.name = name;
  if (spec.is_array() || spec.is_object()) {
    NEMO_ASSIGN_OR_RETURN(field.list, ParseList(spec));
    const Value* join = spec.Find("join");
    if (join != nullptr) field.join = TextOf(*join);
    return field;
  }
  NEMO_ASSIGN_OR_RETURN(field.value, Template::Parse(TextOf(spec)));
  return field;
}

std::vector<FieldSpec> ReadFields(SpecReader& reader) {
  std::vector<FieldSpec> fields;
  const Value* specs = reader.Mapping("fields");
  if (specs == nullptr) return fields;
  for (const auto& field : specs->as_object()) {  // no structured binding: clang 14 captures none
    fields.push_back(Parsed<FieldSpec>(reader, field.first,
                                       [&] { return ParseField(field.first, field.second); }));
  }
  return fields;
}

/// `rows: [begin, end]`; an end that is null, or left out, is the file's.
void ReadRange(SpecReader& reader, DataSpec& data) {
  const Value* range = reader.List("rows");
  if (range == nullptr) return;
  const Value::Array& ends = range->as_array();
  const bool open = ends.size() == 1 || (ends.size() == 2 && ends[1].is_null());
  const bool good = !ends.empty() && ends.size() <= 2 && ends[0].is_int() &&
                    ends[0].as_int() >= 0 &&
                    (open || (ends[1].is_int() && ends[1].as_int() >= ends[0].as_int()));
  if (!good) return reader.Note(InvalidArgument("rows: [begin, end] was expected"));
  data.rows_begin = ends[0].as_int();
  data.rows_end = open ? -1 : ends[1].as_int();
}

DataSpec ReadData(SpecReader& reader) {
  DataSpec data;
  data.files = reader.Texts("files");
  data.format = reader.Text("format");
  data.columns = reader.Texts("columns");
  data.path = reader.Text("path");
  ReadRange(reader, data);
  if (const Value* where = reader.Mapping("where")) {
    for (const auto& [field, value] : where->as_object()) {
      data.where.emplace_back(field, TextOf(value));
    }
  }
  return data;
}

Result<DataSpec> ParseData(const Value& spec) {
  SpecReader reader(spec);
  DataSpec data = ReadData(reader);
  NEMO_RETURN_IF_ERROR(reader.Done());
  if (data.files.empty()) return InvalidArgument("`files` is needed");
  return data;
}

std::optional<Template> ReadOptional(SpecReader& reader, std::string_view key) {
  Template text = ReadTemplate(reader, key);
  if (text.empty()) return std::nullopt;
  return text;
}

Result<FewshotSpec> ParseFewshot(const Value& spec) {
  SpecReader reader(spec);
  FewshotSpec shots;
  shots.data = ReadData(reader);
  if (const Value* samples = reader.List("samples")) shots.samples = samples->as_array();
  const std::string draw = reader.Text("draw", "first");
  shots.random = draw == "random";
  shots.others_only = reader.Flag("others_only");
  shots.question = ReadOptional(reader, "question");
  shots.answer = ReadOptional(reader, "answer");
  NEMO_RETURN_IF_ERROR(reader.Done());
  if (draw != "random" && draw != "first") {
    return InvalidArgument(Format("draw: first or random, not '{}'", draw));
  }
  return shots;
}

Result<MetricSpec> ParseMetric(const Value& spec) {
  MetricSpec metric;
  const bool plain = spec.is_string();
  if (!plain && !(spec.is_object() && spec.as_object().size() == 1)) {
    return InvalidArgument("the name of a metric, or {NAME: {options}}, was expected");
  }
  metric.name = plain ? spec.as_string() : spec.as_object()[0].first;
  NEMO_RETURN_IF_ERROR(FindMetric(metric.name).error());
  if (plain) return metric;
  SpecReader reader(spec.as_object()[0].second);
  metric.ignore_case = reader.Flag("ignore_case");
  metric.ignore_punctuation = reader.Flag("ignore_punctuation");
  for (const std::string& pattern : reader.Texts("ignore")) {
    NEMO_ASSIGN_OR_RETURN(Regex regex, Regex::Compile(pattern));
    metric.ignore.push_back(std::move(regex));
  }
  NEMO_RETURN_IF_ERROR(reader.Done());
  return metric;
}

template <typename T, typename Parse>
std::vector<T> ReadEvery(SpecReader& reader, std::string_view key, const Parse& parse) {
  std::vector<T> all;
  const Value* list = reader.List(key);
  if (list == nullptr) return all;
  for (const Value& value : list->as_array()) {
    Result<T> one = parse(value);
    if (one) {
      all.push_back(std::move(*one));
    } else {
      reader.Note(one.error().At(key));
    }
  }
  return all;
}

void ReadQuestion(SpecReader& reader, TaskSpec& task) {
  task.fields = ReadFields(reader);
  task.description = ReadTemplate(reader, "description");
  task.question = ReadTemplate(reader, "question");
  task.target_delimiter = reader.Text("target_delimiter", " ");
  task.fewshot_delimiter = reader.Text("fewshot_delimiter", "\n\n");
  task.contexts = ReadList(reader, "contexts");
  task.choices = ReadList(reader, "choices");
  task.gold = ReadTemplate(reader, "gold");
  task.gold_among = ReadList(reader, "gold_among");
}

void ReadAnswer(SpecReader& reader, TaskSpec& task) {
  task.target = ReadTemplate(reader, "target");
  task.program = ReadTemplate(reader, "program");
  task.until = reader.Texts("until");
  task.max_tokens = reader.Integer("max_tokens", 256, 1);
  task.filters = ReadEvery<Filter>(reader, "filters", Filter::Parse);
  if (task.filters.empty()) task.filters.push_back(Filter::None());
  task.metrics = ReadEvery<MetricSpec>(reader, "metrics", ParseMetric);
}

void ReadSplits(SpecReader& reader, TaskSpec& task) {
  if (const Value* data = reader.Mapping("data")) {
    task.data = Parsed<DataSpec>(reader, "data", [&] { return ParseData(*data); });
  }
  if (const Value* shots = reader.Mapping("fewshot")) {
    task.fewshot = Parsed<FewshotSpec>(reader, "fewshot", [&] { return ParseFewshot(*shots); });
  }
  task.num_fewshot = reader.Integer("num_fewshot", 0);
  task.num_fewshot_fixed = reader.Flag("num_fewshot_fixed");
}

bool IsTaskName(std::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '-' || c == '.';
  });
}

Result<TaskSpec> ParseTask(const Value& spec) {
  SpecReader reader(spec);
  TaskSpec task;
  task.name = reader.Text("name");
  if (!IsTaskName(task.name)) {
    return InvalidArgument(
        Format("name: letters, digits, _, - and . were expected, not '{}'", task.name));
  }
  task.alias = reader.Text("alias", task.name);
  task.kind = reader.Text("kind");
  task.variant = reader.Text("variant");
  task.groups = reader.Texts("groups");
  reader.Any("for_each");  // the loop around the task
  ReadSplits(reader, task);
  ReadQuestion(reader, task);
  ReadAnswer(reader, task);
  NEMO_RETURN_IF_ERROR(reader.Done());
  NEMO_ASSIGN_OR_RETURN(const KindRow* kind, FindKind(task.kind));
  if (task.data.empty()) return InvalidArgument("`data` is needed");
  if (task.metrics.empty()) return InvalidArgument("`metrics` is needed");
  NEMO_RETURN_IF_ERROR(kind->check(task));
  return task;
}

Result<GroupSpec> ParseGroup(const Value& spec) {
  SpecReader reader(spec);
  GroupSpec group;
  group.name = reader.Text("name");
  group.alias = reader.Text("alias", group.name);
  group.members = reader.Texts("members");
  group.metrics = reader.Texts("metrics");
  NEMO_RETURN_IF_ERROR(reader.Done());
  if (!IsTaskName(group.name)) return InvalidArgument("a group needs a `name`");
  return group;
}

/// The rows that `for_each: TABLE` names; one empty row where the task is no loop.
Result<Value::Array> RowsOf(const Value& task, const Value& suite) {
  const Value* name = task.Find("for_each");
  if (name == nullptr) return Value::Array{Value(Value::Object{})};
  const Value* tables = suite.Find("tables");
  const Value* table =
      tables == nullptr || !name->is_string() ? nullptr : tables->Find(name->as_string());
  if (table == nullptr || !table->is_array()) {
    return InvalidArgument(Format("for_each: there is no list {} under `tables`", TextOf(*name)));
  }
  return table->as_array();
}

std::string PlaceOf(const Value& task) {
  const Value* name = task.Find("name");
  return Format("task {}", name == nullptr ? "without a name" : TextOf(*name));
}

Status AddTasks(const Value& suite, const Value& spec, SuiteRoom& room,
                std::vector<TaskSpec>& tasks) {
  const Result<Value::Array> rows = RowsOf(spec, suite);
  if (!rows) return rows.error().At(PlaceOf(spec));
  for (const Value& row : *rows) {
    NEMO_RETURN_IF_ERROR(room.Take(SuiteRoom::kTaskBytes));
    const Result<Value> one = Substitute(spec, row, room);
    if (!one) return one.error().At(PlaceOf(spec));
    Result<TaskSpec> task = ParseTask(*one);
    if (!task) return task.error().At(PlaceOf(*one));
    tasks.push_back(std::move(*task));
  }
  return OkStatus();
}

}  // namespace

Result<SuiteSpec> ParseSuite(std::string_view yaml) {
  NEMO_ASSIGN_OR_RETURN(const Value document, ParseYaml(yaml));
  SpecReader reader(document);
  SuiteSpec suite;
  reader.Mapping("tables");
  const Value* tasks = reader.List("tasks");
  suite.groups = ReadEvery<GroupSpec>(reader, "groups", ParseGroup);
  NEMO_RETURN_IF_ERROR(reader.Done());
  if (tasks == nullptr) return InvalidArgument("a list `tasks` is needed");
  SuiteRoom room;
  for (const Value& task : tasks->as_array()) {
    NEMO_RETURN_IF_ERROR(AddTasks(document, task, room, suite.tasks));
  }
  return suite;
}

}  // namespace nemo::eval
