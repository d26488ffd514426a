#include "tools/nemo-bench/count.h"

#include "libcore/base/file.h"
#include "libcore/base/format.h"
#include "tools/nemo-bench/report/compare.h"

namespace nemo {
namespace {

Result<bool> Run(const CountOptions& options, const Console& console) {
  NEMO_ASSIGN_OR_RETURN(const std::string text, ReadAllFrom(options.report, int64_t{1} << 28));
  NEMO_ASSIGN_OR_RETURN(const Report report, ParseReport(text));
  console.Print(Format("{} rows\n", report.records.size()));
  return true;
}

}  // namespace

Tool CountTool(CountOptions* options) {
  Tool tool;
  tool.name = "nemo-bench count";
  tool.summary = "Says how many rows a report has.";
  tool.operands = {{"FILE.json", "of --json-file", &options->report}};
  tool.example = "nemo-bench count before.json";
  tool.run = [options](const Console& console) { return Run(*options, console); };
  return tool;
}

}  // namespace nemo
