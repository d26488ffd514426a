// Loading, seen through a backend that keeps what it is asked to pack.
#include "libcore/runtime/weights.h"

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <map>
#include <span>
#include <string>

#include <gtest/gtest.h>

#include "kernels/registry.h"
#include "libcore/base/aligned_buffer.h"
#include "libcore/base/format.h"
#include "libcore/model/architecture.h"
#include "tests/testing.h"

namespace nemo {
namespace {

struct KeptWeight : PackedWeight {
  std::vector<BF16> values;
  int64_t rows = 0, columns = 0;
  int leaves = 0;
  int64_t n() const override { return rows; }
  int64_t k() const override { return columns; }
  int64_t size_bytes() const override { return rows * columns * 2; }
};

/// Host memory and packed weights as they came.
class KeepingBackend : public Backend {
 public:
  KeepingBackend() : inner_(std::move(*CreateBackend("reference", {}))) {}
  std::string_view name() const override { return "keeping"; }
  std::string_view variant() const override { return ""; }
  const OpTable& ops() const override { return inner_->ops(); }
  bool host_memory() const override { return true; }
  Result<std::unique_ptr<Buffer>> Allocate(int64_t size) override { return inner_->Allocate(size); }
  Status Upload(void* device, std::span<const std::byte> host) override {
    return inner_->Upload(device, host);
  }
  Status Download(std::span<std::byte> host, const void* device) override {
    return inner_->Download(host, device);
  }
  Result<std::unique_ptr<PackedWeight>> AllocateWeight(int64_t n, int64_t k, int leaves) override {
    auto kept = std::make_unique<KeptWeight>();
    kept->values.resize(static_cast<size_t>(n * k));
    kept->rows = n;
    kept->columns = k;
    kept->leaves = leaves;
    return std::unique_ptr<PackedWeight>(std::move(kept));
  }
  Status PackRows(PackedWeight& weight, int64_t row_begin, std::span<const BF16> rows) override {
    auto& kept = static_cast<KeptWeight&>(weight);
    EXPECT_EQ(row_begin % kPackRows, 0);
    std::copy(rows.begin(), rows.end(), kept.values.begin() + row_begin * kept.columns);
    return OkStatus();
  }
  Status Synchronize() override { return OkStatus(); }

