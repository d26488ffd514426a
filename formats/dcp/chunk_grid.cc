#include "formats/dcp/chunk_grid.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "libcore/base/format.h"

namespace nemo::dcp {
namespace {

constexpr size_t kNoChunk = SIZE_MAX;

Status NotFilled(const Shape& shape, std::span<const Box> chunks, std::string_view why) {
  return Corruption(
      Format("its {} chunks do not fill shape {}: {}; the save or the copy is "
             "incomplete",
             chunks.size(), FormatList(shape), why));
}

/// The cut that begins at or before `position`.
int64_t CellOf(const std::vector<int64_t>& cuts, int64_t position) {
  return std::upper_bound(cuts.begin(), cuts.end(), position) - cuts.begin() - 1;
}

std::vector<int64_t> CutsOf(std::span<const Box> chunks, size_t axis) {
  std::vector<int64_t> cuts;
  for (const Box& chunk : chunks) cuts.push_back(chunk.offset[axis]);
  std::sort(cuts.begin(), cuts.end());
  cuts.erase(std::unique(cuts.begin(), cuts.end()), cuts.end());
  return cuts;
}

}  // namespace

Result<ChunkGrid> ChunkGrid::Create(const Shape& shape, std::span<const Box> chunks) {
  ChunkGrid grid;
  if (NumElements(shape) == 0) return grid;
  if (chunks.empty()) return NotFilled(shape, chunks, "there are none");
  size_t num_cells = 1;
  for (size_t axis = 0; axis < shape.size(); ++axis) {
    grid.cuts_.push_back(CutsOf(chunks, axis));
    grid.grid_.push_back(static_cast<int64_t>(grid.cuts_.back().size()));
    num_cells *= grid.cuts_.back().size();
    if (grid.cuts_.back().front() != 0 || num_cells > chunks.size()) {
      return NotFilled(shape, chunks, "a chunk is missing, or they form no grid");
    }
  }
  // As many chunks as cells, each the whole of a cell of its own: nothing is left over.
  if (num_cells != chunks.size()) return NotFilled(shape, chunks, "some overlap");
  grid.cells_.assign(num_cells, kNoChunk);
  for (size_t i = 0; i < chunks.size(); ++i) {
    size_t cell = 0;
    for (size_t axis = 0; axis < shape.size(); ++axis) {
      const auto& cuts = grid.cuts_[axis];
      const auto index = static_cast<size_t>(CellOf(cuts, chunks[i].offset[axis]));
      const int64_t end = index + 1 == cuts.size() ? shape[axis] : cuts[index + 1];
      if (chunks[i].offset[axis] + chunks[i].extent[axis] != end) {
        return NotFilled(shape, chunks,
                         Format("that at {} has shape {}, which leaves a hole or overlaps",
                                FormatList(chunks[i].offset), FormatList(chunks[i].extent)));
      }
      cell = cell * cuts.size() + index;
    }
    if (std::exchange(grid.cells_[cell], i) != kNoChunk) {
      return NotFilled(shape, chunks, Format("two lie at {}", FormatList(chunks[i].offset)));
    }
  }
  return grid;
}

Status ChunkGrid::ForEachChunk(const Box& box, const std::function<Status(size_t)>& visit) const {
  if (NumElements(box) == 0) return OkStatus();
  Box cells = box;  // in units of cells
  for (size_t axis = 0; axis < cuts_.size(); ++axis) {
    const int64_t last = box.offset[axis] + box.extent[axis] - 1;
    cells.offset[axis] = CellOf(cuts_[axis], box.offset[axis]);
    cells.extent[axis] = CellOf(cuts_[axis], last) - cells.offset[axis] + 1;
  }
  const int64_t count = NumElements(cells);
  for (int64_t i = 0; i < count; ++i) {
    const std::vector<int64_t> index = IndexOf(cells.extent, i);
    size_t cell = 0;
    for (size_t axis = 0; axis < index.size(); ++axis) {
      cell = cell * cuts_[axis].size() + static_cast<size_t>(cells.offset[axis] + index[axis]);
    }
    NEMO_RETURN_IF_ERROR(visit(cells_[cell]));
  }
  return OkStatus();
}

}  // namespace nemo::dcp
