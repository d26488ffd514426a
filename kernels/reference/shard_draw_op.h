// What the choice of a token needs of a row of logits, and the logits of given tokens.
// The text of an operation, for the two tables that are made of it (op_tables.h).
#pragma once

#include "kernels/reference/ops.h"
#include "libcore/base/check.h"
#include "libcore/runtime/math.h"
#include "libcore/runtime/shard_draw.h"

namespace nemo::reference {
namespace {

Status ShardDraw(Backend&, const ShardDrawArgs& args) {
  const FlushDenormals flush;
  NEMO_CHECK(args.chunk_columns > 0 && args.num_columns % args.chunk_columns == 0);
  for (int64_t draw = 0; draw < args.num_draws; ++draw) {
    ScaleForDraw(args, draw);
    for (int64_t chunk = 0; chunk < args.num_columns / args.chunk_columns; ++chunk) {
      DrawFromChunk(args, draw, chunk);
    }
    ListBest(args, draw);
  }
  return OkStatus();
}

Status PickLogits(Backend&, const PickLogitsArgs& args) {
  nemo::PickLogits(args);
  return OkStatus();
}

}  // namespace
}  // namespace nemo::reference
