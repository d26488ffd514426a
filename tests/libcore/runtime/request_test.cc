// Which requests a machine can hold, at the exact edge.
#include "libcore/runtime/request.h"

#include <limits>

#include <gtest/gtest.h>

#include "libcore/runtime/page_book.h"

namespace nemo {
namespace {

constexpr RequestLimits kLimits = {.max_sequence_tokens = 32, .vocab_size = 10, .kv_pages = 100};

GenerateRequest RequestOf(int64_t prompt, int64_t generate) {
  GenerateRequest request;
  request.prompt_ids.assign(static_cast<size_t>(prompt), 1);
  request.tokens_to_generate = generate;
  return request;
}

TEST(Request, TheLastTokenNeedsNoPlaceInTheContext) {
  struct Row {
    int64_t prompt, generate;
    bool fits;
  };
  const Row rows[] = {{33, 0, true},
                      {34, 0, false},  // scored
                      {32, 1, true},
                      {33, 1, false},  // scored, and what comes next
                      {1, 32, true},
                      {1, 33, false},
                      {16, 17, true},
                      {16, 18, false},
                      {1, 0, true},
                      {0, 1, false},
                      {1, std::numeric_limits<int64_t>::max(), false}};
  for (const Row& row : rows) {
    const Status status = CheckRequest(RequestOf(row.prompt, row.generate), kLimits);
    EXPECT_EQ(status.ok(), row.fits) << row.prompt << " + " << row.generate << status.message();
    if (row.fits) continue;
    EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
    const char* says = row.prompt > 0 ? "the context of 32 tokens" : "no tokens";
    EXPECT_NE(status.message().find(says), std::string::npos) << status.message();
  }
  EXPECT_EQ(FedTokens(RequestOf(33, 0)), 32);
  EXPECT_EQ(FedTokens(RequestOf(32, 1)), 32);
  EXPECT_EQ(FedTokens(RequestOf(1, 0)), 0);
}

TEST(Request, PagesAreNeededForWhatIsFedAlone) {
  RequestLimits limits = {.max_sequence_tokens = 1000, .vocab_size = 10, .kv_pages = 2};
  const int64_t room = 2 * kPageTokens;
  EXPECT_TRUE(CheckRequest(RequestOf(room + 1, 0), limits).ok());
  EXPECT_FALSE(CheckRequest(RequestOf(room + 2, 0), limits).ok());
  EXPECT_TRUE(CheckRequest(RequestOf(room, 1), limits).ok());
  EXPECT_FALSE(CheckRequest(RequestOf(room, 2), limits).ok());
}

}  // namespace
}  // namespace nemo
