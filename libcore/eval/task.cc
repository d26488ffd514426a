#include "libcore/eval/task.h"

#include <algorithm>
#include <numeric>

#include "libcore/base/format.h"
#include "libcore/eval/python_random.h"

namespace nemo::eval {
namespace {

constexpr uint32_t kFewshotSeed = 1234;  // the harness' --seed for examples, unless told otherwise

/// The row with the task's fields.
Result<Value> ScopeOf(const TaskSpec& task, const Value& row) {
  Value scope = row;
  int64_t size_bytes = 0;
  const auto add = [&](const std::string& name, std::string text) {
    size_bytes += std::ssize(text);
    scope.Set(name, std::move(text));
    return CheckTextBytes(size_bytes);
  };
  for (const FieldSpec& field : task.fields) {
    if (field.list.empty()) {
      NEMO_ASSIGN_OR_RETURN(std::string text, field.value.Render(scope));
      NEMO_RETURN_IF_ERROR(add(field.name, std::move(text)));
      continue;
    }
    NEMO_ASSIGN_OR_RETURN(const std::vector<std::string> texts, RenderList(field.list, scope));
    if (!field.join) {
      for (const std::string& text : texts) size_bytes += std::ssize(text);
      NEMO_RETURN_IF_ERROR(CheckTextBytes(size_bytes));
      scope.Set(field.name, Value::ArrayOf(texts));
      continue;
    }
    std::string joined;
    for (size_t i = 0; i < texts.size(); ++i) joined += (i == 0 ? "" : *field.join) + texts[i];
    NEMO_RETURN_IF_ERROR(add(field.name, std::move(joined)));
  }
  return scope;
}

Result<std::vector<int64_t>> DocumentsOf(const TaskOptions& options, int64_t num_rows) {
  std::vector<int64_t> documents = options.documents;
  if (documents.empty()) {
    documents.resize(num_rows);
    std::iota(documents.begin(), documents.end(), 0);
  }
  if (options.limit >= 0 && options.limit < std::ssize(documents)) documents.resize(options.limit);
  for (const int64_t document : documents) {
    if (document < 0 || document >= num_rows) {
      return InvalidArgument(Format("document {}: there are {}", document, num_rows));
    }
  }
  return documents;
}

Result<std::vector<Value>> ShotRows(const TaskSpec& task, const FileReader& read,
                                    const TaskOptions& options) {
  if (!options.fewshot_source.empty()) return ReadRows(options.fewshot_source[0], read);
  if (!task.fewshot.samples.empty()) return task.fewshot.samples;
  if (task.fewshot.data.empty()) {
    return InvalidArgument("this task has no examples: --num-fewshot 0");
  }
  return ReadRows(task.fewshot.data, read);
}

}  // namespace

Result<TaskData> TaskData::Load(const TaskSpec& task, const FileReader& read,
                                const TaskOptions& options) {
  TaskData data;
  data.task_ = &task;
  data.num_fewshot_ =
      options.num_fewshot < 0 || task.num_fewshot_fixed ? task.num_fewshot : options.num_fewshot;
  NEMO_ASSIGN_OR_RETURN(data.rows_, ReadRows(task.data, read));
  NEMO_ASSIGN_OR_RETURN(data.documents_, DocumentsOf(options, data.num_rows()));
  if (data.documents_.empty()) return InvalidArgument("there is no row to ask about");
  if (data.num_fewshot_ == 0) return data;
  Result<std::vector<Value>> shots = ShotRows(task, read, options);
  if (!shots) return shots.error().At("examples");
  data.shot_rows_ = std::move(*shots);
  const int64_t needed = data.num_fewshot_ + (task.fewshot.others_only ? 1 : 0);
  if (needed > std::ssize(data.shot_rows_)) {
    return InvalidArgument(Format("{} examples are wanted, and there are {} to draw from",
                                  data.num_fewshot_, data.shot_rows_.size()));
  }
  return data;
}

// Where the document might be among the examples one more is drawn, and the document left out. If
// it was drawn twice, because the rows hold it twice, the harness draws again without it.
std::vector<const Value*> TaskData::Shots(PythonRandom& random, const Value& document) const {
  const bool others_only = task_->fewshot.others_only;
  const auto is_other = [&](const Value& row) { return !others_only || !(row == document); };
  std::vector<const Value*> shots;
  const auto take = [&](const Value& row) {
    if (std::ssize(shots) < num_fewshot_ && is_other(row)) shots.push_back(&row);
  };
  if (!task_->fewshot.random) {
    for (const Value& row : shot_rows_) take(row);
    return shots;
  }
  const int64_t drawn = num_fewshot_ + (others_only ? 1 : 0);
  for (const int64_t i : random.Sample(std::ssize(shot_rows_), drawn)) take(shot_rows_[i]);
  if (std::ssize(shots) == num_fewshot_) return shots;
  std::vector<const Value*> others;
  for (const Value& row : shot_rows_) {
    if (is_other(row)) others.push_back(&row);
  }
  if (std::ssize(others) < num_fewshot_) return others;
  shots.clear();
  for (const int64_t i : random.Sample(std::ssize(others), num_fewshot_)) {
    shots.push_back(others[i]);
  }
  return shots;
}

Result<std::string> TaskData::Head(PythonRandom& random, const Value& document,
                                   const Value& scope) const {
  NEMO_ASSIGN_OR_RETURN(const KindRow* kind, FindKind(task_->kind));
  NEMO_ASSIGN_OR_RETURN(std::string head, task_->description.Render(scope));
  if (num_fewshot_ == 0) return head;
  for (const Value* row : Shots(random, document)) {
    NEMO_ASSIGN_OR_RETURN(const Value shot_scope, ScopeOf(*task_, *row));
    NEMO_ASSIGN_OR_RETURN(const std::string shot, kind->shot(*task_, shot_scope));
    head.append(shot).append(task_->fewshot_delimiter);
    NEMO_RETURN_IF_ERROR(CheckTextBytes(std::ssize(head)));
  }
  return head;
}

Result<std::vector<Sample>> TaskData::Samples() const {
  NEMO_ASSIGN_OR_RETURN(const KindRow* kind, FindKind(task_->kind));
  PythonRandom random(kFewshotSeed);
  std::vector<Sample> samples;
  const auto build = [&](int64_t index) -> Status {
    Sample sample;
    sample.doc_index = index;
    sample.doc = rows_[index];
    NEMO_ASSIGN_OR_RETURN(sample.scope, ScopeOf(*task_, sample.doc));
    NEMO_ASSIGN_OR_RETURN(const std::string head, Head(random, sample.doc, sample.scope));
    NEMO_RETURN_IF_ERROR(kind->ask(*task_, head, sample));
    samples.push_back(std::move(sample));
    return OkStatus();
  };
  for (const int64_t index : documents_) {
    const Status built = build(index);
    if (!built.ok()) return built.At(Format("task {}: row {}", task_->name, index));
  }
  return samples;
}

}  // namespace nemo::eval
