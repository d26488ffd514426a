// Facts about this machine that a figure is read together with.
#pragma once

#include <cstdint>
#include <string>

#include "libcore/base/value.h"

namespace nemo {

/// Bytes of the last-level cache as the system tells it; 32 MiB where it does not.
int64_t LastLevelCacheBytes();
/// Bytes that can be allocated without swapping; -1: the system does not tell.
int64_t AvailableMemoryBytes();

/// {"cpu", "cores", "cache_bytes", "memory_bytes", "system", "huge_pages", "compiler", "date"}.
Value MachineFacts();
/// What changes: {"load" (1 minute), "mhz" (median of the cores)}; null where not known.
Value MachineState();

}  // namespace nemo
