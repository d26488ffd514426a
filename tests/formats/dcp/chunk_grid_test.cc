#include "formats/dcp/chunk_grid.h"

#include <gtest/gtest.h>

namespace nemo::dcp {
namespace {

TEST(ChunkGrid, AcceptsChunksThatFillAShapeInAnyOrder) {
  const struct {
    Shape shape;
    std::vector<Box> chunks;
  } cases[] = {
      {{}, {{{}, {}}}},
      {{0, 4}, {}},
      {{5}, {{{0}, {5}}}},
      {{5}, {{{4}, {1}}, {{0}, {2}}, {{2}, {2}}}},
      {{2, 3}, {{{1, 0}, {1, 1}}, {{0, 1}, {1, 2}}, {{0, 0}, {1, 1}}, {{1, 1}, {1, 2}}}},
  };
  for (const auto& c : cases) {
    const auto grid = ChunkGrid::Create(c.shape, c.chunks);
    EXPECT_TRUE(grid) << grid.error().message();
  }
}

TEST(ChunkGrid, RefusesHolesAndOverlaps) {
  const struct {
    const char* what;
    Shape shape;
    std::vector<Box> chunks;
  } cases[] = {
      {"no chunk", {5}, {}},
      {"a hole at the front", {5}, {{{1}, {4}}}},
      {"a hole at the end", {5}, {{{0}, {4}}}},
      {"a hole between", {5}, {{{0}, {2}}, {{3}, {2}}}},
      {"an overlap", {5}, {{{0}, {3}}, {{2}, {3}}}},
      {"the same twice", {5}, {{{0}, {5}}, {{0}, {5}}}},
      {"twice, and a hole of the same size",
       {2, 2},
       {{{0, 0}, {1, 1}}, {{0, 0}, {1, 1}}, {{1, 1}, {1, 1}}, {{1, 0}, {1, 1}}}},
      {"a missing corner", {2, 2}, {{{0, 0}, {1, 1}}, {{0, 1}, {1, 1}}, {{1, 0}, {1, 1}}}},
      {"rows cut at other places", {2, 3}, {{{0, 0}, {1, 1}}, {{0, 1}, {1, 2}}, {{1, 0}, {1, 3}}}},
  };
  for (const auto& c : cases) {
    const auto grid = ChunkGrid::Create(c.shape, c.chunks);
    ASSERT_FALSE(grid) << c.what;
    EXPECT_EQ(grid.error().code(), StatusCode::kCorruption);
    EXPECT_NE(grid.error().message().find("do not fill shape"), std::string::npos) << c.what;
  }
}

TEST(ChunkGrid, FindsTheChunksThatABoxMeetsAndNoOthers) {
  const std::vector<Box> chunks = {
      {{0, 0}, {4, 2}}, {{0, 2}, {4, 3}}, {{4, 2}, {1, 3}}, {{4, 0}, {1, 2}}};
  const auto grid = ChunkGrid::Create({5, 5}, chunks);
  ASSERT_TRUE(grid) << grid.error().message();
  const struct {
    Box box;
    std::vector<size_t> expected;
  } cases[] = {
      {{{0, 0}, {5, 5}}, {0, 1, 3, 2}}, {{{3, 1}, {1, 1}}, {0}},    {{{3, 1}, {1, 2}}, {0, 1}},
      {{{4, 4}, {1, 1}}, {2}},          {{{3, 1}, {2, 1}}, {0, 3}}, {{{0, 0}, {0, 5}}, {}},
  };
  for (const auto& c : cases) {
    std::vector<size_t> met;
    EXPECT_TRUE(grid->ForEachChunk(c.box,
                                   [&](size_t chunk) {
                                     met.push_back(chunk);
                                     return OkStatus();
                                   })
                    .ok());
    EXPECT_EQ(met, c.expected) << ToString(c.box);
  }
}

}  // namespace
}  // namespace nemo::dcp
