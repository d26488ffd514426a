// The switches of NeMo's GPT config that change what the model computes, and the settings this
// build knows.
#pragma once

#include "formats/nemo/omegaconf.h"
#include "libcore/base/status.h"

namespace nemo {

/// kUnsupported names the first switch that is set to something else than a Nemotron model has.
Status CheckFeatures(const Config& config);

}  // namespace nemo
