#pragma once

#include "kernels/reference/ops.h"

namespace nemo::reference {
namespace {

Status Scale(Backend&, const ScaleArgs& args) {
  for (int64_t i = 0; i < args.count; ++i) args.data[i] *= args.factor;
  return OkStatus();
}

}  // namespace
}  // namespace nemo::reference
