// Fingerprint: tells models apart by a few of their weights, whatever files those lie in.
#pragma once

#include <string>

#include "libcore/base/status.h"
#include "libcore/model/config.h"
#include "libcore/tensor/source.h"

namespace nemo {

/// 16 hexadecimal digits of the configuration, the norms of the last layer's end, and a row of each
/// matrix of the first and the last layer, as bf16. Equal for every format and layout of one model;
/// training or tuning that moved any of these makes another one. Reads some hundred kilobytes
/// (where a format stores compressed chunks, those chunks). Errors of TensorSource::Read.
Result<std::string> Fingerprint(const TensorSource& canonical, const ModelConfig& config);

}  // namespace nemo
