// Journal: the responses of a run, sample by sample, so that a stopped run loses none. Text, one
// JSON object a line; the first names the run. A torn last line does not count.
//
//   {"nemo_eval_journal":1,"run":"5f0c..."}
//   {"task":"mmlu_anatomy","doc":3,"responses":[[-8.25,false],[-9.5,true],...]}
//   {"task":"humaneval","doc":0,"responses":["    return 1\n"]}
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "libcore/base/file.h"
#include "libcore/base/status.h"
#include "libcore/eval/plan.h"

namespace nemo::eval {

/// Not thread-safe.
class Journal {
 public:
  using Records = std::map<std::pair<std::string, int64_t>, Responses>;  ///< by task and row

  /// Begins a journal at `path` of the run that `key` identifies. kIo.
  static Result<std::unique_ptr<Journal>> Begin(const std::string& path, std::string_view key);
  /// Goes on with what stands there. kNotFound: nothing; kInvalidArgument: it is of another run;
  /// kCorruption: a line that is no record, the last one excepted; kIo.
  static Result<std::unique_ptr<Journal>> Continue(const std::string& path, std::string_view key);

  const Records& records() const { return records_; }
  /// Writes one line about requests of `kind`; a crash of this process does not lose it. kIo.
  Status Add(const std::string& task, int64_t doc_index, const Responses& responses,
             RequestKind kind);
  /// Writes lines that JournalLine made. kIo.
  Status AddLines(std::string_view lines);
  /// Takes over the records of the journal at `path`, which another replica of the same run kept.
  /// Errors as Continue.
  Status TakeOver(const std::string& path, std::string_view key);

 private:
  Journal(std::unique_ptr<WritableFile> file, int64_t size_bytes, Records records)
      : file_(std::move(file)), size_bytes_(size_bytes), records_(std::move(records)) {}

  std::unique_ptr<WritableFile> file_;
  int64_t size_bytes_;
  Records records_;
};

/// A journal's line about one sample, whose requests are of `kind`.
std::string JournalLine(const std::string& task, int64_t doc_index, const Responses& responses,
                        RequestKind kind);
/// What JournalLine wrote. kCorruption: something else.
Result<Journal::Records> ParseJournalLines(std::string_view lines);

/// The records of a journal's text, and how many bytes of it are whole lines. Errors as Continue.
Result<std::pair<Journal::Records, int64_t>> ParseJournal(std::string_view text,
                                                          std::string_view key);

}  // namespace nemo::eval
