#include "libcore/runtime/shard_lists.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "libcore/base/check.h"

namespace nemo {
namespace {

constexpr int64_t kMaxListed = 2048;  // what a backend lists; more is a whole row
constexpr float kOff = -std::numeric_limits<float>::infinity();

bool HasList(Wanted wanted) { return wanted == Wanted::kBest || wanted == Wanted::kBestAndMass; }
Wanted WantedOf(const ShardLists::Row& row) {
  return row.draw == nullptr ? Wanted::kBest : WantedFor(row.draw->params);
}

}  // namespace

Result<std::unique_ptr<ShardLists>> ShardLists::Create(const Options& options, const VocabCut& cut,
                                                       Backend& backend) {
  std::unique_ptr<ShardLists> lists(new ShardLists(options, cut, backend));
  const int64_t rows = options.max_rows;
  lists->arena_.Add(&lists->draws_, rows);
  lists->arena_.Add(&lists->used_, rows * std::min(options.max_used, cut.num_columns()));
  lists->arena_.Add(&lists->scaled_, rows * cut.num_columns());
  lists->arena_.Add(&lists->best_, rows * std::min(kMaxListed, cut.num_columns()));
  lists->arena_.Add(&lists->num_candidates_, rows);
  lists->arena_.Add(&lists->chunks_, rows * (cut.chunk_end - cut.chunk_begin));
  NEMO_RETURN_IF_ERROR(lists->arena_.Allocate(backend).At("buffers for draws"));
  return lists;
}

Status ShardLists::Upload(std::span<const Row> rows) {
  std::vector<RowDraw> draws;
  std::vector<int32_t> used;
  for (const Row& row : rows) {
    RowDraw& d = draws.emplace_back();
    d.row = static_cast<int32_t>(row.row);
    d.wanted = WantedOf(row);
    if (row.draw == nullptr) continue;
    d.banned_id = row.draw->banned_id;
    d.key = row.draw->key;
    const SamplingParams& params = row.draw->params;
    if (params.greedy) continue;
    d.temperature = static_cast<float>(params.temperature);
    d.penalty = static_cast<float>(params.repetition_penalty);
    if (d.penalty == 1.0f) continue;
    d.multiplies_negative = params.repetition == Repetition::kCtrl ? 1 : 0;
    std::vector<int32_t> mine;
    std::ranges::copy_if(row.draw->used, std::back_inserter(mine), [this](int32_t id) {
      const int64_t column = id - cut_.column_begin();
      return column >= 0 && column < cut_.num_columns();
    });
    std::ranges::sort(mine);
    // Not std::ranges::unique: clang 14, which the fuzzers are built with, cannot read libstdc++'s.
    mine.erase(std::unique(mine.begin(), mine.end()), mine.end());
    NEMO_CHECK(std::ssize(mine) <= options_.max_used);
    d.used_begin = static_cast<int32_t>(used.size());
    used.insert(used.end(), mine.begin(), mine.end());
    d.used_end = static_cast<int32_t>(used.size());
  }
  NEMO_RETURN_IF_ERROR(bridge_.Put(draws_, std::span<const RowDraw>(draws)));
  return used.empty() ? OkStatus() : bridge_.Put(used_, std::span<const int32_t>(used));
}

Status ShardLists::FetchChunks(std::span<const Row> rows, std::span<ShardList> lists) {
  if (std::ranges::all_of(rows, [](const Row& row) { return WantedOf(row) == Wanted::kBest; })) {
    return OkStatus();
  }
  const int64_t own = cut_.chunk_end - cut_.chunk_begin;
  std::vector<ChunkDraw> chunks(rows.size() * own);
  NEMO_ASSIGN_OR_RETURN(
      const std::span<const std::byte> bytes,
      bridge_.View(chunks_, std::ssize(chunks) * static_cast<int64_t>(sizeof(ChunkDraw))));
  std::memcpy(chunks.data(), bytes.data(), bytes.size());
  for (size_t i = 0; i < rows.size(); ++i) {
    const Wanted wanted = WantedOf(rows[i]);
    for (const ChunkDraw& chunk : std::span(chunks).subspan(i * own, own)) {
      if (wanted == Wanted::kBestAndMass) lists[i].chunks.push_back({chunk.max, chunk.mass});
      if (!HasList(wanted) && chunk.winner.token_id >= 0) lists[i].best.push_back(chunk.winner);
    }
    // Between ranks travels the winner of winners.
    if (HasList(wanted) || lists[i].best.empty()) continue;
    const int32_t winner = wanted == Wanted::kLargest ? TopOf(lists[i].best, 1).front().token_id
                                                      : Choose(lists[i].best, rows[i].draw->key);
    std::erase_if(lists[i].best, [&](const Candidate& c) { return c.token_id != winner; });
  }
  return OkStatus();
}

Status ShardLists::FetchBest(std::span<const Row> rows, int64_t limit, std::span<ShardList> lists) {
  if (std::ranges::none_of(rows, [](const Row& row) { return HasList(WantedOf(row)); })) {
    return OkStatus();
  }
  const auto num_rows = std::ssize(rows);
  std::vector<int32_t> counts(rows.size());
  NEMO_ASSIGN_OR_RETURN(
      const std::span<const std::byte> count_bytes,
      bridge_.View(num_candidates_, num_rows * static_cast<int64_t>(sizeof(int32_t))));
  std::memcpy(counts.data(), count_bytes.data(), count_bytes.size());
  std::vector<Candidate> best(rows.size() * limit);
  NEMO_ASSIGN_OR_RETURN(
      const std::span<const std::byte> bytes,
      bridge_.View(best_, std::ssize(best) * static_cast<int64_t>(sizeof(Candidate))));
  std::memcpy(best.data(), bytes.data(), bytes.size());
  for (int64_t i = 0; i < num_rows; ++i) {
    if (!HasList(WantedOf(rows[i]))) continue;
    const auto begin = best.begin() + i * limit;
    lists[i].complete = counts[i] <= limit;
    lists[i].best = TopOf({begin, begin + std::min<int64_t>(counts[i], limit)}, limit);
  }
  return OkStatus();
}

Status ShardLists::FetchRow(int64_t row, ShardList& list) {
  const float* scaled = scaled_ + row * cut_.num_columns();
  std::vector<float> logits(cut_.num_columns());
  NEMO_ASSIGN_OR_RETURN(
      const std::span<const std::byte> bytes,
      bridge_.View(scaled, cut_.num_columns() * static_cast<int64_t>(sizeof(float))));
  std::memcpy(logits.data(), bytes.data(), bytes.size());
  list.complete = true;
  list.best.clear();
  for (int64_t i = 0; i < std::ssize(logits); ++i) {
    if (!(logits[i] > kOff)) continue;
    list.best.push_back({logits[i], static_cast<int32_t>(cut_.column_begin() + i)});
  }
  list.best = TopOf(std::move(list.best), std::ssize(logits));
  return OkStatus();
}

Result<std::vector<ShardList>> ShardLists::Of(const float* logits, std::span<const Row> rows,
                                              int64_t limit) {
  NEMO_CHECK(std::ssize(rows) <= options_.max_rows);
  std::vector<ShardList> lists(rows.size());
  if (cut_.num_columns() == 0 || rows.empty()) return lists;
  NEMO_RETURN_IF_ERROR(Upload(rows));
  const int64_t listed = std::min({limit, kMaxListed, cut_.num_columns()});
  NEMO_RETURN_IF_ERROR(backend_.ops().shard_draw(
      backend_,
      {logits, cut_.num_columns(), cut_.column_begin(), options_.vocab_size, cut_.chunk_columns,
       draws_, std::ssize(rows), used_, scaled_, listed, best_, num_candidates_, chunks_}));
  NEMO_RETURN_IF_ERROR(FetchChunks(rows, lists));
  NEMO_RETURN_IF_ERROR(FetchBest(rows, listed, lists));
  for (size_t i = 0; i < rows.size(); ++i) {
    if (lists[i].complete || limit <= listed) continue;
    NEMO_RETURN_IF_ERROR(FetchRow(rows[i].row, lists[i]));
  }
  return lists;
}

}  // namespace nemo
