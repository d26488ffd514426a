#include "libcore/convert/output_files.h"

#include <algorithm>
#include <map>
#include <utility>

#include "libcore/base/aligned_buffer.h"
#include "libcore/base/format.h"
#include "libcore/base/hash.h"
#include "libcore/base/thread_pool.h"
#include "libcore/convert/blocks.h"

namespace nemo {
namespace {

/// The rank that writes each file: runs of neighbours, for they share sources, of like size.
std::vector<int> RankOfFile(const Plan& plan, int num_ranks) {
  std::vector<int> rank_of_file;
  const double total = static_cast<double>(std::max<int64_t>(1, plan.size_bytes()));
  double before = 0;
  for (const PlannedFile& file : plan.files) {
    const auto size = static_cast<double>(file.size_bytes());
    const int rank = static_cast<int>((before + size / 2) / total * num_ranks);
    rank_of_file.push_back(std::clamp(rank, 0, num_ranks - 1));
    before += size;
  }
  return rank_of_file;
}

Status MissingRecord(const PlannedFile& file, std::string_view what) {
  return Unavailable(Format("{}: its rank left no record of {}; do all nodes see one file system?",
                            file.stem, what));
}

}  // namespace

OutputFiles::OutputFiles(const Plan& plan, Target& target, const ConvertOptions& options,
                         Team& team, Progress& progress)
    : target_(target),
      options_(options),
      team_(team),
      progress_(progress),
      rank_of_file_(RankOfFile(plan, team.size())),
      files_(plan.files.size()) {
  for (size_t i = 0; i < files_.size(); ++i) {
    files_[i].planned = &plan.files[i];
    const size_t num_tensors = plan.files[i].tensors.size();
    files_[i].kept.resize(num_tensors, false);
    files_[i].written.xxh3.resize(num_tensors);
    files_[i].written.places.resize(num_tensors);
  }
}

// ---- opening, and what an earlier run left
// -------------------------------------------------------

Status OutputFiles::Open() {
  for (size_t i = 0; i < files_.size(); ++i) {
    if (IsMine(i)) NEMO_RETURN_IF_ERROR(OpenSink(files_[i]));
  }
  return ParallelFor(options_.jobs, std::ssize(files_), [&](int64_t i) {
    File& file = files_[static_cast<size_t>(i)];
    const bool is_begun = IsMine(static_cast<size_t>(i)) && HasRecords(file);
    return is_begun ? KeepWritten(file) : OkStatus();
  });
}

const TensorRecord* OutputFiles::RecordOf(const File& file, size_t tensor) const {
  const auto found = options_.earlier.tensors.find({file.planned->stem, file.SpecOf(tensor).name});
  return found == options_.earlier.tensors.end() ? nullptr : &found->second;
}

bool OutputFiles::HasRecords(const File& file) const {
  const auto first = options_.earlier.tensors.lower_bound({file.planned->stem, ""});
  return first != options_.earlier.tensors.end() && first->first.first == file.planned->stem;
}

Status OutputFiles::OpenSink(File& file) const {
  file.sink.reset();
  NEMO_ASSIGN_OR_RETURN(file.sink, target_.OpenFile(*file.planned));
  std::vector<SinkTensor> tensors;
  for (const PlannedTensor& planned : file.planned->tensors) tensors.push_back(planned.tensor);
  return HasRecords(file) ? file.sink->Resume(std::move(tensors))
                          : file.sink->Declare(std::move(tensors));
}

/// Keeps what the records name and the bytes prove. A file that is written in order keeps its
/// tensors up to the first that fails.
Status OutputFiles::KeepWritten(File& file) {
  for (size_t tensor = 0; tensor < file.kept.size(); ++tensor) {
    if (StopRequested()) return OkStatus();  // the mover says so
    const TensorRecord* record = RecordOf(file, tensor);
    if (record != nullptr && file.sink->Restore(record->tensor, record->note).ok() &&
        HashOf(file, tensor) == record->xxh3) {
      file.kept[tensor] = true;
      NEMO_RETURN_IF_ERROR(NoteDone(file, tensor, record->xxh3));
      const int64_t size = file.SpecOf(tensor).size_bytes();
      kept_bytes_ += size;
      ++num_kept_;
      progress_.Add(size);
    } else if (file.sink->in_order()) {
      return record == nullptr ? OkStatus() : RestoreUpTo(file, tensor);
    }
  }
  return OkStatus();
}

/// A new sink that knows of the tensors before `end` and of no other.
Status OutputFiles::RestoreUpTo(File& file, size_t end) const {
  NEMO_RETURN_IF_ERROR(OpenSink(file));
  for (size_t tensor = 0; tensor < end; ++tensor) {
    const TensorRecord* record = RecordOf(file, tensor);
    NEMO_RETURN_IF_ERROR(file.sink->Restore(record->tensor, record->note));
  }
  return OkStatus();
}

/// XXH3-128 of what stands in the file; empty when it cannot be read.
std::string OutputFiles::HashOf(const File& file, size_t tensor) const {
  const TensorSpec& spec = file.SpecOf(tensor);
  Hasher hasher;
  AlignedBuffer memory;
  for (const Box& block : RowBlocks(Box::Whole(spec.shape), SizeOf(spec.dtype),
                                    options_.block_bytes, file.sink->RowsPerBlock(spec.name))) {
    const auto bytes = memory.Get(NumElements(block) * SizeOf(spec.dtype));
    if (!file.sink->Recall(spec.name, block, bytes).ok()) return {};
    hasher.Update(bytes);
  }
  return hasher.HexDigest();
}

// ---- while blocks are moved
// ----------------------------------------------------------------------

int64_t OutputFiles::RowsPerBlock(const PlanIndex& index) const {
  const File& file = files_[index.file];
  return file.sink->RowsPerBlock(file.SpecOf(index.tensor).name);
}

int64_t OutputFiles::PhaseOf(const PlanIndex& index, int64_t row) const {
  const File& file = files_[index.file];
  const TensorSpec& spec = file.SpecOf(index.tensor);
  if (file.sink->in_order() || spec.shape.empty() || spec.size_bytes() == 0) return 0;
  const auto place = file.sink->PlaceOf(spec.name);
  if (!place) return 0;
  return (place->offset_bytes + spec.size_bytes() / spec.shape[0] * row) % kDirectAlignment;
}

Status OutputFiles::NoteDone(File& file, size_t tensor, std::string xxh3) {
  NEMO_ASSIGN_OR_RETURN(file.written.places[tensor], file.sink->PlaceOf(file.SpecOf(tensor).name));
  file.written.xxh3[tensor] = std::move(xxh3);
  ++num_done_;
  return OkStatus();
}

Status OutputFiles::NoteWritten(const PlanIndex& index, std::string xxh3) {
  File& file = files_[index.file];
  NEMO_RETURN_IF_ERROR(NoteDone(file, index.tensor, std::move(xxh3)));
  if (options_.journal == nullptr) return OkStatus();
  const std::string& name = file.SpecOf(index.tensor).name;
  return options_.journal->Add(
      TensorRecord{file.planned->stem, name, file.written.xxh3[index.tensor],
                   file.written.places[index.tensor], file.sink->Note(name)});
}

// ---- finishing
// -----------------------------------------------------------------------------------

Status OutputFiles::Verify() const {
  std::vector<PlanIndex> tensors;
  for (size_t file = 0; file < files_.size(); ++file) {
    for (size_t t = 0; IsMine(file) && t < files_[file].kept.size(); ++t) {
      tensors.push_back({file, t});
    }
  }
  return ParallelFor(options_.jobs, std::ssize(tensors), [&](int64_t i) {
    const PlanIndex& index = tensors[static_cast<size_t>(i)];
    const File& file = files_[index.file];
    if (StopRequested() || HashOf(file, index.tensor) == file.written.xxh3[index.tensor]) {
      return OkStatus();
    }
    return IoError(
        Format("{}: tensor {}: the disk gives back other bytes than were written to it; "
               "check the disk and the memory of this machine",
               file.planned->stem, file.SpecOf(index.tensor).name));
  });
}

Status OutputFiles::Finish() {
  return ParallelFor(options_.jobs, std::ssize(files_), [&](int64_t i) -> Status {
    File& file = files_[static_cast<size_t>(i)];
    if (!IsMine(static_cast<size_t>(i))) return OkStatus();
    std::map<std::string, std::string> checksums;
    for (size_t t = 0; t < file.kept.size(); ++t) {
      checksums[file.SpecOf(t).name] = file.written.xxh3[t];
    }
    NEMO_ASSIGN_OR_RETURN(file.written.summary, file.sink->Finish(checksums));
    if (options_.journal == nullptr) return OkStatus();
    return options_.journal->Add(FileRecord{file.planned->stem, file.written.summary});
  });
}

Result<std::vector<WrittenFile>> OutputFiles::Collect() && {
  JournalRecords records;
  if (team_.size() > 1) {
    NEMO_ASSIGN_OR_RETURN(records, options_.team_records());
  }
  std::vector<WrittenFile> all;
  for (size_t i = 0; i < files_.size(); ++i) {
    File& file = files_[i];
    if (!IsMine(i)) {
      const auto summary = records.files.find(file.planned->stem);
      if (summary == records.files.end()) return MissingRecord(*file.planned, "the file");
      file.written.summary = summary->second.summary;
      for (size_t t = 0; t < file.kept.size(); ++t) {
        const std::string& name = file.SpecOf(t).name;
        const auto tensor = records.tensors.find({file.planned->stem, name});
        if (tensor == records.tensors.end()) return MissingRecord(*file.planned, name);
        file.written.places[t] = tensor->second.place;
        file.written.xxh3[t] = tensor->second.xxh3;
      }
    }
    all.push_back(std::move(file.written));
  }
  return all;
}

int64_t OutputFiles::own_bytes() const {
  int64_t sum = 0;
  for (size_t file = 0; file < files_.size(); ++file) {
    if (IsMine(file)) sum += files_[file].planned->size_bytes();
  }
  return sum;
}

}  // namespace nemo
