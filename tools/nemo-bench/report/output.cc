#include "tools/nemo-bench/report/output.h"

#include <algorithm>
#include <vector>

#include "libcore/base/file.h"
#include "libcore/base/format.h"
#include "tools/common/table.h"
#include "tools/nemo-bench/report/fractions.h"
#include "tools/nemo-bench/report/html.h"
#include "tools/nemo-bench/report/text.h"

namespace nemo {
namespace {

constexpr int64_t kMaxRulesBytes = int64_t{1} << 20;

Result<std::vector<FractionRule>> ReadRules(const std::string& path) {
  const auto text = ReadAllFrom(path, kMaxRulesBytes);
  if (!text) return InvalidArgument(text.error().At("--min-fraction").message());
  auto rules = ParseFractions(*text);
  if (!rules) return InvalidArgument(rules.error().At("--min-fraction: " + path).message());
  return rules;
}

Result<bool> HoldFractions(const Report& report, const std::string& path, const Console& console) {
  NEMO_ASSIGN_OR_RETURN(const std::vector<FractionRule> rules, ReadRules(path));
  std::vector<std::string> unused;
  const auto checks = CheckFractions(rules, report.records, &unused);
  for (const std::string& pattern : unused) {
    console.Note(Format("--min-fraction: '{}' matches no row of this run", pattern));
  }
  bool ok = true;
  for (const FractionCheck& check : checks) {
    if (check.ok()) continue;
    ok = false;
    console.Note(check.got ? Format("{}: reached {:.1f} % of its limit; {:.1f} % are wanted",
                                    check.name, 100 * *check.got, 100 * check.wanted)
                           : Format("{}: has no limit to be measured against", check.name));
  }
  if (checks.empty()) {
    return InvalidArgument(Format("--min-fraction: {} names no row of this run", path));
  }
  if (ok) console.Detail(Format("--min-fraction: {} rows hold", checks.size()));
  return ok;
}

}  // namespace

FlagGroup OutputFlags(OutputOptions* options) {
  return {
      "Output",
      {{.name = "json-file",
        .value = "FILE",
        .help = "the figures as JSON lines, for nemo-bench compare",
        .set = SetText(&options->json_file)},
       {.name = "html",
        .value = "FILE",
        .help = "a page with roofline plot and tables; needs nothing but itself",
        .set = SetText(&options->html)},
       {.name = "min-fraction",
        .value = "FILE",
        .help = "YAML of row names (shell patterns) and the share of its limit each must reach, "
                "such as 'linear/*/m1: 0.85'; exit 1 when one is missed",
        .set = SetText(&options->min_fraction)}}};
}

Status CheckOutput(const OutputOptions& options) {
  if (options.min_fraction.empty()) return OkStatus();
  return ReadRules(options.min_fraction).error();
}

Result<bool> Deliver(const Report& report, const OutputOptions& options, const Console& console,
                     const std::string& extra) {
  if (console.json()) {
    console.PrintJson(ToValue(report));
  } else {
    console.Print(ToText(report, TableWidth()) + extra);
  }
  if (!options.json_file.empty()) {
    NEMO_RETURN_IF_ERROR(WriteFileAtomically(options.json_file, ToJsonLines(report)));
  }
  if (!options.html.empty()) {
    NEMO_RETURN_IF_ERROR(WriteFileAtomically(options.html, ToHtml(report)));
  }
  if (options.min_fraction.empty()) return true;
  return HoldFractions(report, options.min_fraction, console);
}

}  // namespace nemo
