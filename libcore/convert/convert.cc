#include "libcore/convert/convert.h"

#include <algorithm>
#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "libcore/base/format.h"
#include "libcore/base/hash.h"
#include "libcore/base/thread_pool.h"
#include "libcore/convert/blocks.h"
#include "libcore/tensor/cast.h"

namespace nemo {
namespace {

Status CheckStop() {
  if (!StopRequested()) return OkStatus();
  return IoError(Format("stopped by signal {}", StopSignal()));
}

/// A tensor of the plan on its way into a sink.
class TensorJob {
 public:
  TensorJob(const TensorSource& source, const PlannedTensor& planned, TensorSink& sink)
      : source_(source), planned_(planned), sink_(sink) {}

  /// Reads, hashes and writes block after block; returns the XXH3-128 of the whole tensor.
  Result<std::string> Run(int64_t block_bytes, Progress& progress,
                          std::atomic<int64_t>& read_bytes) {
    const TensorSpec& spec = planned_.tensor.spec;
    std::vector<std::byte> buffer;
    Hasher hasher;
    for (const Box& block : RowBlocks(Box::Whole(spec.shape), SizeOf(spec.dtype), block_bytes)) {
      NEMO_RETURN_IF_ERROR(CheckStop());
      buffer.assign(static_cast<size_t>(NumElements(block) * SizeOf(spec.dtype)), std::byte{0});
      NEMO_RETURN_IF_ERROR(Fill(block, buffer, read_bytes));
      hasher.Update(buffer);
      NEMO_RETURN_IF_ERROR(WriteBlock(sink_, spec.name, block, buffer));
      progress.Add(static_cast<int64_t>(buffer.size()));
    }
    return hasher.HexDigest();
  }

 private:
  /// Reads what the moves bring into `block`. Targets are whole rows, so that each lands in one
  /// piece.
  Status Fill(const Box& block, std::vector<std::byte>& buffer, std::atomic<int64_t>& read_bytes) {
    const TensorSpec& spec = planned_.tensor.spec;
    const int64_t row_bytes = static_cast<int64_t>(buffer.size()) / block.extent[0];
    for (const Move& move : planned_.moves) {
      const std::optional<Box> part = Intersect(move.target, block);
      if (!part || move.source_name.empty()) continue;
      NEMO_CHECK(std::equal(part->extent.begin() + 1, part->extent.end(), spec.shape.begin() + 1));
      Box from = move.source;
      from.offset[0] += part->offset[0] - move.target.offset[0];
      from.extent[0] = part->extent[0];
      const auto out = std::span(buffer).subspan(
          static_cast<size_t>((part->offset[0] - block.offset[0]) * row_bytes),
          static_cast<size_t>(part->extent[0] * row_bytes));
      NEMO_RETURN_IF_ERROR(ReadMove(move, from, out, read_bytes));
    }
    return OkStatus();
  }

  /// Reads `from` of the move's source as elements of the target's dtype, transformed as it says.
  Status ReadMove(const Move& move, const Box& from, std::span<std::byte> out,
                  std::atomic<int64_t>& read_bytes) {
    const std::string& name = move.source_name;
    const TensorSpec* stored = FindSpec(source_.specs(), name);
    const DType target = planned_.tensor.spec.dtype;
    const bool copy = move.transform == Transform::kCopy;
    if (stored == nullptr || (copy && stored->dtype == target)) {
      read_bytes += static_cast<int64_t>(out.size());
      return source_.Read(name, from, out);
    }
    NEMO_CHECK(target == DType::kBF16 && CanCastToBF16(stored->dtype));
    const int64_t count = NumElements(from);
    stored_.resize(static_cast<size_t>(count * SizeOf(stored->dtype)));
    NEMO_RETURN_IF_ERROR(source_.Read(name, from, stored_));
    read_bytes += static_cast<int64_t>(stored_.size());
    const auto convert = copy ? CastToBF16 : AddOneToBF16;
    convert(stored->dtype, stored_.data(), count, reinterpret_cast<BF16*>(out.data()));
    return OkStatus();
  }

