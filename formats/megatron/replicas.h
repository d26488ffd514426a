// Copies that ranks hold of one tensor.
#pragma once

#include "libcore/base/status.h"
#include "libcore/model/canonical_source.h"

namespace nemo::megatron {

/// Reads every replica of `source` and what it repeats, a megabyte at a time. kCorruption: two
/// differ in a bit, with both files named.
Status CompareReplicas(const CanonicalSource& source);

}  // namespace nemo::megatron
