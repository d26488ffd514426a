// The roofline: what a machine can do at best with so many bytes and operations (Williams,
// Waterman, Patterson: Roofline, CACM 52(4), 2009). The limits are measured in the same run
// (probes.h).
#pragma once

#include <string>

#include "libcore/base/status.h"
#include "libcore/base/value.h"

namespace nemo {

/// What one run has to move and to compute, whatever the implementation: each operand once.
struct Work {
  double read_bytes = 0;
  double write_bytes = 0;
  double flops = 0;  ///< a multiply and an add count as two

  double bytes() const { return read_bytes + write_bytes; }
  /// FLOP per byte.
  double intensity() const { return bytes() > 0 ? flops / bytes() : 0; }
};

/// Zero: not known.
struct Limits {
  double read_bytes_per_second = 0;
  double copy_bytes_per_second = 0;  ///< read and written bytes together
  double flops_per_second = 0;
  std::string compute;  ///< what flops_per_second was measured with: "vdpbf16ps, 512 bits"

  bool known() const {
    return read_bytes_per_second > 0 && copy_bytes_per_second > 0 && flops_per_second > 0;
  }
};

/// The least seconds that the bytes take: each written byte together with one that is read goes at
/// the copy's speed, so does what is only written; the remaining reads go at the read's.
double MemorySeconds(const Work& work, const Limits& limits);
double ComputeSeconds(const Work& work, const Limits& limits);
/// The larger of both: the limit. NEMO_CHECK: limits.known().
double LimitSeconds(const Work& work, const Limits& limits);
/// Which of both: "memory" or "compute".
std::string LimitName(const Work& work, const Limits& limits);

/// Medians of both sides of a run; the faster one of each.
Limits Best(const Limits& a, const Limits& b);
/// The largest relative difference between the two: how much the machine changed meanwhile.
double Drift(const Limits& a, const Limits& b);

Value ToValue(const Limits& limits);
Result<Limits> LimitsFromValue(const Value& value);

}  // namespace nemo
