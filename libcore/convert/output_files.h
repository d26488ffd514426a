// OutputFiles: the files that a conversion makes, from their declaration to their final names, and
// what of them an earlier run has left.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "libcore/base/progress.h"
#include "libcore/base/status.h"
#include "libcore/convert/convert.h"
#include "libcore/convert/work.h"

namespace nemo {

/// Thread-safe between Open and Finish, as the sinks are.
class OutputFiles {
 public:
  OutputFiles(const Plan& plan, Target& target, const ConvertOptions& options, Team& team,
              Progress& progress);

  /// Declares every file of this rank before a byte is moved: a full disk or a refused name shows
  /// at once. What options.earlier tells of them is proved and kept.
  Status Open();

  /// A tensor that this rank still has to write.
  bool IsWanted(const PlanIndex& index) const {
    return IsMine(index.file) && !files_[index.file].kept[index.tensor];
  }
  /// A tensor of this rank that an earlier run has written.
  bool IsKept(const PlanIndex& index) const { return files_[index.file].kept[index.tensor]; }
  TensorSink& SinkOf(size_t file) { return *files_[file].sink; }
  int64_t RowsPerBlock(const PlanIndex& index) const;
  /// Where row `row` of a tensor will stand in its file, modulo the alignment of direct transfers;
  /// 0 when that is not known beforehand.
  int64_t PhaseOf(const PlanIndex& index, int64_t row) const;
  /// All of a tensor stands in its file.
  Status NoteWritten(const PlanIndex& index, std::string xxh3);

  /// Reads every tensor back from the disk. kIo: it gives back other bytes.
  Status Verify() const;
  /// Checksums, sync, final names.
  Status Finish();
  /// What is known of all files of the plan, the other ranks' among them. After every rank's
  /// Finish.
  Result<std::vector<WrittenFile>> Collect() &&;

  int64_t own_bytes() const;  ///< of the tensors of this rank's files
  int64_t kept_bytes() const { return kept_bytes_; }
  int64_t num_kept() const { return num_kept_; }
  int64_t num_done() const { return num_done_; }  ///< tensors kept or written

 private:
  struct File {
    const PlannedFile* planned = nullptr;
    std::unique_ptr<TensorSink> sink;
    std::vector<bool> kept;  ///< per tensor: an earlier run wrote it, and it is as it ought to be
    WrittenFile written;

    const TensorSpec& SpecOf(size_t tensor) const { return planned->tensors[tensor].tensor.spec; }
  };

  bool IsMine(size_t file) const { return rank_of_file_[file] == team_.rank(); }
  const TensorRecord* RecordOf(const File& file, size_t tensor) const;
  bool HasRecords(const File& file) const;
  Status OpenSink(File& file) const;
  Status KeepWritten(File& file);
  Status RestoreUpTo(File& file, size_t end) const;
  Status NoteDone(File& file, size_t tensor, std::string xxh3);
  std::string HashOf(const File& file, size_t tensor) const;

  Target& target_;
  const ConvertOptions& options_;
  Team& team_;
  Progress& progress_;
  std::vector<int> rank_of_file_;
  std::vector<File> files_;
  std::atomic<int64_t> kept_bytes_{0}, num_kept_{0}, num_done_{0};
};

}  // namespace nemo
