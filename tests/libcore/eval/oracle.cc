#include "tests/libcore/eval/oracle.h"

#include <map>

#include "formats/codec/gzip.h"
#include "formats/codec/zstd_file.h"
#include "libcore/base/file.h"
#include "libcore/base/format.h"
#include "libcore/base/json.h"
#include "tests/testing.h"

namespace nemo::eval::testing {
namespace {

constexpr int64_t kMaxBytes = 1 << 28;

std::string SharedFile(std::string_view name) {
  return nemo::testing::SharedPath(Format("evaldata/{}", name));
}

Result<std::string> ReadShared(std::string_view name) {
  if (const std::string path = SharedFile(name); !path.empty()) return ReadAllFrom(path, kMaxBytes);
  if (const std::string path = SharedFile(Format("{}.zst", name)); !path.empty()) {
    NEMO_ASSIGN_OR_RETURN(const std::string packed, ReadAllFrom(path, kMaxBytes));
    return zstd::DecompressFile(packed, kMaxBytes);
  }
  if (const std::string path = SharedFile(Format("{}.gz", name)); !path.empty()) {
    NEMO_ASSIGN_OR_RETURN(auto packed, OpenFile(path));
    NEMO_ASSIGN_OR_RETURN(const auto file, OpenGzip(std::move(packed)));
    return ReadAll(*file, kMaxBytes);
  }
  return NotFound(std::string(name));
}

}  // namespace

std::string WhyNoData() {
  return SharedFile("oracle").empty()
             ? "the evaluation data is not beside the project (NEMO_SHARED)"
             : "";
}

FileReader SharedData() { return ReadShared; }

const SuiteSpec& Suite(std::string_view name) {
  static auto* const suites = new std::map<std::string, SuiteSpec, std::less<>>;
  const auto known = suites->find(name);
  if (known != suites->end()) return known->second;
  const std::string path = Format("{}/../configs/eval/{}.yaml", NEMO_TEST_DIR, name);
  Result<SuiteSpec> suite = ParseSuite(nemo::testing::ReadFileOrDie(path));
  if (!suite) std::fprintf(stderr, "%s: %s\n", path.c_str(), suite.error().message().c_str());
  return suites->emplace(name, std::move(suite).value()).first->second;
}

const TaskSpec& Task(std::string_view suite, std::string_view name) {
  for (const TaskSpec& task : Suite(suite).tasks) {
    if (task.name == name) return task;
  }
  std::fprintf(stderr, "there is no task %s\n", std::string(name).c_str());
  std::abort();
}

Oracle ReadOracle(std::string_view name) {
  std::vector<Value> rows = ParseJsonl(ReadShared(Format("oracle/{}.jsonl", name)).value()).value();
  Oracle oracle;
  oracle.head = std::move(rows.front());
  rows.erase(rows.begin());
  oracle.rows = std::move(rows);
  return oracle;
}

const Value& At(const Value& value, std::string_view key) {
  const Value* member = value.Find(key);
  if (member == nullptr) std::fprintf(stderr, "no member %s\n", std::string(key).c_str());
  NEMO_CHECK(member != nullptr);
  return *member;
}

}  // namespace nemo::eval::testing
