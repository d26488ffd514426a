// AnswerFile: the answers of a batch, one JSON object a line, in a file that a stopped run can go
// on with. They gather in FILE.partial as they are finished; when all are there, FILE appears with
// them in the order of the prompts. docs/generate.md, "Batch files".
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "libcore/base/direct_io.h"
#include "libcore/base/status.h"
#include "libcore/base/value.h"

namespace nemo {

/// What the answers depend on, but for the seed of the run: runs of equal marks give equal answers.
struct RunMark {
  std::string model;     ///< configuration, tokenizer, weights
  std::string requests;  ///< prompts, parameters, and where the arithmetic rounds

  /// What stands in each line.
  std::string Text() const { return model + "-" + requests; }
};

/// One process writes a file; while it does, others are kept out by a lock. Not thread-safe.
class AnswerFile {
 public:
  enum class Mode {
    kNew,     ///< nothing may be there
    kResume,  ///< goes on with what is there, if anything
    kForce,   ///< what is there is replaced
  };
  /// The file at `path` with `num_answers` answers of the run `mark`. In kResume a torn last line
  /// is cut off. kInvalidArgument: what stands there is in the way, or of another run.
  /// kUnavailable: another process writes it. kIo.
  static Result<std::unique_ptr<AnswerFile>> Open(const std::string& path, Mode mode,
                                                  const RunMark& mark, int64_t num_answers);

  /// Per answer: it is there.
  const std::vector<bool>& finished() const { return finished_; }
  int64_t num_finished() const { return static_cast<int64_t>(lines_.size()); }
  /// "seed" of a finished answer; nullopt: it has none.
  std::optional<int64_t> SeedOf(int64_t index) const;

  /// Adds answer `index`, which is not there yet: `answer` with "index" and "run" in front. It
  /// outlasts a kill of the process at once, and a crash of the machine after a second or so. kIo.
  Status Add(int64_t index, const Value& answer);
  /// All answers are there: the file gets its name. kIo.
  Status Finish();

 private:
  struct Line {
    int64_t index = 0, offset_bytes = 0, size_bytes = 0;
    std::optional<int64_t> seed;
  };

  AnswerFile(std::string path, RunMark mark, int64_t num_answers)
      : path_(std::move(path)), mark_(std::move(mark)), finished_(num_answers) {}
  std::string PartialPath() const { return path_ + ".partial"; }
  std::string SortedPath() const { return path_ + ".sorted"; }
  Status Create(bool keep);
  /// Takes the lines of the file at `path` up to the first that is torn; `*end` is where that
  /// begins.
  Status TakeLines(const std::string& path, int64_t* end);
  Result<Line> ParseLine(const std::string& text) const;
  Status Sort();

  std::string path_;
  RunMark mark_;
  std::vector<bool> finished_;
  std::vector<Line> lines_;  // as they stand in the file
  Descriptor fd_;            // of the partial file; -1: the whole file stands
  int64_t size_bytes_ = 0;
  double synced_seconds_ = 0;
};

}  // namespace nemo
