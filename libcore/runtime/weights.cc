#include "libcore/runtime/weights.h"

#include <algorithm>
#include <string>

#include "libcore/base/format.h"
#include "libcore/runtime/shard_reader.h"

namespace nemo {
namespace {

class Loader {
 public:
  Loader(const ModelConfig& config, const RankShape& shape, Backend& backend, ShardReader reader)
      : config_(config), shape_(shape), backend_(backend), reader_(std::move(reader)) {}

  Result<LayerWeights> Layer(int64_t layer);
  Result<std::unique_ptr<Buffer>> Norm(const std::string& name);
  Result<std::unique_ptr<Buffer>> Embedding();
  Result<std::unique_ptr<PackedWeight>> Head();

 private:
  Result<std::unique_ptr<PackedWeight>> Pack(const MatrixShard& shard, int num_leaves);
  Result<std::unique_ptr<Buffer>> ToBuffer(std::span<const BF16> values);
  MatrixShard QkvShard(const std::string& name) const;
  MatrixShard VocabShard(const std::string& name) const;

  const ModelConfig& config_;
  const RankShape& shape_;
  Backend& backend_;
  ShardReader reader_;
};

Result<std::unique_ptr<Buffer>> Loader::ToBuffer(std::span<const BF16> values) {
  NEMO_ASSIGN_OR_RETURN(std::unique_ptr<Buffer> buffer,
                        backend_.Allocate(static_cast<int64_t>(values.size_bytes())));
  NEMO_RETURN_IF_ERROR(backend_.Upload(buffer->data(), std::as_bytes(values)));
  return buffer;
}

Result<std::unique_ptr<Buffer>> Loader::Norm(const std::string& name) {
  NEMO_ASSIGN_OR_RETURN(const std::span<const BF16> values,
                        reader_.ReadVector(name, shape_.hidden_size));
  return ToBuffer(values);
}

Result<std::unique_ptr<PackedWeight>> Loader::Pack(const MatrixShard& shard, int num_leaves) {
  NEMO_ASSIGN_OR_RETURN(const std::span<const BF16> values, reader_.Read(shard));
  auto packed = backend_.Pack(values, shard.num_rows, shard.num_columns, num_leaves);
  if (!packed) return packed.error().At(Format("tensor {}", shard.name));
  return packed;
}

/// Stored rows are [group][its query heads, key, value][head_dim]; the rank wants its query heads
/// together, then its keys, then its values.
MatrixShard Loader::QkvShard(const std::string& name) const {
  const int64_t head_dim = shape_.head_dim;
  const int64_t q_per_group = config_.num_attention_heads / config_.num_query_groups;
  const int64_t group_rows = (q_per_group + 2) * head_dim;
  MatrixShard shard = {name, {config_.num_query_groups * group_rows, shape_.hidden_size}};
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

MatrixShard Loader::VocabShard(const std::string& name) const {
  MatrixShard shard = {name, {config_.vocab_size, shape_.hidden_size}, true};
  const int64_t begin = std::min(shape_.vocab.column_begin(), config_.vocab_size);
  const int64_t end = std::min(begin + shape_.vocab.num_columns(), config_.vocab_size);
  if (begin < end) shard.runs.push_back({begin, 0, end - begin});
  shard.num_rows = shape_.vocab.num_columns();
  shard.num_columns = shape_.hidden_size;
  return shard;
}

Result<std::unique_ptr<Buffer>> Loader::Embedding() {
  NEMO_ASSIGN_OR_RETURN(const std::span<const BF16> values,
                        reader_.Read(VocabShard(std::string(kEmbeddingName))));
  return ToBuffer(values);
}

Result<std::unique_ptr<PackedWeight>> Loader::Head() {
  if (shape_.vocab.num_columns() == 0) return std::unique_ptr<PackedWeight>();
  return Pack(
      VocabShard(config_.share_embeddings_and_output_weights ? std::string(kEmbeddingName)
                                                             : std::string(kOutputLayerName)),
      1);
}

Result<LayerWeights> Loader::Layer(int64_t layer) {
  const auto name = [layer](std::string_view rest) {
    return Format("decoder.layers.{}.{}", layer, rest);
  };
  const int64_t hidden = shape_.hidden_size;
  const int64_t q_columns = shape_.num_q_heads * shape_.head_dim;
  const MatrixShard proj = {name("self_attention.linear_proj.weight"),
                            {hidden, config_.num_attention_heads * shape_.head_dim},
                            false,
                            {{0, 0, hidden}},
                            hidden,
                            shape_.q_head_begin * shape_.head_dim,
                            q_columns};
  const MatrixShard fc1 = {name("mlp.linear_fc1.weight"),
                           {config_.ffn_hidden_size, hidden},
                           false,
                           {{shape_.ffn_begin, 0, shape_.ffn_size}},
                           shape_.ffn_size,
                           0,
                           hidden};
  const MatrixShard fc2 = {name("mlp.linear_fc2.weight"),
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
  NEMO_ASSIGN_OR_RETURN(w.qkv, Pack(QkvShard(name("self_attention.linear_qkv.weight")), 1));
  NEMO_ASSIGN_OR_RETURN(w.proj, Pack(proj, shape_.proj_leaves));
  NEMO_ASSIGN_OR_RETURN(w.fc1, Pack(fc1, 1));
  NEMO_ASSIGN_OR_RETURN(w.fc2, Pack(fc2, shape_.fc2_leaves));
  return w;
}

/// Bytes that LoadWeights reads, counted as bf16.
int64_t BytesToRead(const ModelConfig& config, const RankShape& shape) {
  const int64_t hidden = shape.hidden_size;
  const int64_t per_layer =
      hidden * (4 + shape.qkv_columns() + shape.num_q_heads * shape.head_dim + 2 * shape.ffn_size);
  const int64_t end =
      std::min(shape.vocab.column_begin() + shape.vocab.num_columns(), config.vocab_size);
  const int64_t vocab = hidden * std::max<int64_t>(0, end - shape.vocab.column_begin());
  int64_t elements = per_layer * static_cast<int64_t>(shape.layers.size());
  if (shape.first_stage()) elements += vocab;
  if (shape.last_stage()) elements += vocab + 2 * hidden;
  return elements * static_cast<int64_t>(sizeof(BF16));
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
  progress.Start("loading weights", BytesToRead(config, shape), "B");
  Loader loader(config, shape, backend, ShardReader(canonical, threads, progress));
  if (shape.first_stage()) {
    NEMO_ASSIGN_OR_RETURN(weights.embedding, loader.Embedding());
  }
  for (const int64_t layer : shape.layers) {
    if (StopRequested()) return IoError(Format("stopped by signal {}", StopSignal()));
    NEMO_ASSIGN_OR_RETURN(LayerWeights layer_weights, loader.Layer(layer));
    weights.layers.push_back(std::move(layer_weights));
  }
  if (shape.last_stage()) {
    NEMO_ASSIGN_OR_RETURN(weights.final_norm_weight, loader.Norm("decoder.final_layernorm.weight"));
    NEMO_ASSIGN_OR_RETURN(weights.final_norm_bias, loader.Norm("decoder.final_layernorm.bias"));
    NEMO_ASSIGN_OR_RETURN(weights.head, loader.Head());
  }
  progress.Finish();
  return weights;
}

}  // namespace nemo
