// Where answers go when they are finished: text for people, one JSON object, a file of lines.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "libcore/base/status.h"
#include "libcore/runtime/request.h"
#include "tools/common/tool.h"
#include "tools/nemo-generate/report.h"
#include "tools/nemo-generate/work.h"

namespace nemo {

/// Used by rank 0 in one thread.
class AnswerSink {
 public:
  virtual ~AnswerSink() = default;
  /// Text that a token of answer `index` has completed, when the job streams.
  virtual void OnText(int64_t /*index*/, std::string_view /*text*/) {}
  /// Answer `index`, once, in any order. kIo.
  virtual Status Take(int64_t index, GenerateResult result) = 0;
  /// All are there. kIo.
  virtual Status Finish(const RunReport& report) = 0;
  /// The run ends before its end: what was finished is kept where that makes sense.
  virtual void Stop() {}
};

/// The sink of `session.job`; `file` is its --output, or null. Refers to all arguments.
std::unique_ptr<AnswerSink> MakeAnswerSink(const Session& session, const Work& work,
                                           AnswerFile* file, const Console& console);

}  // namespace nemo
