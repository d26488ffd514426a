// What a run leaves: the folder of --output, the table on the terminal, the JSON object.
#pragma once

#include <span>
#include <string>

#include "libcore/base/status.h"
#include "libcore/eval/published.h"
#include "libcore/eval/report.h"
#include "tools/common/tool.h"
#include "tools/nemo-eval/job.h"

namespace nemo {

/// results.json, samples_TASK.jsonl and the page made of them, report.html; each whole or not at
/// all. kIo.
Status WriteFiles(const EvalJob& job, const eval::EvalReport& report);

/// Scores with their standard errors, published ones beside them, and which variants ran.
std::string ReportText(const eval::EvalReport& report,
                       std::span<const eval::PublishedModel> published);

/// Every task and group, as --list shows it.
std::string ListText(const eval::Catalog& catalog);
Value ListValue(const eval::Catalog& catalog);

}  // namespace nemo
