// What has been answered, by this run and by the stopped ones before it: in memory, and in the
// journals of --output. Replicas answer at the same time, each into a journal of its own
// (journal.jsonl, journal.jsonl.1, ...); the first one's takes over the others' in the end, or when
// the next run begins.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "libcore/base/status.h"
#include "libcore/eval/journal.h"
#include "libcore/eval/plan.h"
#include "libcore/runtime/communicator.h"
#include "tools/nemo-eval/job.h"

namespace nemo {

/// One of each process. Begin and Keep are called by one thread of each replica, the rest by one
/// thread.
class Answers {
 public:
  /// Refers to `job` and `tasks`.
  Answers(const EvalJob& job, std::span<const eval::PlannedTask> tasks, int64_t num_replicas);

  /// In the first process: reads what earlier runs answered that agree in `key`. kInvalidArgument:
  /// there are answers, and neither --resume nor --force; with --resume, those of another run. kIo,
  /// kCorruption.
  Status Open(std::string key);
  /// Tells the other processes what is answered. Collective.
  Status Share(Communicator& processes);
  bool IsDone(size_t task, size_t sample) const { return done_[task][sample] != 0; }
  int64_t num_kept() const { return num_kept_; }  ///< of earlier runs

  /// Before a replica's first answer. kIo.
  Status Begin(int replica);
  Status Keep(int replica, size_t task, size_t sample, eval::Responses responses);

  /// All replicas of this process have answered: brings everything to the first process, whose
  /// journal it ends up in. Collective; `ranks_per_replica`: where replicas are processes, as many
  /// of them stand next to one another.
  Status Gather(Communicator& processes, int64_t ranks_per_replica);

  /// Parallel to the task's samples; leaves none.
  std::vector<eval::Responses> Take(size_t task) { return std::move(responses_[task]); }

 private:
  std::string PathOf(int replica) const;
  std::vector<std::string> PathsOfOthers() const;
  Status OpenJournal();
  int64_t Enter(const eval::Journal::Records& records);
  std::string LinesOf(int replica) const;
  Status GatherThreads();
  Status TakeFrom(Communicator& processes, int peer);
  Status GiveTo(Communicator& processes, int replica);

  const EvalJob& job_;
  std::span<const eval::PlannedTask> tasks_;
  std::string key_;
  std::vector<std::vector<eval::Responses>> responses_;  // of each task and sample
  std::vector<std::vector<uint8_t>> done_;               // before this run
  int64_t num_kept_ = 0;
  // Of each replica:
  std::vector<std::unique_ptr<eval::Journal>> journals_;
  std::vector<std::vector<std::pair<size_t, size_t>>> answered_;  // task and sample
};

}  // namespace nemo
