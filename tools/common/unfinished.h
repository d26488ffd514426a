// What a stopped conversion has left at its destination, and whether this run may go on with it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "libcore/base/status.h"
#include "libcore/convert/journal.h"
#include "libcore/convert/team.h"
#include "libcore/layout/plan.h"

namespace nemo {

/// The journals of a destination: DST.journal, and DST.journal.N of rank N.
class JournalFiles {
 public:
  /// `key` identifies the conversion: what differs in it makes other bytes.
  JournalFiles(std::string destination, std::string key);

  enum class State {
    kNothing,     ///< no journal: nothing was begun, or nothing of it is left
    kUnfinished,  ///< a journal with finished tensors
    kFinished,    ///< DST has its name already; only the journal was not cleared away
  };
  /// kInvalidArgument: the journal is of another conversion. kIo.
  Result<State> Look() const;

  /// What all ranks of the earlier run noted.
  Result<JournalRecords> Records() const;
  /// This rank's journal: the one that is there when `resume`, else a new one. Errors of Journal.
  Result<std::unique_ptr<Journal>> Open(int rank, bool resume) const;
  /// All of them go.
  Status RemoveAll() const;

 private:
  std::vector<std::string> Paths() const;

  std::string destination_;
  std::string key_;
};

/// The key of a conversion: of everything that the bytes of its output depend on.
std::string ConversionKey(const Plan& plan, const std::string& format, const std::string& container,
                          const std::string& encoding, const std::string& source_index_xxh3);

/// Bytes of disk that `path`, a file or a directory, occupies; 0 when it is not there.
int64_t AllocatedBytes(const std::string& path);
/// Bytes that may be written at `path` or, while it does not exist, at the nearest folder above;
/// -1: the system does not tell.
int64_t FreeBytesAt(const std::string& path);

}  // namespace nemo
