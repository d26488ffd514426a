#include "libcore/model/name_map.h"

#include <algorithm>
#include <functional>
#include <optional>
#include <set>
#include <utility>

#include "libcore/base/check.h"
#include "libcore/base/format.h"

namespace nemo {
namespace {

/// What of `box` lies outside of `hole`, as disjoint boxes: slabs below and above it on each axis
/// in turn.
std::vector<Box> Subtract(const Box& box, const Box& hole) {
  const std::optional<Box> common = Intersect(box, hole);
  if (!common) return {box};
  std::vector<Box> rest;
  Box core = box;
  for (size_t axis = 0; axis < box.extent.size(); ++axis) {
    const int64_t end = core.offset[axis] + core.extent[axis];
    const int64_t hole_end = common->offset[axis] + common->extent[axis];
    if (common->offset[axis] > core.offset[axis]) {
      Box below = core;
      below.extent[axis] = common->offset[axis] - core.offset[axis];
      rest.push_back(std::move(below));
    }
    if (hole_end < end) {
      Box above = core;
      above.offset[axis] = hole_end;
      above.extent[axis] = end - hole_end;
      rest.push_back(std::move(above));
    }
    core.offset[axis] = common->offset[axis];
    core.extent[axis] = common->extent[axis];
  }
  return rest;
}

/// Calls visit(piece, part) for the first piece that holds each part of `box`; returns what no
/// piece holds.
std::vector<Box> Cover(const std::vector<NamePiece>& pieces, const Box& box,
                       const std::function<void(const NamePiece&, const Box&)>& visit) {
  std::vector<Box> wanted = {box};
  for (const NamePiece& piece : pieces) {
    std::vector<Box> still_wanted;
    for (const Box& part : wanted) {
      const std::optional<Box> common = Intersect(part, piece.canonical);
      if (common) visit(piece, *common);
      for (Box& rest : Subtract(part, piece.canonical)) still_wanted.push_back(std::move(rest));
    }
    wanted = std::move(still_wanted);
    if (wanted.empty()) break;
  }
  return wanted;
}

}  // namespace

NamePiece Clip(const NamePiece& piece, const Box& part) {
  NamePiece clipped = piece;
  clipped.canonical = part;
  const size_t extra = piece.stored.extent.size() - piece.canonical.extent.size();
  for (size_t axis = 0; axis < part.extent.size(); ++axis) {
    clipped.stored.offset[axis + extra] += part.offset[axis] - piece.canonical.offset[axis];
    clipped.stored.extent[axis + extra] = part.extent[axis];
  }
  return clipped;
}

void NameMap::Add(std::string canonical_name, NamePiece piece) {
  const Box& stored = piece.stored;
  NEMO_CHECK(stored.rank() >= piece.canonical.rank());
  const size_t extra = static_cast<size_t>(stored.rank() - piece.canonical.rank());
  for (size_t axis = 0; axis < stored.extent.size(); ++axis) {
    NEMO_CHECK(stored.extent[axis] == (axis < extra ? 1 : piece.canonical.extent[axis - extra]));
  }
  entries_[std::move(canonical_name)].push_back(std::move(piece));
}

const std::vector<NamePiece>* NameMap::Find(std::string_view canonical_name) const {
  const auto it = entries_.find(canonical_name);
  return it == entries_.end() ? nullptr : &it->second;
}

Result<std::vector<NamePiece>> NameMap::Locate(std::string_view canonical_name,
                                               const Box& box) const {
  const std::vector<NamePiece>* pieces = Find(canonical_name);
  if (pieces == nullptr) return NotFound(Format("no tensor '{}'", canonical_name));
  std::vector<NamePiece> located;
  if (NumElements(box) == 0) return located;
  const std::vector<Box> missing =
      Cover(*pieces, box,
            [&](const NamePiece& piece, const Box& part) { located.push_back(Clip(piece, part)); });
  if (missing.empty()) return located;
  return Corruption(
      Format("tensor {}: no file holds {}", canonical_name, ToString(missing.front())));
}

std::vector<NamePiece> NameMap::Replicas(std::string_view canonical_name) const {
  const std::vector<NamePiece>* pieces = Find(canonical_name);
  if (pieces == nullptr || pieces->size() < 2) return {};
  const NamePiece& first = pieces->front();
  Box whole = first.canonical;
  for (const NamePiece& piece : *pieces) {
    for (size_t axis = 0; axis < whole.extent.size(); ++axis) {
      const int64_t begin = std::min(whole.offset[axis], piece.canonical.offset[axis]);
      const int64_t end = std::max(whole.offset[axis] + whole.extent[axis],
                                   piece.canonical.offset[axis] + piece.canonical.extent[axis]);
      whole.offset[axis] = begin;
      whole.extent[axis] = end - begin;
    }
  }
  // A piece that Cover uses in full is no replica.
  std::set<const NamePiece*> used;
  Cover(*pieces, whole, [&](const NamePiece& piece, const Box& part) {
    if (part == piece.canonical) used.insert(&piece);
  });
  std::vector<NamePiece> replicas;
  for (const NamePiece& piece : *pieces) {
    if (!used.contains(&piece)) replicas.push_back(piece);
  }
  return replicas;
}

}  // namespace nemo