 private:
  std::unique_ptr<Backend> inner_;
};

ModelConfig Small() {
  ModelConfig c;
  c.num_layers = 2;
  c.hidden_size = 16;
  c.ffn_hidden_size = 32;
  c.num_attention_heads = 8;
  c.num_query_groups = 4;
  c.kv_channels = 4;
  c.max_position_embeddings = 64;
  c.vocab_size = 21;
  c.padded_vocab_size = 32;
  return c;
}

/// Element (row, column) of each tensor has a value of its own that bf16 holds exactly: 8 bits of
/// row, 8 of column as bit pattern.
BF16 Mark(int64_t row, int64_t column) { return static_cast<BF16>(row << 7 | column); }

testing::MemorySource MakeSource(const ModelConfig& config, DType dtype) {
  testing::MemorySource source;
  auto tensors = LogicalTensors(config);
  EXPECT_TRUE(tensors) << tensors.error().message();
  for (const LogicalTensor& tensor : *tensors) {
    const int64_t columns = tensor.shape.back();
    const int64_t count = NumElements(tensor.shape);
    std::vector<std::byte> data(static_cast<size_t>(count * SizeOf(dtype)));
    for (int64_t i = 0; i < count; ++i) {
      const BF16 mark = Mark(i / columns, i % columns);
      const float wide = FloatFromBF16(mark);
      if (dtype == DType::kBF16) std::memcpy(data.data() + i * 2, &mark, 2);
      if (dtype == DType::kF32) std::memcpy(data.data() + i * 4, &wide, 4);
    }
    source.Add({tensor.name, dtype, tensor.shape}, std::move(data));
  }
  return source;
}

RankWeights Load(const TensorSource& source, const ModelConfig& config, int64_t tp, int64_t pp,
                 int64_t rank, Backend& backend) {
  ParallelLayout layout;
  layout.tp_size = tp;
  layout.pp_size = pp;
  auto weights = LoadWeights(source, config, layout, rank, backend, 2, NullProgress());
  EXPECT_TRUE(weights) << weights.error().message();
  return std::move(*weights);
}

const KeptWeight& Kept(const std::unique_ptr<PackedWeight>& weight) {
  return static_cast<const KeptWeight&>(*weight);
}

/// Canonical rows that the packed rows came from.
std::vector<int64_t> RowsOf(const KeptWeight& weight) {
  std::vector<int64_t> rows;
  for (int64_t row = 0; row < weight.rows; ++row)
    rows.push_back(weight.values[row * weight.columns] >> 7);
  return rows;
}

/// [first, first + count) for each of `firsts`.
std::vector<int64_t> Runs(const std::vector<int64_t>& firsts, int64_t count) {
  std::vector<int64_t> rows;
  for (const int64_t first : firsts) {
    for (int64_t i = 0; i < count; ++i) rows.push_back(first + i);
  }
  return rows;
}

TEST(LoadWeights, OrdersQkvByQueriesThenKeysThenValues) {
  // Stored: per group of 16 rows q0 q1 k v, 4 rows each.
  const ModelConfig config = Small();
  const auto source = MakeSource(config, DType::kBF16);
  KeepingBackend backend;
  const struct {
    int64_t tp, rank;
    std::vector<int64_t> heads;  // first row of each
  } kCases[] = {
      {1, 0, {0, 4, 16, 20, 32, 36, 48, 52, 8, 24, 40, 56, 12, 28, 44, 60}},
      {2, 1, {32, 36, 48, 52, 40, 56, 44, 60}},
      {4, 2, {32, 36, 40, 44}},
      {8, 5, {36, 40, 44}},  // the second query head of group 2 with a copy of its key and value
  };
  for (const auto& row : kCases) {
    const RankWeights weights = Load(source, config, row.tp, 1, row.rank, backend);
    EXPECT_EQ(RowsOf(Kept(weights.layers[1].qkv)), Runs(row.heads, 4)) << "tp " << row.tp;
    EXPECT_EQ(Kept(weights.layers[1].qkv).leaves, 1);
  }
}

TEST(LoadWeights, CutsColumnsOfRowParallelProductsInLeaves) {
  const ModelConfig config = Small();
  const auto source = MakeSource(config, DType::kBF16);
  KeepingBackend backend;
  for (const int64_t tp : {1, 2, 4, 8}) {
    for (int64_t rank = 0; rank < tp; ++rank) {
      const RankWeights weights = Load(source, config, tp, 1, rank, backend);
      const KeptWeight& proj = Kept(weights.layers[0].proj);
      const KeptWeight& fc2 = Kept(weights.layers[0].fc2);
      EXPECT_EQ(proj.columns, 32 / tp);
      EXPECT_EQ(fc2.columns, 32 / tp);
      EXPECT_EQ(proj.leaves, 8 / tp);
      EXPECT_EQ(fc2.leaves, 8 / tp);
      EXPECT_EQ(proj.values[5 * proj.columns + 1], Mark(5, rank * 32 / tp + 1));
      EXPECT_EQ(fc2.values[7 * fc2.columns + 3], Mark(7, rank * 32 / tp + 3));
      EXPECT_EQ(RowsOf(Kept(weights.layers[0].fc1)), Runs({rank * 32 / tp}, 32 / tp));
    }
  }
}

TEST(LoadWeights, PadsTheVocabularyWithZerosWhateverTheFileHas) {
  // 21 pieces: 8 chunks of 3, the last beyond them; the stored rows 21..31 are junk.
  const ModelConfig config = Small();
  const auto source = MakeSource(config, DType::kBF16);
  KeepingBackend backend;
  for (const int64_t tp : {1, 4, 8}) {
    std::vector<BF16> head, embedding;
    for (int64_t rank = 0; rank < tp; ++rank) {
      const RankWeights weights = Load(source, config, tp, 1, rank, backend);
      const auto& values = Kept(weights.head).values;
      head.insert(head.end(), values.begin(), values.end());
      const auto* rows = static_cast<const BF16*>(weights.embedding->data());
      embedding.insert(embedding.end(), rows, rows + weights.embedding->size_bytes() / 2);
    }
    ASSERT_EQ(head.size(), 24u * 16);
    EXPECT_EQ(head, embedding);
    for (int64_t row = 0; row < 24; ++row) {
      for (int64_t column = 0; column < 16; ++column) {
        EXPECT_EQ(head[row * 16 + column], row < 21 ? Mark(row, column) : 0);
      }
    }
  }
}

TEST(LoadWeights, TakesOnlyTheTensorsOfItsStage) {
  const ModelConfig config = Small();
  const auto source = MakeSource(config, DType::kBF16);
  KeepingBackend backend;
  const RankWeights first = Load(source, config, 1, 2, 0, backend);
  EXPECT_NE(first.embedding, nullptr);
  EXPECT_EQ(first.head, nullptr);
  EXPECT_EQ(first.final_norm_weight, nullptr);
  EXPECT_EQ(first.layers.size(), 1u);
  const RankWeights last = Load(source, config, 1, 2, 1, backend);
  EXPECT_EQ(last.embedding, nullptr);
  EXPECT_NE(last.head, nullptr);
  EXPECT_NE(last.final_norm_bias, nullptr);
  EXPECT_EQ(last.shape.layers, std::vector<int64_t>{1});
  EXPECT_GT(last.size_bytes(), 0);
}

TEST(LoadWeights, UsesTheEmbeddingAsHeadWhereTheyAreOne) {
  ModelConfig config = Small();
  config.share_embeddings_and_output_weights = true;
  const auto source = MakeSource(config, DType::kBF16);
  KeepingBackend backend;
  const RankWeights last = Load(source, config, 2, 2, 2, backend);
  EXPECT_EQ(RowsOf(Kept(last.head))[5], 5);
  const RankWeights first = Load(source, config, 2, 2, 0, backend);
  EXPECT_NE(first.embedding, nullptr);
}

TEST(LoadWeights, KeepsSharedEmbeddingsOnceWhereOneRankHasBoth) {
  ModelConfig config = Small();
  const auto source = MakeSource(config, DType::kBF16);
  KeepingBackend backend;
  const int64_t apart = Load(source, config, 1, 1, 0, backend).size_bytes();
  config.share_embeddings_and_output_weights = true;
  const RankWeights shared = Load(source, config, 1, 1, 0, backend);
  EXPECT_EQ(shared.embedding, nullptr);
  ASSERT_NE(shared.head, nullptr);
  EXPECT_EQ(shared.size_bytes(), apart - 24 * 16 * 2);
}

/// A source whose files have an alignment of their own, and that may fail.
class PhasedSource : public TensorSource {
 public:
  static constexpr int64_t kPhase = 520;
  explicit PhasedSource(const testing::MemorySource& inner) : inner_(inner) {}
  std::span<const TensorSpec> specs() const override { return inner_.specs(); }
  Status Read(std::string_view name, const Box& box, std::span<std::byte> out) const override {
    if (name == broken) return Corruption("checksum");
    const auto address = reinterpret_cast<uintptr_t>(out.data());
    if (address % kDirectAlignment == kPhase) num_in_place += std::ssize(out);
    return inner_.Read(name, box, out);
  }
  int64_t PhaseOf(std::string_view, const Box&) const override { return kPhase; }
  std::vector<std::string> FilesOf(std::string_view, const Box&) const override { return {}; }

