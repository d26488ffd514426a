#include "libcore/runtime/output_layer.h"

#include <numeric>
#include <vector>

#include "libcore/base/check.h"

namespace nemo {

template <typename T>
Result<std::unique_ptr<OutputLayer<T>>> OutputLayer<T>::Create(const OutputLayerOptions& options,
                                                               const RankWeights& weights,
                                                               Backend& backend,
                                                               const BasicOpTable<T>& ops) {
  std::unique_ptr<OutputLayer> layer(new OutputLayer(options, weights, backend, ops));
  const int64_t rows = options.block_rows;
  const int64_t hidden = weights.shape.hidden_size;
  const bool rounds = options.profile == DTypeProfile::kHf;
  layer->arena_.Add(&layer->row_ids_, rows);
  layer->arena_.Add(&layer->identity_, rows);
  layer->arena_.Add(&layer->gathered_, rows * hidden);
  layer->arena_.Add(&layer->x_, rows * hidden);
  layer->arena_.Add(&layer->h_, rows * hidden);
  layer->arena_.Add(&layer->rounded_, rounds ? rows * weights.shape.vocab.num_columns() : 0);
  NEMO_RETURN_IF_ERROR(layer->arena_.Allocate(backend).At("output layer buffers"));
  std::vector<int32_t> identity(rows);
  std::iota(identity.begin(), identity.end(), 0);
  NEMO_RETURN_IF_ERROR(layer->bridge_.Put(layer->identity_, std::span<const int32_t>(identity)));
  return layer;
}

template <typename T>
Status OutputLayer<T>::Normalize(const T* hidden, int64_t num_hidden_rows, int64_t num_rows) {
  const int64_t hidden_size = weights_.shape.hidden_size;
  // The embedding look-up gathers rows of any table; an element -> float -> element changes
  // nothing.
  NEMO_RETURN_IF_ERROR(ops_.embed(
      backend_, {row_ids_, num_rows, hidden, 0, num_hidden_rows, hidden_size, gathered_}));
  return ops_.residual_norm(backend_, {x_, gathered_, /*replace=*/true,
                                       static_cast<const BF16*>(weights_.final_norm_weight->data()),
                                       static_cast<const BF16*>(weights_.final_norm_bias->data()),
                                       h_, num_rows, hidden_size, options_.layernorm_epsilon,
                                       options_.zero_centered_gamma, options_.profile});
}

/// As bf16, and widened: again a look-up, of row i in row i.
template <typename T>
Status OutputLayer<T>::RoundedLogits(int64_t num_rows, float* logits) {
  NEMO_RETURN_IF_ERROR(
      ops_.linear(backend_, {weights_.head.get(), h_, num_rows, rounded_, Epilogue::kBf16}));
  return ops_.embed(backend_, {identity_, num_rows, rounded_, 0, num_rows,
                               weights_.shape.vocab.num_columns(), logits});
}

template <typename T>
Status OutputLayer<T>::Logits(const T* hidden, int64_t num_hidden_rows,
                              std::span<const int32_t> rows, float* logits) {
  const auto num_rows = static_cast<int64_t>(rows.size());
  NEMO_CHECK(num_rows <= options_.block_rows);
  if (weights_.head == nullptr) return OkStatus();
  NEMO_RETURN_IF_ERROR(bridge_.Put(row_ids_, rows));
  NEMO_RETURN_IF_ERROR(Normalize(hidden, num_hidden_rows, num_rows));
  if (options_.profile == DTypeProfile::kHf) return RoundedLogits(num_rows, logits);
  return ops_.linear(backend_, {weights_.head.get(), h_, num_rows, logits, Epilogue::kFloat});
}

template class OutputLayer<BF16>;
template class OutputLayer<float>;

}  // namespace nemo