  const TensorSource& source_;
  const PlannedTensor& planned_;
  TensorSink& sink_;
  std::vector<std::byte> stored_;  // a block before it is cast or transformed
};

Result<std::unique_ptr<TensorSink>> OpenSink(Target& target, const PlannedFile& file) {
  NEMO_ASSIGN_OR_RETURN(std::unique_ptr<TensorSink> sink, target.OpenFile(file));
  std::vector<SinkTensor> tensors;
  for (const PlannedTensor& planned : file.tensors) tensors.push_back(planned.tensor);
  NEMO_RETURN_IF_ERROR(sink->Declare(std::move(tensors)));
  return sink;
}

class Run {
 public:
  Run(const TensorSource& source, const Plan& plan, Target& target, const ConvertOptions& options,
      Progress& progress)
      : source_(source), plan_(plan), target_(target), options_(options), progress_(progress) {}

  Result<ConvertReport> Execute() {
    NEMO_RETURN_IF_ERROR(OpenSinks());
    NEMO_RETURN_IF_ERROR(MoveTensors());
    NEMO_RETURN_IF_ERROR(FinishSinks());
    NEMO_RETURN_IF_ERROR(CheckStop());
    NEMO_RETURN_IF_ERROR(target_.Finish(plan_, written_));
    ConvertReport report;
    report.num_files = static_cast<int64_t>(plan_.files.size());
    report.num_tensors = static_cast<int64_t>(jobs_.size());
    report.read_bytes = read_bytes_;
    report.written_bytes = plan_.size_bytes();
    return report;
  }

 private:
  struct Job {
    size_t file, tensor;
  };

  /// Declares every file before a byte is moved: a full disk or a refused name shows at once.
  Status OpenSinks() {
    sinks_.resize(plan_.files.size());
    written_.resize(plan_.files.size());
    for (size_t file = 0; file < plan_.files.size(); ++file) {
      NEMO_ASSIGN_OR_RETURN(sinks_[file], OpenSink(target_, plan_.files[file]));
      written_[file].xxh3.resize(plan_.files[file].tensors.size());
      for (size_t tensor = 0; tensor < plan_.files[file].tensors.size(); ++tensor) {
        jobs_.push_back({file, tensor});
        NEMO_ASSIGN_OR_RETURN(
            const TensorPlace place,
            sinks_[file]->PlaceOf(plan_.files[file].tensors[tensor].tensor.spec.name));
        written_[file].places.push_back(place);
      }
    }
    return OkStatus();
  }

  Status MoveTensors() {
    return ParallelFor(options_.jobs, static_cast<int64_t>(jobs_.size()), [&](int64_t index) {
      const Job& job = jobs_[static_cast<size_t>(index)];
      const PlannedTensor& planned = plan_.files[job.file].tensors[job.tensor];
      Result<std::string> hash = TensorJob(source_, planned, *sinks_[job.file])
                                     .Run(options_.block_bytes, progress_, read_bytes_);
      if (!hash) return hash.error().At(plan_.files[job.file].stem);
      written_[job.file].xxh3[job.tensor] = *std::move(hash);
      return OkStatus();
    });
  }

  Status FinishSinks() {
    return ParallelFor(
        options_.jobs, static_cast<int64_t>(sinks_.size()), [&](int64_t index) -> Status {
          const auto file = static_cast<size_t>(index);
          std::map<std::string, std::string> checksums;
          for (size_t tensor = 0; tensor < plan_.files[file].tensors.size(); ++tensor) {
            checksums[plan_.files[file].tensors[tensor].tensor.spec.name] =
                written_[file].xxh3[tensor];
          }
          NEMO_ASSIGN_OR_RETURN(written_[file].summary, sinks_[file]->Finish(checksums));
          return OkStatus();
        });
  }

  const TensorSource& source_;
  const Plan& plan_;
  Target& target_;
  const ConvertOptions& options_;
  Progress& progress_;
  std::vector<std::unique_ptr<TensorSink>> sinks_;
  std::vector<WrittenFile> written_;
  std::vector<Job> jobs_;
  std::atomic<int64_t> read_bytes_{0};
};

}  // namespace

Result<ConvertReport> Convert(const TensorSource& source, const Plan& plan, Target& target,
                              const ConvertOptions& options, Progress& progress) {
  progress.Start("converting", plan.size_bytes(), "B");
  Result<ConvertReport> report = Run(source, plan, target, options, progress).Execute();
  progress.Finish();
  if (!report) target.Abandon();
  return report;
}

}  // namespace nemo
