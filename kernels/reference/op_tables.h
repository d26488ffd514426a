// The operations as tables. Included only by portable.cc and fused.cc.
#pragma once

#include "kernels/reference/attention_op.h"
#include "kernels/reference/embed_op.h"
#include "kernels/reference/head_stats_op.h"
#include "kernels/reference/linear_op.h"
#include "kernels/reference/ops.h"
#include "kernels/reference/residual_norm_op.h"
#include "kernels/reference/rope_op.h"
#include "kernels/reference/shard_draw_op.h"

namespace nemo::reference {
namespace {

template <typename T>
constexpr BasicOpTable<T> kOps = {
    .linear = Linear<T>,
    .embed = Embed<T>,
    .residual_norm = ResidualNorm<T>,
    .rope_append = RopeAppend<T>,
    .attention = Attention<T>,
    .head_stats = HeadStats,
    .shard_draw = ShardDraw,
    .pick_logits = PickLogits,
};

constexpr Operations kOperations = {kOps<BF16>, kOps<float>};

}  // namespace
}  // namespace nemo::reference
