#include "libcore/runtime/logit_head.h"

#include <algorithm>
#include <cstring>

#include "libcore/base/format.h"
#include "libcore/runtime/token_draws.h"

namespace nemo {
namespace {

constexpr Candidate kNoCandidate = {0, -1};  // fills up the list of a rank with few columns

}  // namespace

Result<std::unique_ptr<LogitHead>> LogitHead::Create(const Options& options, const VocabCut& cut,
                                                     Backend& backend, Communicator& tp) {
  std::unique_ptr<LogitHead> head(new LogitHead(options, cut, backend, tp));
  head->arena_.Add(&head->logits_, options.block_rows * cut.num_columns());
  head->arena_.Add(&head->stats_, options.block_rows * (cut.chunk_end - cut.chunk_begin));
  head->arena_.Add(&head->targets_, options.block_rows);
  head->arena_.Add(&head->picked_, options.block_rows);
  NEMO_RETURN_IF_ERROR(head->arena_.Allocate(backend).At("logit buffers"));
  NEMO_ASSIGN_OR_RETURN(
      head->lists_,
      ShardLists::Create({options.vocab_size, options.block_rows, options.max_used}, cut, backend));
  return head;
}

Status LogitHead::ComputeBlock(const ComputeLogits& compute, std::span<const LogitRequest> block) {
  std::vector<int32_t> rows;
  for (const LogitRequest& request : block)
    rows.push_back(static_cast<int32_t>(request.hidden_row));
  NEMO_RETURN_IF_ERROR(compute(rows, logits_));
  if (cut_.num_columns() == 0) return OkStatus();
  return backend_.ops().head_stats(
      backend_, {logits_, std::ssize(rows), cut_.num_columns(), cut_.column_begin(),
                 options_.vocab_size, cut_.chunk_columns, stats_});
}

Status LogitHead::MergeScores(std::span<LogitRow> rows) {
  const int64_t own = cut_.chunk_end - cut_.chunk_begin;
  const auto num_rows = static_cast<int64_t>(rows.size());
  const int64_t slots = cut_.max_rank_chunks(tp_.size());
  std::vector<ChunkStats> mine(num_rows * slots), all(num_rows * slots * tp_.size());
  NEMO_ASSIGN_OR_RETURN(
      const std::span<const std::byte> stats,
      bridge_.View(stats_, num_rows * own * static_cast<int64_t>(sizeof(ChunkStats))));
  for (int64_t row = 0; row < num_rows; ++row) {
    if (own == 0) break;
    std::memcpy(&mine[row * slots], stats.data() + row * own * sizeof(ChunkStats),
                own * sizeof(ChunkStats));
  }
  NEMO_RETURN_IF_ERROR(
      tp_.AllGather(std::as_bytes(std::span(mine)), std::as_writable_bytes(std::span(all))));
  std::vector<ChunkStats> chunks(cut_.num_chunks);
  for (int64_t row = 0; row < num_rows; ++row) {
    for (int64_t rank = 0; rank < tp_.size(); ++rank) {
      const VocabCut part = CutVocabulary(options_.vocab_size, tp_.size(), rank);
      const ChunkStats* from = &all[(rank * num_rows + row) * slots];
      std::copy(from, from + (part.chunk_end - part.chunk_begin),
                chunks.begin() + part.chunk_begin);
    }
    NEMO_ASSIGN_OR_RETURN(rows[row].score, MergeChunks(chunks));
  }
  return OkStatus();
}

Status LogitHead::Draw(std::span<const LogitRequest> block, std::span<LogitRow> rows) {
  std::vector<ShardLists::Row> wanted;
  std::vector<const TokenDraw*> draws;
  for (size_t i = 0; i < block.size(); ++i) {
    if (block[i].draw == nullptr) continue;
    wanted.push_back({static_cast<int64_t>(i), block[i].draw});
    draws.push_back(block[i].draw);
  }
  if (draws.empty()) return OkStatus();
  const auto lists_of = [&](std::span<const size_t> indices, int64_t limit) {
    std::vector<ShardLists::Row> some;
    for (const size_t index : indices) some.push_back(wanted[index]);
    return lists_->Of(logits_, some, limit);
  };
  NEMO_ASSIGN_OR_RETURN(const std::vector<int32_t> tokens, DrawTokens(tp_, draws, lists_of));
  for (size_t i = 0; i < wanted.size(); ++i) rows[wanted[i].row].token_id = tokens[i];
  return OkStatus();
}

Status LogitHead::FetchTargets(std::span<const LogitRequest> block, std::span<LogitRow> rows) {
  std::vector<int32_t> targets;
  for (size_t i = 0; i < block.size(); ++i) {
    targets.push_back(block[i].draw != nullptr ? rows[i].token_id : block[i].target);
  }
  if (std::ranges::all_of(targets, [](int32_t id) { return id < 0; })) return OkStatus();
  std::vector<float> mine(block.size()), all(block.size() * tp_.size());
  if (cut_.num_columns() > 0) {
    NEMO_RETURN_IF_ERROR(bridge_.Put(targets_, std::span<const int32_t>(targets)));
    NEMO_RETURN_IF_ERROR(
        backend_.ops().pick_logits(backend_, {logits_, std::ssize(targets), cut_.num_columns(),
                                              cut_.column_begin(), targets_, picked_}));
    NEMO_ASSIGN_OR_RETURN(
        const std::span<const std::byte> bytes,
        bridge_.View(picked_, std::ssize(mine) * static_cast<int64_t>(sizeof(float))));
    std::memcpy(mine.data(), bytes.data(), bytes.size());
  }
  NEMO_RETURN_IF_ERROR(
      tp_.AllGather(std::as_bytes(std::span(mine)), std::as_writable_bytes(std::span(all))));
  for (size_t i = 0; i < block.size(); ++i) {
    if (targets[i] < 0) continue;
    const int64_t owner = OwnerOfColumn(cut_, tp_.size(), targets[i]);
    rows[i].target_logit = all[static_cast<size_t>(owner) * block.size() + i];
  }
  return OkStatus();
}

Status LogitHead::FetchTop(std::span<const LogitRequest> block, std::span<LogitRow> rows) {
  std::vector<ShardLists::Row> wanted;
  int64_t longest = 0;
  for (size_t i = 0; i < block.size(); ++i) {
    if (block[i].num_top == 1) rows[i].top = {{rows[i].score.max, rows[i].score.argmax}};
    if (block[i].num_top < 2) continue;
    wanted.push_back({static_cast<int64_t>(i)});
    longest = std::max(longest, std::min(block[i].num_top, options_.vocab_size));
  }
  if (wanted.empty()) return OkStatus();
  NEMO_ASSIGN_OR_RETURN(const std::vector<ShardList> lists, lists_->Of(logits_, wanted, longest));
  for (size_t i = 0; i < wanted.size(); ++i) {
    const int64_t num_top = std::min(block[wanted[i].row].num_top, options_.vocab_size);
    std::vector<Candidate> mine = TopOf(lists[i].best, num_top);
    mine.resize(num_top, kNoCandidate);
    std::vector<Candidate> all(num_top * tp_.size());
    NEMO_RETURN_IF_ERROR(
        tp_.AllGather(std::as_bytes(std::span(mine)), std::as_writable_bytes(std::span(all))));
    std::erase_if(all, [](const Candidate& c) { return c.token_id < 0; });
    rows[wanted[i].row].top = TopOf(std::move(all), num_top);
  }
  return OkStatus();
}

Status LogitHead::FetchWhole(std::span<const LogitRequest> block, std::span<LogitRow> rows) {
  const int64_t slots = cut_.max_rank_chunks(tp_.size()) * cut_.chunk_columns;
  std::vector<float> mine(slots), all(slots * tp_.size());
  for (size_t i = 0; i < block.size(); ++i) {
    if (!block[i].whole) continue;
    const float* row = logits_ + static_cast<int64_t>(i) * cut_.num_columns();
    NEMO_ASSIGN_OR_RETURN(
        const std::span<const std::byte> bytes,
        bridge_.View(row, cut_.num_columns() * static_cast<int64_t>(sizeof(float))));
    std::copy(bytes.begin(), bytes.end(), std::as_writable_bytes(std::span(mine)).begin());
    NEMO_RETURN_IF_ERROR(
        tp_.AllGather(std::as_bytes(std::span(mine)), std::as_writable_bytes(std::span(all))));
    rows[i].logits.resize(options_.vocab_size);
    for (int64_t rank = 0; rank < tp_.size(); ++rank) {
      const VocabCut part = CutVocabulary(options_.vocab_size, tp_.size(), rank);
      const int64_t begin = std::min(part.column_begin(), options_.vocab_size);
      const int64_t end = std::min(begin + part.num_columns(), options_.vocab_size);
      std::copy_n(all.begin() + rank * slots, end - begin, rows[i].logits.begin() + begin);
    }
  }
  return OkStatus();
}

Result<std::vector<LogitRow>> LogitHead::Run(const ComputeLogits& compute,
                                             std::span<const LogitRequest> requests) {
  std::vector<LogitRow> rows(requests.size());
  for (size_t begin = 0; begin < requests.size();) {
    const size_t count =
        std::min(requests.size() - begin, static_cast<size_t>(options_.block_rows));
    const std::span<const LogitRequest> block = requests.subspan(begin, count);
    const std::span<LogitRow> out = std::span(rows).subspan(begin, count);
    NEMO_RETURN_IF_ERROR(ComputeBlock(compute, block));
    NEMO_RETURN_IF_ERROR(MergeScores(out));
    NEMO_RETURN_IF_ERROR(Draw(block, out));
    NEMO_RETURN_IF_ERROR(FetchTargets(block, out));
    NEMO_RETURN_IF_ERROR(FetchTop(block, out));
    NEMO_RETURN_IF_ERROR(FetchWhole(block, out));
    begin += count;
  }
  return rows;
}

}  // namespace nemo
