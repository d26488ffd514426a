// What nemo-convert and nemo-reshard print: the plan before, the figures after. Text and JSON say
// the same.
#pragma once

#include <cstdint>
#include <string>

#include "libcore/base/value.h"
#include "libcore/convert/compression.h"
#include "libcore/convert/convert.h"
#include "libcore/layout/plan.h"

namespace nemo {

/// Rows of the vocabulary tensors.
struct VocabReport {
  int64_t real = 0;  ///< the tokenizer's pieces; 0: not known
  int64_t source_rows = 0;
  int64_t target_rows = 0;
  int64_t zero_rows = 0;     ///< of the target, written as zeros
  int64_t dropped_rows = 0;  ///< of the source, not copied
};
VocabReport VocabReportOf(const ModelConfig& source, const Plan& plan);

/// One side of the job, described.
struct ShardSide {
  std::string path;
  std::string format;
  std::string container;
  Compression compression;
  ParallelLayout layout;
};

struct ShardReport {
  ShardSide source;
  ShardSide target;
  VocabReport vocab;
  ConvertReport counts;
  double seconds = 0;
  int64_t planned_memory_bytes = 0;  ///< of buffers
  int64_t peak_memory_bytes = 0;     ///< resident, of rank 0
  int num_ranks = 1;
  std::string verified = "none";
};
std::string ToText(const ShardReport& report);
Value ToValue(const ShardReport& report);

struct DryRunReport {
  ShardSide source;
  ShardSide target;
  VocabReport vocab;
  int64_t memory_bytes = 0;             ///< of buffers
  int64_t disk_bytes = 0;               ///< of the tensors
  int64_t free_bytes = -1;              ///< at the destination; -1: not known
  int64_t available_memory_bytes = -1;  ///< -1: not known
  bool is_upper_bound = false;          ///< disk_bytes, of files that will be compressed
  const Plan* plan = nullptr;
};
std::string ToText(const DryRunReport& report);
Value ToValue(const DryRunReport& report);

/// The largest resident memory of this process so far.
int64_t PeakMemoryBytes();

}  // namespace nemo
