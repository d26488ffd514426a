// Convert: runs a Plan. Reads each byte once, hashes it while it is hot, writes it at its final
// place; goes on where a stopped run was.
#pragma once

#include <cstdint>
#include <functional>

#include "libcore/base/progress.h"
#include "libcore/base/status.h"
#include "libcore/convert/journal.h"
#include "libcore/convert/target.h"
#include "libcore/convert/team.h"
#include "libcore/layout/plan.h"
#include "libcore/tensor/source.h"

namespace nemo {

struct ConvertOptions {
  int jobs = 1;                            ///< blocks in flight
  int64_t block_bytes = int64_t{2} << 20;  ///< of the files, in each of them
  bool verify_written = false;             ///< read every tensor back from the disk, compare hashes
  Journal* journal = nullptr;              ///< notes what is done; nullptr: nothing does
  /// What an earlier run noted: what proves to be true is not done again.
  JournalRecords earlier;
  Team* team = nullptr;  ///< nullptr: alone
  /// What the other ranks noted, once all files are finished; rank 0 calls it.
  std::function<Result<JournalRecords>()> team_records;
};

/// Memory for blocks and what becomes of them on the way.
int64_t MemoryOf(const ConvertOptions& options);
/// The blocks that `limit_bytes` allow for `jobs` (1 to 2 MiB each), with fewer jobs where there is
/// no room for all. kInvalidArgument: there is room for none.
Result<ConvertOptions> OptionsFor(int jobs, int64_t limit_bytes);

struct ConvertReport {
  int64_t num_files = 0;
  int64_t num_tensors = 0;
  int64_t read_bytes = 0;
  int64_t written_bytes = 0;  ///< of the tensors
  int64_t stored_bytes = 0;   ///< what they take in the files: less, when they are compressed
  int64_t kept_bytes = 0;     ///< of written_bytes: found finished and intact from an earlier run
  int64_t num_kept_tensors = 0;
};

/// Runs `plan` from `source` to `target`, finishes it and removes the journal. kIo "stopped by
/// signal N" when a stop was asked for. After an error target and journal are abandoned, unless the
/// journal has records and the error is one after which the same work can succeed (IsResumable):
/// then everything stays for a later run. With a team every rank calls, with the same plan.
Result<ConvertReport> Convert(const TensorSource& source, const Plan& plan, Target& target,
                              const ConvertOptions& options, Progress& progress);

/// True for errors after which the same work may succeed: kIo, kUnavailable.
bool IsResumable(const Status& error);

}  // namespace nemo
