// Tool: what an executable is, as data. Main() does what all tools share: flags, help,
// configuration file, completion, signals, exit codes; the tool's own main.cc holds its options and
// its Run.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "libcore/base/progress.h"
#include "libcore/base/status.h"
#include "libcore/base/value.h"
#include "tools/common/flag.h"
#include "tools/common/job_progress.h"

namespace nemo {

/// An argument by position: SRC, DST.
struct Operand {
  std::string name;
  std::string help;
  std::string* value;
  bool required = true;
};

/// The flags that every tool has.
struct CommonOptions {
  bool help = false;
  bool version = false;
  bool json = false;
  bool quiet = false;
  int verbose = 0;
  std::string progress = "auto";
  std::string status_file;
  int64_t threads = 0;  ///< set to the cores of the process when not given
  std::string config;
};

/// What a running tool has of its surroundings. Results go to stdout, everything else to stderr.
class Console {
 public:
  Console(std::string tool, const CommonOptions& options, JobProgress& progress)
      : tool_(std::move(tool)), options_(options), progress_(progress) {}

  bool json() const { return options_.json; }
  bool verbose() const { return options_.verbose > 0; }
  int threads() const { return static_cast<int>(options_.threads); }
  Progress& progress() const { return progress_; }
  /// For work that shows on the screen in another way: only those who ask see it.
  Progress& quiet_progress() const { return progress_.quiet(); }

  /// A result: to stdout as it stands.
  void Print(std::string_view text) const;
  /// The one machine-readable result of --json, indented.
  void PrintJson(const Value& value) const;
  /// A remark: one line on stderr, silent with --quiet.
  void Note(std::string_view text) const;
  /// A remark for --verbose.
  void Detail(std::string_view text) const;

 private:
  std::string tool_;
  const CommonOptions& options_;
  JobProgress& progress_;
};

struct Tool {
  std::string name;
  std::string summary;
  std::vector<Operand> operands;
  std::vector<FlagGroup> groups;  ///< the tool's own; the common ones come by themselves
  std::string details;            ///< a paragraph of the help after the flags; may be empty
  std::string example;
  std::string no_means;  ///< when exit 1 is used; empty: this tool asks no question
  /// True: done. False: the check ran, and the answer is no. An error with an empty message sets
  /// the exit code only: another rank has said what happened.
  std::function<Result<bool>(const Console&)> run;
};

/// The rows of `options`, for parsing, help and completion.
FlagGroup CommonFlags(CommonOptions* options);

/// The body of main(): returns the exit code.
int Main(int argc, char** argv, Tool tool);

}  // namespace nemo
