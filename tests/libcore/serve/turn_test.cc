// Turns on their way to the other ranks: every field arrives, and nothing that is no turn is taken.
#include "libcore/serve/turn.h"

#include <cstring>
#include <limits>

#include <gtest/gtest.h>

#include "kernels/comm/run_ranks.h"
#include "libcore/base/format.h"

namespace nemo {
namespace {

/// A request none of whose fields has its default.
GenerateRequest FullRequest() {
  GenerateRequest request;
  request.prompt_ids = {5, 0, std::numeric_limits<int32_t>::max()};
  request.tokens_to_generate = int64_t{1} << 40;
  request.min_tokens_to_generate = 3;
  request.sampling.greedy = true;
  request.sampling.temperature = 0.1;
  request.sampling.top_k = 7;
  request.sampling.top_p = 0.25;
  request.sampling.repetition_penalty = 1.5;
  request.sampling.repetition = Repetition::kCtrl;
  request.sampling.seed = std::numeric_limits<uint64_t>::max();
  request.end_strings = {"", "<extra_id_1>", std::string("a\0b", 3)};
  request.stop_strings = {"\n\n"};
  request.draw_index = 9;
  request.logprobs = true;
  request.logprobs_begin = 2;
  request.top_logprobs = 20;
  request.full_logprobs = true;
  request.token_texts = false;
  return request;
}

void ExpectSame(const GenerateRequest& a, const GenerateRequest& b) {
  EXPECT_EQ(a.prompt_ids, b.prompt_ids);
  EXPECT_EQ(a.tokens_to_generate, b.tokens_to_generate);
  EXPECT_EQ(a.min_tokens_to_generate, b.min_tokens_to_generate);
  EXPECT_EQ(a.sampling.greedy, b.sampling.greedy);
  EXPECT_EQ(a.sampling.temperature, b.sampling.temperature);
  EXPECT_EQ(a.sampling.top_k, b.sampling.top_k);
  EXPECT_EQ(a.sampling.top_p, b.sampling.top_p);
  EXPECT_EQ(a.sampling.repetition_penalty, b.sampling.repetition_penalty);
  EXPECT_EQ(a.sampling.repetition, b.sampling.repetition);
  EXPECT_EQ(a.sampling.seed, b.sampling.seed);
  EXPECT_EQ(a.end_strings, b.end_strings);
  EXPECT_EQ(a.stop_strings, b.stop_strings);
  EXPECT_EQ(a.draw_index, b.draw_index);
  EXPECT_EQ(a.logprobs, b.logprobs);
  EXPECT_EQ(a.logprobs_begin, b.logprobs_begin);
  EXPECT_EQ(a.top_logprobs, b.top_logprobs);
  EXPECT_EQ(a.full_logprobs, b.full_logprobs);
  EXPECT_EQ(a.token_texts, b.token_texts);
}

Turn FullTurn() {
  return {.added = {FullRequest(), GenerateRequest{.prompt_ids = {1}}},
          .cancelled = {0, 17, int64_t{1} << 50},
          .is_pulse = true,
          .is_last = true};
}

void ExpectSame(const Turn& a, const Turn& b) {
  ASSERT_EQ(a.added.size(), b.added.size());
  for (size_t i = 0; i < a.added.size(); ++i) ExpectSame(a.added[i], b.added[i]);
  EXPECT_EQ(a.cancelled, b.cancelled);
  EXPECT_EQ(a.is_pulse, b.is_pulse);
  EXPECT_EQ(a.is_last, b.is_last);
}

TEST(Turn, IsUnpackedAsItWasPacked) {
  for (const Turn& turn : {FullTurn(), Turn{}, Turn{.is_last = true}}) {
    const auto back = UnpackTurn(PackTurn(turn));
    ASSERT_TRUE(back) << back.error().message();
    ExpectSame(*back, turn);
  }
  EXPECT_TRUE(Turn{}.empty());
  EXPECT_FALSE(Turn{.is_pulse = true}.empty());
  EXPECT_FALSE(Turn{.cancelled = {1}}.empty());
}

TEST(Turn, OtherBytesAreRefusedInWords) {
  const std::vector<std::byte> good = PackTurn(FullTurn());
  for (size_t size = 0; size < good.size(); ++size) {
    const auto cut = UnpackTurn(std::span(good).first(size));
    ASSERT_FALSE(cut) << size;
    EXPECT_EQ(cut.error().code(), StatusCode::kUnavailable);
    EXPECT_NE(cut.error().message().find("start the same nemo-generate on all ranks"),
              std::string::npos);
  }
  std::vector<std::byte> longer = good;
  longer.push_back(std::byte{0});
  EXPECT_FALSE(UnpackTurn(longer));
  std::vector<std::byte> other = good;
  other[0] ^= std::byte{1};  // of the mark
  EXPECT_FALSE(UnpackTurn(other));
}

TEST(Turn, ALyingCountTakesNoMemory) {
  // After the mark: the number of requests, and of the first one's ids.
  for (const size_t at : {size_t{4}, size_t{12}}) {
    for (const uint64_t count : {std::numeric_limits<uint64_t>::max(), uint64_t{1} << 61,
                                 uint64_t{1} << 40, uint64_t{100'000}}) {
      std::vector<std::byte> bytes = PackTurn(FullTurn());
      std::memcpy(bytes.data() + at, &count, sizeof(count));
      EXPECT_FALSE(UnpackTurn(bytes)) << at << " " << count;
    }
  }
}

TEST(Turn, ReachesAllRanksInOrder) {
  const Status status = RunRanks(3, [](Communicator& world) -> Status {
    for (int64_t i = 0; i < 5; ++i) {
      Turn turn;
      if (world.rank() == 0) {
        turn = i % 2 == 0 ? Turn{} : FullTurn();  // one that only steps, or one of everything
        turn.cancelled.assign(static_cast<size_t>(i), i);
      }
      NEMO_RETURN_IF_ERROR(ShareTurn(&turn, world));
      EXPECT_EQ(turn.cancelled, std::vector<int64_t>(static_cast<size_t>(i), i));
      EXPECT_EQ(turn.added.size(), i % 2 == 0 ? 0u : 2u);
    }
    return OkStatus();
  });
  EXPECT_TRUE(status.ok()) << status.message();
}

}  // namespace
}  // namespace nemo
