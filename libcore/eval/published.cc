#include "libcore/eval/published.h"

#include <algorithm>

#include "libcore/base/yaml.h"
#include "libcore/eval/spec_reader.h"

namespace nemo::eval {
namespace {

Result<PublishedScore> ParseScore(const Value& spec) {
  SpecReader reader(spec);
  PublishedScore score;
  score.tasks = reader.Texts("tasks");
  score.key = reader.Text("key");
  score.note = reader.Text("note");
  const Value* value = reader.Any("value");
  NEMO_RETURN_IF_ERROR(reader.Done());
  if (score.tasks.empty() || score.key.empty() || value == nullptr || !value->is_number()) {
    return InvalidArgument("a score needs `tasks`, `key` and a number `value`");
  }
  score.value = value->as_double();
  return score;
}

}  // namespace

const PublishedScore* PublishedModel::Find(std::string_view task, std::string_view key) const {
  for (const PublishedScore& score : scores) {
    const bool fits = std::find(score.tasks.begin(), score.tasks.end(), task) != score.tasks.end();
    if (fits && score.key == key) return &score;
  }
  return nullptr;
}

Result<PublishedModel> ParsePublished(std::string_view yaml) {
  NEMO_ASSIGN_OR_RETURN(const Value document, ParseYaml(yaml));
  SpecReader reader(document);
  PublishedModel model;
  model.name = reader.Text("name");
  model.source = reader.Text("source");
  const Value* scores = reader.List("scores");
  NEMO_RETURN_IF_ERROR(reader.Done());
  if (scores == nullptr) return InvalidArgument("a list `scores` is needed");
  for (const Value& spec : scores->as_array()) {
    NEMO_ASSIGN_OR_RETURN(PublishedScore score, ParseScore(spec));
    model.scores.push_back(std::move(score));
  }
  return model;
}

}  // namespace nemo::eval
