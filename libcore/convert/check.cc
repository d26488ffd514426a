#include "libcore/convert/check.h"

#include <algorithm>
#include <cmath>
#include <mutex>
#include <utility>

#include "libcore/base/format.h"
#include "libcore/base/thread_pool.h"
#include "libcore/convert/blocks.h"
#include "libcore/convert/stats.h"
#include "libcore/model/architecture.h"

namespace nemo {
namespace {

/// Weights of a trained transformer stay far below this; a larger one is a wrong dtype or a broken
/// byte.
constexpr double kSuspiciousMagnitude = 1e4;

Problem BadElement(const CanonicalSource& source, const std::string& name, const char* code,
                   const char* what, int64_t count, const std::vector<int64_t>& first) {
  const Box element{first, Shape(first.size(), 1)};
  return {code,
          Format("{}: tensor {}{}", fmt::join(source.FilesOf(name, element), " "), name,
                 FormatList(first)),
          Format("{} {} element{}", count, what, count == 1 ? "" : "s"), true};
}

std::vector<Problem> Judge(const CanonicalSource& source, const LogicalTensor& tensor,
                           const TensorStats& stats) {
  std::vector<Problem> problems;
  if (stats.num_nans > 0) {
    problems.push_back(
        BadElement(source, tensor.name, "nan", "NaN", stats.num_nans, stats.first_nan));
  }
  if (stats.num_infs > 0) {
    problems.push_back(
        BadElement(source, tensor.name, "inf", "infinite", stats.num_infs, stats.first_inf));
  }
  const bool is_matrix = tensor.shape.size() == 2;
  if (is_matrix && stats.num_zeros == stats.num_elements) {
    problems.push_back({"all_zero", "tensor " + tensor.name, "every element is zero", false});
  } else if (stats.num_constant_rows > 0) {
    problems.push_back({"constant_rows", "tensor " + tensor.name,
                        Format("{} rows hold one value throughout, the first is row {}",
                               stats.num_constant_rows, stats.first_constant_row),
                        false});
  }
  const double magnitude = std::max(std::abs(stats.min), std::abs(stats.max));
  if (magnitude > kSuspiciousMagnitude) {
    problems.push_back(
        {"range", "tensor " + tensor.name,
         Format("values reach {:g}, far beyond what trained weights have", magnitude), false});
  }
  return problems;
}

}  // namespace

std::string_view CheckLevelName(CheckLevel level) {
  switch (level) {
    case CheckLevel::kIndex:
      return "index";
    case CheckLevel::kChecksums:
      return "checksums";
    case CheckLevel::kValues:
      return "values";
    case CheckLevel::kLogits:
      return "logits";
  }
  return "unknown";
}

Result<std::vector<Problem>> CheckValues(const CanonicalSource& source, const ModelConfig& config,
                                         int jobs, Progress& progress) {
  NEMO_ASSIGN_OR_RETURN(const std::vector<LogicalTensor> tensors, LogicalTensors(config));
  int64_t total_bytes = 0;
  for (const TensorSpec& spec : source.specs()) total_bytes += spec.size_bytes();
  progress.Start("checking values", total_bytes, "B");
  std::vector<std::vector<Problem>> found(tensors.size());
  const Status status =
      ParallelFor(jobs, static_cast<int64_t>(tensors.size()), [&](int64_t i) -> Status {
        const LogicalTensor& tensor = tensors[static_cast<size_t>(i)];
        const Box real =
            RealRows(tensor.shape, tensor.rule == ShardRule::kVocab, config.vocab_size);
        NEMO_ASSIGN_OR_RETURN(const TensorStats stats, ComputeStats(source, tensor.name, real));
        found[static_cast<size_t>(i)] = Judge(source, tensor, stats);
        progress.Add(FindSpec(source.specs(), tensor.name)->size_bytes());
        return OkStatus();
      });
  progress.Finish();
  NEMO_RETURN_IF_ERROR(status);
  NEMO_RETURN_IF_ERROR(source.ProveReads());
  std::vector<Problem> problems;
  for (std::vector<Problem>& list : found) {
    problems.insert(problems.end(), std::make_move_iterator(list.begin()),
                    std::make_move_iterator(list.end()));
  }
  return problems;
}

}  // namespace nemo
