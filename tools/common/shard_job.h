// Writing a checkpoint in another layout: what nemo-convert and nemo-reshard have in common.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "formats/format.h"
#include "libcore/base/status.h"
#include "libcore/layout/planner.h"
#include "tools/common/layout_flags.h"
#include "tools/common/tool.h"

namespace nemo {

/// Blocks in flight when --jobs is not given: the threads of the run, within these.
inline constexpr int kMinDefaultJobs = 8, kMaxDefaultJobs = 32;
/// The degrees of --verify.
inline constexpr const char* kVerifyNone = "none";
inline constexpr const char* kVerifyWritten = "written";
inline constexpr const char* kVerifyFull = "full";

struct ShardJob {
  std::string source;
  std::string destination;
  std::string to;         ///< the target format's name; empty: the source's
  std::string container;  ///< empty: the source's when the format stays, else the format's default
  std::optional<Compression> compression;  ///< nullopt: the source's when the container stays
  LayoutOptions layout;
  std::optional<VocabRule> vocab;  ///< nullopt: what suits the target format
  int64_t max_shard_bytes = 0;     ///< 0: not given
  int64_t jobs = 0;                ///< blocks in flight; 0: chosen by the threads of the run
  int64_t memory_limit = int64_t{256} << 20;  ///< bytes of buffers
  std::string verify = kVerifyNone;
  bool dry_run = false;
  bool force = false;
  bool resume = false;
};

/// Formats that this build writes, by name.
std::vector<std::string> WritableFormats();

/// nemo-convert chooses the format, nemo-reshard keeps the source's.
enum class ShardJobKind { kConvert, kReshard };

/// The flags of a tool: layout, output, work.
std::vector<FlagGroup> ShardJobFlags(ShardJob* job, ShardJobKind kind);

/// Opens, plans, checks the disk, converts (as one of several ranks under mpirun or srun), and
/// prints the report (or, with dry_run, the plan: nothing is touched). False: --verify full found a
/// difference. After an error that time mends, and after a stop, what was done stays for --resume;
/// other errors leave nothing behind at the destination.
Result<bool> RunShardJob(const ShardJob& job, const Console& console);

}  // namespace nemo
