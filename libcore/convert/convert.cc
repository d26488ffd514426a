#include "libcore/convert/convert.h"

#include <algorithm>
#include <atomic>
#include <memory>
#include <mutex>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "libcore/base/direct_io.h"
#include "libcore/base/format.h"
#include "libcore/base/hash.h"
#include "libcore/base/thread_pool.h"
#include "libcore/convert/block_order.h"
#include "libcore/convert/block_reader.h"
#include "libcore/convert/output_files.h"
#include "libcore/convert/work.h"
#include "libcore/model/logical_tensor.h"

namespace nemo {
namespace {

constexpr int64_t kMinBlockBytes = int64_t{1} << 20;
/// Larger blocks leave the second-level cache between reading, hashing and writing: on a Xeon with
/// 2 MiB of it a conversion with blocks of 8 MiB took 1.5 times the processor time.
constexpr int64_t kMaxBlockBytes = int64_t{2} << 20;
/// What a block may be at the same time: as it is read, as it is stored before a cast (twice the
/// size), as its members are, and encoded.
constexpr int64_t kCopiesOfBlock = 4;

Status CheckStop() {
  if (!StopRequested()) return OkStatus();
  return IoError(Format("stopped by signal {}", StopSignal()));
}

/// Moves every block of every tensor that is wanted from the source to its file.
class Mover {
 public:
  Mover(const TensorSource& source, const Plan& plan, OutputFiles& files,
        const ConvertOptions& options, Progress& progress)
      : source_(source),
        plan_(plan),
        files_(files),
        options_(options),
        progress_(progress),
        reader_(source, plan) {}

  Status Run() {
    MakeJobs();
    for (size_t group = 0; group < groups_.size(); ++group) {
      if (groups_[group].blocks.empty()) NEMO_RETURN_IF_ERROR(FinishGroup(group));
    }
    return ParallelFor(options_.jobs, std::ssize(jobs_), [&](int64_t ticket) {
      std::unique_ptr<BlockMemory> memory = TakeMemory();
      Status status = MoveBlock(ticket, *memory);
      if (!status.ok()) order_.Fail(ticket);
      ReturnMemory(std::move(memory));
      return status;
    });
  }

  int64_t read_bytes() const { return reader_.read_bytes(); }

 private:
  struct Job {
    size_t group, block;
  };
  struct Progression {
    std::vector<Hasher> hashers;  ///< per member of the group
    std::atomic<int64_t> blocks_left{0};
  };

  const TensorSpec& SpecOf(const PlanIndex& index) const {
    return plan_.files[index.file].tensors[index.tensor].tensor.spec;
  }

  /// Shards that lie in files of their own already (chunks of the same grid) are read each for
  /// itself, straight to where they are written from.
  bool ShareFiles(const std::vector<const Move*>& moves) const {
    std::set<std::string> seen;
    for (const Move* move : moves) {
      for (std::string& file : source_.FilesOf(move->source_name, move->source)) {
        if (!seen.insert(std::move(file)).second) return true;
      }
    }
    return false;
  }

  void MakeJobs() {
    groups_ = MakeWork(
        plan_, [&](const PlanIndex& index) { return files_.IsWanted(index); },
        [&](const std::vector<const Move*>& moves) { return ShareFiles(moves); },
        options_.block_bytes, [&](const PlanIndex& index) { return files_.RowsPerBlock(index); });
    for (size_t group = 0; group < groups_.size(); ++group) {
      Progression& work = *progressions_.emplace_back(std::make_unique<Progression>());
      work.hashers.resize(groups_[group].members.size());
      work.blocks_left = std::ssize(groups_[group].blocks);
      for (size_t block = 0; block < groups_[group].blocks.size(); ++block) {
        jobs_.push_back({group, block});
        order_.Add(LanesOf(group));
      }
    }
  }

  /// A group's blocks pass in order, for their checksums; so do those of a file that wants it.
  std::vector<int64_t> LanesOf(size_t group) const {
    std::vector<int64_t> lanes = {static_cast<int64_t>(plan_.files.size() + group)};
    for (const PlanIndex& member : groups_[group].members) {
      if (files_.SinkOf(member.file).in_order()) lanes.push_back(static_cast<int64_t>(member.file));
    }
    return lanes;
  }

