#include "libcore/runtime/weights.h"

#include <algorithm>
#include <string>
#include <vector>

#include "libcore/base/format.h"
#include "libcore/base/thread_pool.h"
#include "libcore/runtime/shard_reader.h"

namespace nemo {
namespace {

/// Of one read: large enough for any disk, small enough that all readers together hold little.
constexpr int64_t kBlockBytes = int64_t{4} << 20;
/// Threads beyond those that pack: they wait for the disk while the others compute.
constexpr int kReadAhead = 4;

/// A shard and where it goes: packed into `weight`, or as it is to `memory`.
struct Part {
  TensorShard shard;
  PackedWeight* weight = nullptr;
  BF16* memory = nullptr;
};

/// Consecutive rows of a part: what is read at once.
struct Block {
  const Part* part;
  int64_t row_begin, num_rows;
};

/// Names every shard of a rank and makes the room for it; nothing is read yet.
class Planner {
 public:
  Planner(const ModelConfig& config, const RankShape& shape, Backend& backend,
          const ShardReader& reader)
      : config_(config), shape_(shape), backend_(backend), reader_(reader) {}

  Result<LayerWeights> Layer(int64_t layer);
  Result<std::unique_ptr<Buffer>> Norm(const std::string& name);
  Result<std::unique_ptr<Buffer>> Embedding();
  Result<std::unique_ptr<PackedWeight>> Head();

  const std::vector<Part>& parts() const { return parts_; }

 private:
  Result<std::unique_ptr<PackedWeight>> Packed(TensorShard shard, int num_leaves);
  Result<std::unique_ptr<Buffer>> Plain(TensorShard shard);
  TensorShard QkvShard(const std::string& name) const;
  TensorShard VocabShard(const std::string& name) const;

