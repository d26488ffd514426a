#include "tools/nemo-bench/measure/roofline.h"

#include <algorithm>
#include <cmath>

#include "libcore/base/check.h"

namespace nemo {

double MemorySeconds(const Work& work, const Limits& limits) {
  const double paired = std::min(work.read_bytes, work.write_bytes);
  const double only_read = work.read_bytes - paired;
  const double only_written = work.write_bytes - paired;
  return (2 * paired + only_written) / limits.copy_bytes_per_second +
         only_read / limits.read_bytes_per_second;
}

double ComputeSeconds(const Work& work, const Limits& limits) {
  return work.flops / limits.flops_per_second;
}

double LimitSeconds(const Work& work, const Limits& limits) {
  NEMO_CHECK(limits.known());
  return std::max(MemorySeconds(work, limits), ComputeSeconds(work, limits));
}

std::string LimitName(const Work& work, const Limits& limits) {
  NEMO_CHECK(limits.known());
  return ComputeSeconds(work, limits) > MemorySeconds(work, limits) ? "compute" : "memory";
}

Limits Best(const Limits& a, const Limits& b) {
  Limits best = a;
  best.read_bytes_per_second = std::max(a.read_bytes_per_second, b.read_bytes_per_second);
  best.copy_bytes_per_second = std::max(a.copy_bytes_per_second, b.copy_bytes_per_second);
  best.flops_per_second = std::max(a.flops_per_second, b.flops_per_second);
  return best;
}

double Drift(const Limits& a, const Limits& b) {
  const auto difference = [](double x, double y) {
    const double larger = std::max(x, y);
    return larger > 0 ? std::fabs(x - y) / larger : 0;
  };
  return std::max({difference(a.read_bytes_per_second, b.read_bytes_per_second),
                   difference(a.copy_bytes_per_second, b.copy_bytes_per_second),
                   difference(a.flops_per_second, b.flops_per_second)});
}

Value ToValue(const Limits& limits) {
  Value value;
  value.Set("read_bytes_per_second", limits.read_bytes_per_second);
  value.Set("copy_bytes_per_second", limits.copy_bytes_per_second);
  value.Set("flops_per_second", limits.flops_per_second);
  value.Set("compute", limits.compute);
  return value;
}

Result<Limits> LimitsFromValue(const Value& value) {
  Limits limits;
  NEMO_ASSIGN_OR_RETURN(limits.read_bytes_per_second, value.GetDouble("read_bytes_per_second"));
  NEMO_ASSIGN_OR_RETURN(limits.copy_bytes_per_second, value.GetDouble("copy_bytes_per_second"));
  NEMO_ASSIGN_OR_RETURN(limits.flops_per_second, value.GetDouble("flops_per_second"));
  NEMO_ASSIGN_OR_RETURN(limits.compute, value.GetString("compute"));
  return limits;
}

}  // namespace nemo