  Status MoveBlock(int64_t ticket, BlockMemory& memory) {
    NEMO_RETURN_IF_ERROR(CheckStop());
    const Job& job = jobs_[static_cast<size_t>(ticket)];
    const WorkGroup& group = groups_[job.group];
    const Box& block = group.blocks[job.block];
    const std::vector<std::span<std::byte>> bytes = MemoryFor(group, block, memory);
    if (const Status status = reader_.Fill(group, block, bytes, memory); !status.ok()) {
      return status.At(plan_.files[group.members.front().file].stem);
    }
    std::vector<EncodedBlock> encoded;
    for (size_t i = 0; i < group.members.size(); ++i) {
      const PlanIndex& member = group.members[i];
      NEMO_ASSIGN_OR_RETURN(
          encoded.emplace_back(),
          files_.SinkOf(member.file).Encode(SpecOf(member).name, block, bytes[i]));
    }
    NEMO_RETURN_IF_ERROR(order_.Pass(ticket, [&]() -> Status {
      for (size_t i = 0; i < group.members.size(); ++i) {
        const PlanIndex& member = group.members[i];
        progressions_[job.group]->hashers[i].Update(bytes[i]);
        NEMO_RETURN_IF_ERROR(
            files_.SinkOf(member.file).Reserve(SpecOf(member).name, block, encoded[i]));
      }
      return OkStatus();
    }));
    for (size_t i = 0; i < group.members.size(); ++i) {
      const PlanIndex& member = group.members[i];
      NEMO_RETURN_IF_ERROR(
          files_.SinkOf(member.file).Write(SpecOf(member).name, block, encoded[i].bytes));
      progress_.Add(std::ssize(bytes[i]));
    }
    return --progressions_[job.group]->blocks_left == 0 ? FinishGroup(job.group) : OkStatus();
  }

  /// Where the places are known the memory shares their alignment, so that the disk takes it as it
  /// is.
  std::vector<std::span<std::byte>> MemoryFor(const WorkGroup& group, const Box& block,
                                              BlockMemory& memory) const {
    if (memory.members.size() < group.members.size()) memory.members.resize(group.members.size());
    std::vector<std::span<std::byte>> bytes;
    for (size_t i = 0; i < group.members.size(); ++i) {
      const PlanIndex& member = group.members[i];
      const int64_t row = block.offset.empty() ? 0 : block.offset[0];
      bytes.push_back(memory.members[i].Get(NumElements(block) * SizeOf(SpecOf(member).dtype),
                                            files_.PhaseOf(member, row)));
    }
    return bytes;
  }

  Status FinishGroup(size_t group) {
    for (size_t i = 0; i < groups_[group].members.size(); ++i) {
      NEMO_RETURN_IF_ERROR(files_.NoteWritten(groups_[group].members[i],
                                              progressions_[group]->hashers[i].HexDigest()));
    }
    return OkStatus();
  }

  std::unique_ptr<BlockMemory> TakeMemory() {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (free_memory_.empty()) return std::make_unique<BlockMemory>();
    std::unique_ptr<BlockMemory> memory = std::move(free_memory_.back());
    free_memory_.pop_back();
    return memory;
  }
  void ReturnMemory(std::unique_ptr<BlockMemory> memory) {
    const std::lock_guard<std::mutex> lock(mutex_);
    free_memory_.push_back(std::move(memory));
  }

