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
  NEMO_RETURN_IF_ERROR(head->arena_.Allocate(backend).At("logit buffers"));
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
  const int64_t num_columns =
      std::clamp<int64_t>(options_.vocab_size - cut_.column_begin(), 0, cut_.num_columns());
  std::vector<ShardRow> draws;
  for (size_t i = 0; i < block.size(); ++i) {
    if (block[i].draw == nullptr) continue;
    ShardRow& draw = draws.emplace_back(ShardRow{block[i].draw, std::vector<float>(num_columns)});
    const float* row = logits_ + static_cast<int64_t>(i) * cut_.num_columns();
    NEMO_ASSIGN_OR_RETURN(const std::span<const std::byte> bytes,
                          bridge_.View(row, num_columns * static_cast<int64_t>(sizeof(float))));
    std::ranges::copy(bytes, std::as_writable_bytes(std::span(draw.logits)).begin());
  }
  if (draws.empty()) return OkStatus();
  NEMO_ASSIGN_OR_RETURN(const std::vector<int32_t> tokens, DrawTokens(tp_, cut_, draws));
  size_t next = 0;
  for (size_t i = 0; i < block.size(); ++i) {
    if (block[i].draw != nullptr) rows[i].token_id = tokens[next++];
  }
  return OkStatus();
}

Status LogitHead::FetchTargets(std::span<const LogitRequest> block, std::span<LogitRow> rows) {
  std::vector<int32_t> targets;
  for (size_t i = 0; i < block.size(); ++i) {
    targets.push_back(block[i].draw != nullptr ? rows[i].token_id : block[i].target);
  }
  if (std::ranges::all_of(targets, [](int32_t id) { return id < 0; })) return OkStatus();
  std::vector<float> mine(block.size()), all(block.size() * tp_.size());
  for (size_t i = 0; i < block.size(); ++i) {
    const int64_t column = targets[i] - cut_.column_begin();
    if (targets[i] < 0 || column < 0 || column >= cut_.num_columns()) continue;
    const float* logit = logits_ + static_cast<int64_t>(i) * cut_.num_columns() + column;
    NEMO_ASSIGN_OR_RETURN(const std::span<const std::byte> bytes,
                          bridge_.View(logit, sizeof(float)));
    std::memcpy(&mine[i], bytes.data(), sizeof(float));
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
  const int64_t num_columns =
      std::clamp<int64_t>(options_.vocab_size - cut_.column_begin(), 0, cut_.num_columns());
  for (size_t i = 0; i < block.size(); ++i) {
    const int64_t num_top = std::min(block[i].num_top, options_.vocab_size);
    if (num_top == 1) rows[i].top = {{rows[i].score.max, rows[i].score.argmax}};
    if (num_top < 2) continue;
    NEMO_ASSIGN_OR_RETURN(const std::span<const std::byte> bytes,
                          bridge_.View(logits_ + static_cast<int64_t>(i) * cut_.num_columns(),
                                       num_columns * static_cast<int64_t>(sizeof(float))));
    std::vector<float> logits(num_columns);
    std::ranges::copy(bytes, std::as_writable_bytes(std::span(logits)).begin());
    std::vector<Candidate> mine = TopOf(logits, cut_.column_begin(), num_top);
    mine.resize(num_top, kNoCandidate);
    std::vector<Candidate> all(num_top * tp_.size());
    NEMO_RETURN_IF_ERROR(
        tp_.AllGather(std::as_bytes(std::span(mine)), std::as_writable_bytes(std::span(all))));
    std::erase_if(all, [](const Candidate& c) { return c.token_id < 0; });
    rows[i].top = TopOf(std::move(all), num_top);
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
