#include "tools/nemo-bench/compare.h"

#include "libcore/base/file.h"
#include "libcore/base/format.h"
#include "tools/common/table.h"
#include "tools/nemo-bench/report/compare.h"

namespace nemo {
namespace {

constexpr int64_t kMaxReportBytes = int64_t{256} << 20;

Result<Report> ReadReport(const std::string& path) {
  NEMO_ASSIGN_OR_RETURN(const std::string text, ReadAllFrom(path, kMaxReportBytes));
  auto report = ParseReport(text);
  if (!report) return report.error().At(path);
  return report;
}

Result<bool> Run(const CompareOptions& options, const Console& console) {
  NEMO_ASSIGN_OR_RETURN(const Report a, ReadReport(options.a));
  NEMO_ASSIGN_OR_RETURN(const Report b, ReadReport(options.b));
  NEMO_ASSIGN_OR_RETURN(const ComparisonReport comparison, Compare(a, b, options.rate));
  if (console.json()) {
    console.PrintJson(ToValue(comparison));
  } else {
    console.Print(ToText(comparison, options.rate, TableWidth()));
  }
  if (a.machine.Find("cpu") != nullptr && b.machine.Find("cpu") != nullptr &&
      *a.machine.Find("cpu") != *b.machine.Find("cpu")) {
    console.Note("A and B were taken on different processors");
  }
  if (options.max_slowdown_percent < 0) return true;
  const auto slower = comparison.Slower(options.max_slowdown_percent / 100);
  for (const Comparison& row : slower) {
    console.Note(Format("{}: B runs at {:.3f} times the speed of A", row.name, row.speed));
  }
  return slower.empty();
}

}  // namespace

Tool CompareTool(CompareOptions* options) {
  Tool tool;
  tool.name = "nemo-bench compare";
  tool.summary =
      "Puts two reports side by side, row by row: files of --json-file, or what --json printed.";
  tool.operands = {{"A.json", "the earlier one", &options->a},
                   {"B.json", "the later one", &options->b}};
  tool.groups = {
      {"Comparison",
       {{.name = "rate",
         .value = "UNIT",
         .help = "compare this figure instead of the median time, such as tok/CPU-s",
         .set = SetText(&options->rate)},
        {.name = "max-slowdown",
         .value = "PERCENT",
         .help = "exit 1 when a row of B takes longer by more than this and p10 to p90 of "
                 "the two do not overlap",
         .set = SetDouble(&options->max_slowdown_percent, 0, 1e6)}}}};
  tool.example = "nemo-bench compare before.json after.json --max-slowdown 5";
  tool.no_means = "a row is slower than --max-slowdown allows";
  tool.run = [options](const Console& console) { return Run(*options, console); };
  return tool;
}

}  // namespace nemo
