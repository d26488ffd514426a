// Target: one output checkpoint, a directory whose files appear together or not at all.
// Implemented by each target format (formats/native/target.cc); driven by Convert.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "libcore/base/status.h"
#include "libcore/convert/manifest.h"
#include "libcore/layout/plan.h"
#include "libcore/tensor/sink.h"

namespace nemo {

/// The parts of a checkpoint that are not tensors; copied byte for byte.
struct Attachments {
  Provenance source;
  std::string model_config_yaml;  ///< empty: there was none
  std::string tokenizer_model;    ///< empty: there was none
};

/// What Convert knows of a written file when it is finished.
struct WrittenFile {
  TensorSink::FileSummary summary;
  std::vector<TensorPlace> places;  ///< per PlannedFile::tensors
  std::vector<std::string> xxh3;    ///< per PlannedFile::tensors
};

class Target {
 public:
  virtual ~Target() = default;
  /// Opens the sink of one planned file. Called from several threads, once per file.
  virtual Result<std::unique_ptr<TensorSink>> OpenFile(const PlannedFile& file) = 0;
  /// All files are finished: writes what goes beside them, the manifest last, and gives the
  /// directory its final name. `written` is parallel to plan.files.
  virtual Status Finish(const Plan& plan, const std::vector<WrittenFile>& written) = 0;
  /// Removes everything this target has written. For errors and stops.
  virtual void Abandon() = 0;
};

}  // namespace nemo
