// The row of formats/registry.cc for NeMo 2.0 checkpoints: directories with context/ (the model's
// config and tokenizer) and weights/ (a distributed checkpoint). docs/formats/nemo2.md.
#pragma once

#include <string>

#include "formats/format.h"
#include "libcore/base/status.h"

namespace nemo {

/// A directory with a distributed checkpoint in weights/, or with a folder context/ and one beside.
bool SniffNemo2(const std::string& path);

/// Opens the checkpoint in place; reads everything but the weights. model_config_yaml stays empty:
/// that file is NeMo 1's.
Result<Checkpoint> OpenNemo2(const std::string& path);

}  // namespace nemo
