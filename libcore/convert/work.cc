#include "libcore/convert/work.h"

#include <algorithm>
#include <map>
#include <optional>
#include <tuple>
#include <utility>

#include "libcore/base/check.h"
#include "libcore/convert/blocks.h"

namespace nemo {
namespace {

/// Tensors with equal keys can be read together: one move fills each, from the same rows.
using ShareKey = std::tuple<int64_t, std::string, Shape, int64_t, int64_t>;

std::optional<ShareKey> ShareKeyOf(const PlannedFile& file, const PlannedTensor& planned) {
  if (planned.moves.size() != 1) return std::nullopt;
  const Move& move = planned.moves.front();
  const Shape& shape = planned.tensor.spec.shape;
  if (move.source_name.empty() || move.transform != Transform::kCopy || shape.empty() ||
      shape.size() > 2 || move.source.rank() != std::ssize(shape) ||
      !(move.target == Box::Whole(shape))) {
    return std::nullopt;
  }
  return ShareKey{file.pp_rank, move.source_name, shape, move.source.offset[0],
                  move.source.extent[0]};
}

/// The smallest box around all members' sources, when they leave no hole in it.
std::optional<Move> UnionOf(const std::vector<const Move*>& moves) {
  Move joined = *moves.front();
  if (joined.source.rank() == 1) return joined;
  std::vector<std::pair<int64_t, int64_t>> ranges;  // columns, begin and end
  for (const Move* move : moves) {
    ranges.emplace_back(move->source.offset[1], move->source.offset[1] + move->source.extent[1]);
  }
  std::sort(ranges.begin(), ranges.end());
  int64_t end = ranges.front().second;
  for (const auto& [begin, stop] : ranges) {
    if (begin > end) return std::nullopt;
    end = std::max(end, stop);
  }
  joined.source.offset[1] = ranges.front().first;
  joined.source.extent[1] = end - ranges.front().first;
  joined.target = Box::Whole(joined.source.extent);
  return joined;
}

class Grouper {
 public:
  Grouper(const Plan& plan, const std::function<bool(const PlanIndex&)>& wanted,
          const Overlap& overlap)
      : plan_(plan), overlap_(overlap) {
    for (size_t file = 0; file < plan.files.size(); ++file) {
      const auto& tensors = plan.files[file].tensors;
      claimed_.emplace_back(tensors.size(), true);
      for (size_t tensor = 0; tensor < tensors.size(); ++tensor) {
        if (!wanted({file, tensor})) continue;
        claimed_[file][tensor] = false;
        if (auto key = ShareKeyOf(plan.files[file], tensors[tensor])) {
          sharers_[*std::move(key)].push_back({file, tensor});
        }
      }
    }
    next_.resize(plan.files.size(), 0);
  }

  std::vector<WorkGroup> Run() && {
    for (size_t file = 0; file < plan_.files.size(); ++file) {
      AdvanceTo({file, plan_.files[file].tensors.size()});
    }
    return std::move(groups_);
  }

 private:
  const PlannedTensor& At(const PlanIndex& index) const {
    return plan_.files[index.file].tensors[index.tensor];
  }

  /// Makes groups of all tensors of a file before `end`.
  void AdvanceTo(const PlanIndex& end) {
    size_t& next = next_[end.file];
    while (next < end.tensor) {
      const PlanIndex index{end.file, next++};
      if (!claimed_[index.file][index.tensor]) AddGroup(index);
    }
  }

  /// The group of `first`; what stands before a member in its file comes before the group.
  void AddGroup(const PlanIndex& first) {
    WorkGroup group;
    group.members = MembersWith(first);
    for (const PlanIndex& member : group.members) {
      claimed_[member.file][member.tensor] = true;
    }
    for (const PlanIndex& member : group.members) AdvanceTo(member);
    if (group.members.size() > 1) Join(group);
    groups_.push_back(std::move(group));
  }

  /// `first`, and with it what can be read together with it.
  std::vector<PlanIndex> MembersWith(const PlanIndex& first) const {
    const auto key = ShareKeyOf(plan_.files[first.file], At(first));
    if (!key) return {first};
    std::vector<PlanIndex> members;
    std::vector<const Move*> moves;
    for (const PlanIndex& other : sharers_.at(*key)) {
      if (claimed_[other.file][other.tensor]) continue;
      members.push_back(other);
      moves.push_back(&At(other).moves.front());
    }
    if (!UnionOf(moves) || !overlap_(moves)) return {first};
    return members;
  }

  void Join(WorkGroup& group) const {
    std::vector<const Move*> moves;
    for (const PlanIndex& member : group.members) moves.push_back(&At(member).moves.front());
    group.shared = *UnionOf(moves);
    for (const Move* move : moves) {
      group.place_in_shared.push_back(RelativeTo(move->source, group.shared.source.offset));
    }
  }

  const Plan& plan_;
  const Overlap& overlap_;
  std::map<ShareKey, std::vector<PlanIndex>, std::less<>> sharers_;
  std::vector<std::vector<bool>> claimed_;  ///< per file and tensor: in a group, or not wanted
  std::vector<size_t> next_;                ///< per file: tensors before it are claimed
  std::vector<WorkGroup> groups_;
};

}  // namespace

std::vector<WorkGroup> MakeWork(const Plan& plan,
                                const std::function<bool(const PlanIndex&)>& wanted,
                                const Overlap& overlap, int64_t block_bytes,
                                const RowsPerBlock& rows_per_block) {
  std::vector<WorkGroup> groups = Grouper(plan, wanted, overlap).Run();
  for (WorkGroup& group : groups) {
    const PlanIndex& first = group.members.front();
    const TensorSpec& spec = plan.files[first.file].tensors[first.tensor].tensor.spec;
    int64_t granularity = 1;
    for (const PlanIndex& member : group.members) {
      granularity = std::max(granularity, rows_per_block(member));
    }
    group.blocks = RowBlocks(Box::Whole(spec.shape), SizeOf(spec.dtype),
                             block_bytes / std::ssize(group.members), granularity);
  }
  return groups;
}

}  // namespace nemo