  const ModelConfig& config_;
  const RankShape& shape_;
  Backend& backend_;
  const ShardReader& reader_;
  std::vector<Part> parts_;
};

Result<std::unique_ptr<Buffer>> Planner::Plain(TensorShard shard) {
  NEMO_RETURN_IF_ERROR(reader_.Check(shard));
  auto buffer = backend_.Allocate(shard.num_elements() * static_cast<int64_t>(sizeof(BF16)));
  if (!buffer) return buffer.error().At(Format("tensor {}", shard.name));
  parts_.push_back({std::move(shard), nullptr, static_cast<BF16*>((*buffer)->data())});
  return buffer;
}

Result<std::unique_ptr<PackedWeight>> Planner::Packed(TensorShard shard, int num_leaves) {
  NEMO_RETURN_IF_ERROR(reader_.Check(shard));
  auto weight = backend_.AllocateWeight(shard.num_rows, shard.num_columns, num_leaves);
  if (!weight) return weight.error().At(Format("tensor {}", shard.name));
  parts_.push_back({std::move(shard), weight->get(), nullptr});
  return weight;
}

Result<std::unique_ptr<Buffer>> Planner::Norm(const std::string& name) {
  const int64_t size = shape_.hidden_size;
  return Plain({.name = name, .shape = {size}, .runs = {{0, 0, size}}, .num_rows = size});
}

/// Stored rows are [group][its query heads, key, value][head_dim]; the rank wants its query heads
/// together, then its keys, then its values.
TensorShard Planner::QkvShard(const std::string& name) const {
  const int64_t head_dim = shape_.head_dim;
  const int64_t q_per_group = config_.num_attention_heads / config_.num_query_groups;
  const int64_t group_rows = (q_per_group + 2) * head_dim;
  TensorShard shard = {name, {config_.num_query_groups * group_rows, shape_.hidden_size}};
  const auto append = [&](int64_t from, int64_t count) {
    shard.runs.push_back({from, shard.num_rows, count});
    shard.num_rows += count;
  };
  const int64_t q_end = shape_.q_head_begin + shape_.num_q_heads;
  for (int64_t head = shape_.q_head_begin; head < q_end;) {
    const int64_t group = head / q_per_group;
    const int64_t count = std::min(q_end, (group + 1) * q_per_group) - head;
    append(group * group_rows + (head % q_per_group) * head_dim, count * head_dim);
    head += count;
  }
  for (const int64_t offset : {q_per_group, q_per_group + 1}) {
    for (int64_t i = 0; i < shape_.num_kv_heads; ++i) {
      append((shape_.kv_head_begin + i) * group_rows + offset * head_dim, head_dim);
    }
  }
  shard.num_columns = shape_.hidden_size;
  return shard;
}

TensorShard Planner::VocabShard(const std::string& name) const {
  TensorShard shard = {name, {config_.vocab_size, shape_.hidden_size}, true};
  const int64_t begin = std::min(shape_.vocab.column_begin(), config_.vocab_size);
  const int64_t end = std::min(begin + shape_.vocab.num_columns(), config_.vocab_size);
  if (begin < end) shard.runs.push_back({begin, 0, end - begin});
  shard.num_rows = shape_.vocab.num_columns();
  shard.num_columns = shape_.hidden_size;
  return shard;
}

Result<std::unique_ptr<Buffer>> Planner::Embedding() {
  return Plain(VocabShard(std::string(kEmbeddingName)));
}

Result<std::unique_ptr<PackedWeight>> Planner::Head() {
  if (shape_.vocab.num_columns() == 0) return std::unique_ptr<PackedWeight>();
  return Packed(
      VocabShard(config_.share_embeddings_and_output_weights ? std::string(kEmbeddingName)
                                                             : std::string(kOutputLayerName)),
      1);
}

Result<LayerWeights> Planner::Layer(int64_t layer) {
  const auto name = [layer](std::string_view rest) {
    return Format("decoder.layers.{}.{}", layer, rest);
  };
  const int64_t hidden = shape_.hidden_size;
  const int64_t q_columns = shape_.num_q_heads * shape_.head_dim;
  const TensorShard proj = {name("self_attention.linear_proj.weight"),
                            {hidden, config_.num_attention_heads * shape_.head_dim},
                            false,
                            {{0, 0, hidden}},
                            hidden,
                            shape_.q_head_begin * shape_.head_dim,
                            q_columns};
  const TensorShard fc1 = {name("mlp.linear_fc1.weight"),
                           {config_.ffn_hidden_size, hidden},
                           false,
                           {{shape_.ffn_begin, 0, shape_.ffn_size}},
                           shape_.ffn_size,
                           0,
                           hidden};
  const TensorShard fc2 = {name("mlp.linear_fc2.weight"),
                           {hidden, config_.ffn_hidden_size},
                           false,
                           {{0, 0, hidden}},
                           hidden,
                           shape_.ffn_begin,
                           shape_.ffn_size};
  LayerWeights w;
  NEMO_ASSIGN_OR_RETURN(w.qkv_norm_weight,
                        Norm(name("self_attention.linear_qkv.layer_norm_weight")));
  NEMO_ASSIGN_OR_RETURN(w.qkv_norm_bias, Norm(name("self_attention.linear_qkv.layer_norm_bias")));
  NEMO_ASSIGN_OR_RETURN(w.fc1_norm_weight, Norm(name("mlp.linear_fc1.layer_norm_weight")));
  NEMO_ASSIGN_OR_RETURN(w.fc1_norm_bias, Norm(name("mlp.linear_fc1.layer_norm_bias")));
  NEMO_ASSIGN_OR_RETURN(w.qkv, Packed(QkvShard(name("self_attention.linear_qkv.weight")), 1));
  NEMO_ASSIGN_OR_RETURN(w.proj, Packed(proj, shape_.proj_leaves));
  NEMO_ASSIGN_OR_RETURN(w.fc1, Packed(fc1, 1));
  NEMO_ASSIGN_OR_RETURN(w.fc2, Packed(fc2, shape_.fc2_leaves));
  return w;
}

/// Bytes of bf16 that come from the files.
int64_t BytesOf(const std::vector<Part>& parts) {
  int64_t elements = 0;
  for (const Part& part : parts) {
    for (const RowRun& run : part.shard.runs) elements += run.count * part.shard.num_columns;
  }
  return elements * static_cast<int64_t>(sizeof(BF16));
}

/// Cuts the parts in blocks of about kBlockBytes, whole panels where they are packed.
std::vector<Block> BlocksOf(const std::vector<Part>& parts) {
  std::vector<Block> blocks;
  for (const Part& part : parts) {
    const int64_t row_bytes = part.shard.num_columns * static_cast<int64_t>(sizeof(BF16));
    const int64_t step = std::max(kBlockBytes / row_bytes / kPackRows, int64_t{1}) * kPackRows;
    for (int64_t row = 0; row < part.shard.num_rows; row += step) {
      blocks.push_back({&part, row, std::min(step, part.shard.num_rows - row)});
    }
  }
  return blocks;
}

/// Reads and packs all parts. Each thread takes a block from the file to its place: while some wait
/// for the disk, others pack.
Status Fill(const std::vector<Part>& parts, const ShardReader& reader, Backend& backend,
            int threads, Progress& progress) {
  const std::vector<Block> blocks = BlocksOf(parts);
  StagingPool pool;
  return ParallelFor(threads + kReadAhead, std::ssize(blocks), [&](int64_t index) -> Status {
    if (StopRequested()) return IoError(Format("stopped by signal {}", StopSignal()));
    const auto& [part, row_begin, num_rows] = blocks[index];
    StagingPool::Lease staging(pool);
    NEMO_ASSIGN_OR_RETURN(const std::span<const BF16> rows,
                          reader.ReadRows(part->shard, row_begin, num_rows, *staging));
    const Status status = part->weight != nullptr
                              ? backend.PackRows(*part->weight, row_begin, rows)
                              : backend.Upload(part->memory + row_begin * part->shard.num_columns,
                                               std::as_bytes(rows));
    progress.Add(static_cast<int64_t>(rows.size_bytes()));
    return status.At(Format("tensor {}", part->shard.name));
  });
}

}  // namespace

int64_t RankWeights::size_bytes() const {
  int64_t sum = 0;
  const auto add = [&sum](const auto&... parts) {
    ((sum += parts ? parts->size_bytes() : 0), ...);
  };
  add(embedding, final_norm_weight, final_norm_bias, head);
  for (const LayerWeights& w : layers) {
    add(w.qkv_norm_weight, w.qkv_norm_bias, w.fc1_norm_weight, w.fc1_norm_bias, w.qkv, w.proj,
        w.fc1, w.fc2);
  }
  return sum;
}

Result<RankWeights> LoadWeights(const TensorSource& canonical, const ModelConfig& config,
                                const ParallelLayout& layout, int64_t rank, Backend& backend,
                                int threads, Progress& progress) {
  RankWeights weights;
  NEMO_ASSIGN_OR_RETURN(weights.shape, ShapeOfRank(config, layout, rank));
  const RankShape& shape = weights.shape;
  const ShardReader reader(canonical);
  Planner planner(config, shape, backend, reader);
  const bool head_is_embedding = config.share_embeddings_and_output_weights && shape.last_stage();
  if (shape.first_stage() && !head_is_embedding) {
    NEMO_ASSIGN_OR_RETURN(weights.embedding, planner.Embedding());
  }
  for (const int64_t layer : shape.layers) {
    NEMO_ASSIGN_OR_RETURN(LayerWeights layer_weights, planner.Layer(layer));
    weights.layers.push_back(std::move(layer_weights));
  }
  if (shape.last_stage()) {
    NEMO_ASSIGN_OR_RETURN(weights.final_norm_weight,
                          planner.Norm("decoder.final_layernorm.weight"));
    NEMO_ASSIGN_OR_RETURN(weights.final_norm_bias, planner.Norm("decoder.final_layernorm.bias"));
    NEMO_ASSIGN_OR_RETURN(weights.head, planner.Head());
  }
  progress.Start("loading weights", BytesOf(planner.parts()), "B");
  const Status filled = Fill(planner.parts(), reader, backend, threads, progress);
  progress.Finish();
  NEMO_RETURN_IF_ERROR(filled);
  return weights;
}

}  // namespace nemo