  const TensorSource& source_;
  const Plan& plan_;
  OutputFiles& files_;
  const ConvertOptions& options_;
  Progress& progress_;
  BlockReader reader_;
  std::vector<WorkGroup> groups_;
  std::vector<std::unique_ptr<Progression>> progressions_;  ///< per group
  std::vector<Job> jobs_;
  BlockOrder order_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<BlockMemory>> free_memory_;
};

/// What an earlier run has written it has read, perhaps without coming to the proof at its end.
/// Only vocabulary rows may be left out of a plan: the last row of what was kept is read again, so
/// that ProveReads reads the rest.
Status TouchKept(const TensorSource& source, const Plan& plan, const OutputFiles& files) {
  std::vector<std::byte> row;
  for (size_t file = 0; file < plan.files.size(); ++file) {
    for (size_t tensor = 0; tensor < plan.files[file].tensors.size(); ++tensor) {
      if (!files.IsKept({file, tensor})) continue;
      for (const Move& move : plan.files[file].tensors[tensor].moves) {
        const std::string& name = move.source_name;
        if (name != kEmbeddingName && name != kOutputLayerName) continue;
        const TensorSpec* stored = FindSpec(source.specs(), name);
        if (stored == nullptr || NumElements(move.source) == 0) continue;
        Box last = move.source;
        last.offset[0] += last.extent[0] - 1;
        last.extent[0] = 1;
        row.resize(static_cast<size_t>(NumElements(last) * SizeOf(stored->dtype)));
        NEMO_RETURN_IF_ERROR(source.Read(name, last, row));
      }
    }
  }
  return OkStatus();
}

/// This rank's files, from opening to their final names.
Status WriteFiles(const TensorSource& source, const Plan& plan, Mover& mover, OutputFiles& files,
                  const ConvertOptions& options) {
  NEMO_RETURN_IF_ERROR(files.Open());
  NEMO_RETURN_IF_ERROR(CheckStop());
  NEMO_RETURN_IF_ERROR(mover.Run());
  NEMO_RETURN_IF_ERROR(TouchKept(source, plan, files));
  NEMO_RETURN_IF_ERROR(source.ProveReads());
  if (options.verify_written) NEMO_RETURN_IF_ERROR(files.Verify());
  NEMO_RETURN_IF_ERROR(CheckStop());
  NEMO_RETURN_IF_ERROR(files.Finish());
  return CheckStop();
}

/// What goes beside the files, and the final name. Of one rank only. The bytes of all tensors as
/// they are stored.
Result<int64_t> Publish(const Plan& plan, Target& target, OutputFiles& files) {
  NEMO_ASSIGN_OR_RETURN(const std::vector<WrittenFile> written, std::move(files).Collect());
  NEMO_RETURN_IF_ERROR(target.Finish(plan, written));
  int64_t stored_bytes = 0;
  for (const WrittenFile& file : written) {
    for (const TensorPlace& place : file.places) stored_bytes += place.size_bytes;
  }
  return stored_bytes;
}

/// What was done stays for a later run when there is something of it, and the same work can succeed
/// then.
void KeepOrAbandon(const Status& error, const OutputFiles& files, const Team& team,
                   const ConvertOptions& options, Target& target) {
  const bool has_work = files.num_done() > 0 || team.size() > 1;
  if (options.journal != nullptr && IsResumable(error) && has_work) return;
  target.Abandon();
  // The error that led here matters more than what cannot be cleared away.
  if (options.journal != nullptr) static_cast<void>(options.journal->Remove().ok());
}

}  // namespace

bool IsResumable(const Status& error) {
  return error.code() == StatusCode::kIo || error.code() == StatusCode::kUnavailable;
}

int64_t MemoryOf(const ConvertOptions& options) {
  return options.jobs * (kCopiesOfBlock * options.block_bytes + DirectIo::kStagingBytes);
}

Result<ConvertOptions> OptionsFor(int jobs, int64_t limit_bytes) {
  ConvertOptions options;
  for (options.jobs = jobs; options.jobs > 0; --options.jobs) {
    const int64_t room = (limit_bytes / options.jobs - DirectIo::kStagingBytes) / kCopiesOfBlock;
    if (room < kMinBlockBytes) continue;
    options.block_bytes = std::min(kMaxBlockBytes, room / kMinBlockBytes * kMinBlockBytes);
    return options;
  }
  return InvalidArgument(
      Format("a memory limit of {} has no room for one block in flight; {} are "
             "the least",
             FormatBytes(limit_bytes),
             FormatBytes(kCopiesOfBlock * kMinBlockBytes + DirectIo::kStagingBytes)));
}

namespace {

Result<ConvertReport> ConvertWith(const TensorSource& source, const Plan& plan, Target& target,
                                  const ConvertOptions& options, Progress& progress) {
  Alone alone;
  Team& team = options.team == nullptr ? alone : *options.team;
  OutputFiles files(plan, target, options, team, progress);
  Mover mover(source, plan, files, options, progress);
  progress.Start("converting", files.own_bytes(), "B");
  Status mine = WriteFiles(source, plan, mover, files, options);
  // Before the others are told: they may not live to do it.
  if (!mine.ok()) KeepOrAbandon(mine, files, team, options, target);
  NEMO_RETURN_IF_ERROR(team.Agree(mine));
  ConvertReport report;
  if (team.rank() == 0) {
    const auto stored_bytes = Publish(plan, target, files);
    if (stored_bytes) report.stored_bytes = *stored_bytes;
    mine = stored_bytes.error();
    if (!mine.ok()) KeepOrAbandon(mine, files, team, options, target);
  }
  NEMO_RETURN_IF_ERROR(team.Agree(mine));
  if (options.journal != nullptr) NEMO_RETURN_IF_ERROR(options.journal->Remove());
  report.num_files = std::ssize(plan.files);
  for (const PlannedFile& file : plan.files) report.num_tensors += std::ssize(file.tensors);
  report.written_bytes = plan.size_bytes();
  NEMO_ASSIGN_OR_RETURN(report.read_bytes, team.Sum(mover.read_bytes()));
  NEMO_ASSIGN_OR_RETURN(report.kept_bytes, team.Sum(files.kept_bytes()));
  NEMO_ASSIGN_OR_RETURN(report.num_kept_tensors, team.Sum(files.num_kept()));
  return report;
}

}  // namespace

Result<ConvertReport> Convert(const TensorSource& source, const Plan& plan, Target& target,
                              const ConvertOptions& options, Progress& progress) {
  Result<ConvertReport> report = ConvertWith(source, plan, target, options, progress);
  progress.Finish();  // after an error too: its message wants a line of its own
  return report;
}

}  // namespace nemo