  std::string broken;
  mutable std::atomic<int64_t> num_in_place = 0;

 private:
  const testing::MemorySource& inner_;
};

/// Large enough for several blocks per tensor.
ModelConfig Wide() {
  ModelConfig config = Small();
  config.num_layers = 1;
  config.hidden_size = 1024;
  config.ffn_hidden_size = 4096;
  config.kv_channels = 128;
  config.vocab_size = 4001;
  config.padded_vocab_size = 4096;
  return config;
}

TEST(LoadWeights, PutsBlocksTogether) {
  const ModelConfig config = Wide();
  testing::MemorySource source;
  const auto value = [](int64_t row, int64_t column) {
    return static_cast<BF16>(row * 31 + column * 7);
  };
  for (const LogicalTensor& tensor : *LogicalTensors(config)) {
    const int64_t columns = tensor.shape.back();
    std::vector<BF16> data(static_cast<size_t>(NumElements(tensor.shape)));
    for (int64_t i = 0; i < std::ssize(data); ++i) data[i] = value(i / columns, i % columns);
    const auto bytes = std::as_bytes(std::span(data));
    source.Add({tensor.name, DType::kBF16, tensor.shape}, {bytes.begin(), bytes.end()});
  }
  const PhasedSource phased(source);
  KeepingBackend backend;
  const RankWeights weights = Load(phased, config, 2, 1, 1, backend);
  const auto expect = [&](const KeptWeight& kept, int64_t first_row, int64_t first_column,
                          int64_t num_rows) {
    int64_t different = 0;
    for (int64_t i = 0; i < std::ssize(kept.values); ++i) {
      const int64_t row = i / kept.columns;
      const BF16 expected =
          row < num_rows ? value(first_row + row, first_column + i % kept.columns) : BF16{0};
      different += kept.values[i] != expected;
    }
    EXPECT_EQ(different, 0);
  };
  expect(Kept(weights.layers[0].fc1), 2048, 0, 2048);
  expect(Kept(weights.layers[0].fc2), 0, 2048, 1024);
  const int64_t half = weights.shape.vocab.num_columns();
  EXPECT_EQ(weights.shape.vocab.column_begin(), half);
  expect(Kept(weights.head), half, 0, config.vocab_size - half);
  EXPECT_GT(phased.num_in_place, weights.size_bytes() / 2);
}

TEST(LoadWeights, EndsWithTheErrorOfTheSource) {
  const ModelConfig config = Small();
  const auto source = MakeSource(config, DType::kBF16);
  PhasedSource phased(source);
  phased.broken = "decoder.layers.1.mlp.linear_fc2.weight";
  KeepingBackend backend;
  const auto weights = LoadWeights(phased, config, {}, 0, backend, 2, NullProgress());
  ASSERT_FALSE(weights);
  EXPECT_EQ(weights.error().code(), StatusCode::kCorruption);
  EXPECT_EQ(weights.error().message(), "checksum");
}

TEST(LoadWeights, NarrowsStoredFloats) {
  const ModelConfig config = Small();
  const auto wide = MakeSource(config, DType::kF32);
  const auto narrow = MakeSource(config, DType::kBF16);
  KeepingBackend backend;
  const RankWeights a = Load(wide, config, 2, 1, 1, backend);
  const RankWeights b = Load(narrow, config, 2, 1, 1, backend);
  EXPECT_EQ(Kept(a.layers[1].qkv).values, Kept(b.layers[1].qkv).values);
  EXPECT_EQ(Kept(a.layers[1].fc2).values, Kept(b.layers[1].fc2).values);
}

TEST(LoadWeights, NamesTensorsThatAreAbsentOrOdd) {
  const ModelConfig config = Small();
  ModelConfig other = config;
  other.ffn_hidden_size = 64;
  const auto source = MakeSource(config, DType::kBF16);
  const auto integers = MakeSource(config, DType::kI64);
  testing::MemorySource empty;
  KeepingBackend backend;
  const struct {
    const TensorSource* source;
    ModelConfig config;
    StatusCode code;
    const char* says;
  } kCases[] = {
      {&empty, config, StatusCode::kNotFound,
       "embedding.word_embeddings.weight: not in the checkpoint"},
      {&source, other, StatusCode::kCorruption, "linear_fc1.weight: shape [32, 16]"},
      {&integers, config, StatusCode::kCorruption, "dtype I64"},
  };
  for (const auto& row : kCases) {
    auto weights = LoadWeights(*row.source, row.config, {}, 0, backend, 1, NullProgress());
    ASSERT_FALSE(weights);
    EXPECT_EQ(weights.error().code(), row.code);
    EXPECT_NE(weights.error().message().find(row.says), std::string::npos)
        << weights.error().message();
  }
}

}  // namespace
}  // namespace nemo
