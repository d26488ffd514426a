// Data files of evaluations. The first line says the format and the columns, "csv a,b"; with
// "json", the member that holds the rows. What is read is printed and read again.
#include <algorithm>
#include <string>
#include <vector>

#include "libcore/base/check.h"
#include "libcore/base/json.h"
#include "libcore/eval/data_file.h"
#include "libcore/eval/template.h"
#include "tests/fuzz/harness.h"

namespace {

using nemo::eval::DataSpec;

DataSpec SpecOf(std::string_view line) {
  DataSpec spec;
  const size_t blank = std::min(line.find(' '), line.size());
  spec.files = {"rows." + std::string(line.substr(0, blank))};
  line.remove_prefix(std::min(blank + 1, line.size()));
  spec.path = line;
  while (!line.empty()) {
    const size_t comma = std::min(line.find(','), line.size());
    spec.columns.emplace_back(line.substr(0, comma));
    line.remove_prefix(std::min(comma + 1, line.size()));
  }
  return spec;
}

}  // namespace

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string input = nemo::fuzz::Bytes(data, size);
  const size_t end = std::min(input.find('\n'), input.size());
  // A name of a column stands in every row.
  const DataSpec spec = SpecOf(std::string_view(input).substr(0, std::min<size_t>(end, 32)));
  const std::string text = input.substr(std::min(end + 1, input.size()));
  const nemo::fuzz::MemoryLimit limit(size, 512);
  const auto rows = nemo::eval::ReadRows(spec, [&](std::string_view) { return text; });
  if (!rows) return 0;
  std::string lines;
  for (const nemo::Value& row : *rows) {
    NEMO_CHECK(row.is_object());
    lines += nemo::ToJson(row) + "\n";
  }
  // Bytes that are no UTF-8 pass through CSV, and not through JSON.
  const auto again = nemo::eval::ParseJsonl(lines);
  NEMO_CHECK(again && again->size() == rows->size());
  if (spec.files[0].starts_with("rows.json")) NEMO_CHECK(*again == *rows);
  return 0;
}
