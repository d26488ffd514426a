// Task files of evaluations: YAML, templates, filters, regular expressions. What is a suite is
// asked about a row, and its answers are judged.
#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "libcore/base/json.h"
#include "libcore/eval/catalog.h"
#include "libcore/eval/report.h"
#include "libcore/eval/task.h"
#include "tests/fuzz/harness.h"

namespace {

using nemo::Result;
using nemo::eval::EvalResponse;
using nemo::eval::RequestKind;
using nemo::eval::Sample;

constexpr size_t kMaxTasks = 8;  // of a suite; more say nothing new
constexpr std::string_view kRow =
    R"({"line": "To be, or (A) not", "names": ["ROMEO", "B", "x y"], "right": "B", "number": 7,)"
    R"( "input": "Options:\n(A) yes\n(B) no\nList: pear fig", "inner": {"text": " [t] a  b "}})";

nemo::eval::Responses AnswersTo(const Sample& sample) {
  nemo::eval::Responses responses;
  for (const nemo::eval::EvalRequest& request : sample.requests) {
    const bool is_text = request.kind == RequestKind::kGenerate;
    responses.push_back(
        EvalResponse{-1.5, false, is_text ? "So the answer is (B). fig pear 12" : ""});
  }
  return responses;
}

void Use(const nemo::eval::TaskSpec& task) {
  const auto read = [](std::string_view) -> Result<std::string> { return std::string(kRow); };
  const auto data = nemo::eval::TaskData::Load(task, read, {});
  if (!data) return;
  auto samples = data->Samples();
  if (!samples) return;
  std::vector<nemo::eval::Responses> responses;
  for (const Sample& sample : *samples) responses.push_back(AnswersTo(sample));
  static_cast<void>(nemo::eval::JudgeTask(
      {&task, data->num_fewshot(), data->num_rows(), std::move(*samples)}, std::move(responses),
      [](auto programs) { return std::ssize(programs); }));
}

}  // namespace

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::pair<std::string, std::string> suite = {"task", nemo::fuzz::Bytes(data, size)};
  std::optional<nemo::eval::Catalog> catalog;
  {
    const nemo::fuzz::MemoryLimit limit(size, 1024);
    auto read = nemo::eval::Catalog::Read(std::span(&suite, 1));
    if (!read) return 0;
    catalog = std::move(*read);
  }
  // Texts of a row have a bound of their own; a few copies of them are held.
  const nemo::fuzz::MemoryLimit limit(size + 16 * nemo::eval::kMaxTextBytes / 1024, 1024);
  for (size_t i = 0; i < std::min(kMaxTasks, catalog->tasks().size()); ++i) {
    Use(catalog->tasks()[i]);
  }
  return 0;
}
