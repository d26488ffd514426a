#include "libcore/convert/stats.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "libcore/base/format.h"
#include "libcore/base/progress.h"
#include "libcore/convert/blocks.h"

namespace nemo {
namespace {

class Accumulator {
 public:
  void AddBlock(DType dtype, const std::byte* data, const Box& block) {
    const int64_t rows = block.extent.empty() ? 1 : block.extent[0];
    const int64_t row_size = NumElements(block) / rows;
    for (int64_t row = 0; row < rows; ++row)
      AddRow(dtype, data, row * row_size, row_size, block, row);
  }

  TensorStats Finish() {
    const int64_t finite = stats_.num_elements - stats_.num_nans - stats_.num_infs;
    if (finite > 0) {
      stats_.mean = sum_ / static_cast<double>(finite);
      stats_.rms = std::sqrt(sum_of_squares_ / static_cast<double>(finite));
      stats_.min = min_;
      stats_.max = max_;
    }
    return stats_;
  }

 private:
  void AddRow(DType dtype, const std::byte* data, int64_t first, int64_t size, const Box& block,
              int64_t row) {
    const double head = ElementAsDouble(dtype, data, first);
    bool constant = block.extent.size() == 2 && size >= 2;
    for (int64_t i = 0; i < size; ++i) {
      const double value = ElementAsDouble(dtype, data, first + i);
      constant = constant && value == head;
      if (std::isfinite(value)) {
        AddFinite(value);
      } else {
        AddNonFinite(value, block, first + i);
      }
    }
    stats_.num_elements += size;
    if (constant) {
      if (stats_.num_constant_rows++ == 0) stats_.first_constant_row = block.offset[0] + row;
    }
  }

  void AddFinite(double value) {
    stats_.num_zeros += value == 0 ? 1 : 0;
    sum_ += value;
    sum_of_squares_ += value * value;
    min_ = std::min(min_, value);
    max_ = std::max(max_, value);
  }

  void AddNonFinite(double value, const Box& block, int64_t linear) {
    auto& [count, first] = std::isnan(value) ? nan_ : inf_;
    if (count++ == 0) {
      first = IndexOf(block.extent, linear);
      for (size_t axis = 0; axis < first.size(); ++axis) first[axis] += block.offset[axis];
    }
  }

  struct Bad {
    int64_t& count;
    std::vector<int64_t>& first;
  };

  TensorStats stats_;
  Bad nan_{stats_.num_nans, stats_.first_nan};
  Bad inf_{stats_.num_infs, stats_.first_inf};
  double sum_ = 0, sum_of_squares_ = 0;
  double min_ = std::numeric_limits<double>::infinity();
  double max_ = -std::numeric_limits<double>::infinity();
};

}  // namespace

Result<TensorStats> ComputeStats(const TensorSource& source, std::string_view name, const Box& box,
                                 int64_t block_bytes) {
  const TensorSpec* spec = FindSpec(source.specs(), name);
  if (spec == nullptr) return NotFound(Format("no tensor '{}'", name));
  Accumulator accumulator;
  std::vector<std::byte> buffer;
  for (const Box& block : RowBlocks(box, SizeOf(spec->dtype), block_bytes)) {
    if (StopRequested()) return IoError(Format("stopped by signal {}", StopSignal()));
    buffer.resize(static_cast<size_t>(NumElements(block) * SizeOf(spec->dtype)));
    NEMO_RETURN_IF_ERROR(source.Read(name, block, buffer));
    accumulator.AddBlock(spec->dtype, buffer.data(), block);
  }
  return accumulator.Finish();
}

}  // namespace nemo
