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

struct ShardJob {
  std::string source;
  std::string destination;
  std::string to;         ///< the target format's name; empty: the source's
  std::string container;  ///< empty: the source's when the format stays, else the format's default
  LayoutOptions layout;
  std::optional<VocabRule> vocab;  ///< nullopt: what suits the target format
  int64_t max_shard_bytes = 0;     ///< 0: not given
  int64_t jobs = 0;                ///< tensors in flight; 0: the threads of the run
  bool dry_run = false;
  bool force = false;
};

/// Formats that this build writes, by name.
std::vector<std::string> WritableFormats();

/// The flags of both tools: layout, --container, --max-shard-size, --vocab, --jobs, --dry-run,
/// --force.
std::vector<FlagGroup> ShardJobFlags(ShardJob* job);

/// Opens, plans, checks the disk, converts, and prints the report (or, with dry_run, the plan:
/// nothing is touched). Errors and stops leave nothing behind at the destination.
Status RunShardJob(const ShardJob& job, const Console& console);

}  // namespace nemo
