// The exponential of attention and log-sum-exp, the functions of draws in double precision, and the
// denormal mode of all kernels. Every backend that promises equal bits computes them with these
// constants and these steps, lane by lane.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

#include "libcore/base/host_device.h"

namespace nemo {

/// exp(x) = 2^n e^r with n = rint(x log2(e)) and r = x - n ln(2), ln(2) in two parts.
/// e^r = 1 + r + r^2 P(r); P interpolates (e^r - 1 - r) / r^2 at the Chebyshev nodes of
/// [-ln(2)/2, ln(2)/2], which leaves a relative error below 2^-31.
namespace exp_f32 {
inline constexpr float kMin = -0x1.5d589ep+6f;      ///< the lowest x whose exp is a normal float
inline constexpr float kOverflow = 0x1.62e430p+6f;  ///< the lowest x whose exp is beyond float
inline constexpr float kLog2E = 0x1.715476p+0f;
inline constexpr float kLn2High = 0x1.62e430p-1f;
inline constexpr float kLn2Low = -0x1.05c610p-29f;
inline constexpr float kRound =
    0x1.8p+23f;  ///< adding it rounds to an integer, kept in the low bits
inline constexpr float kP0 = 0x1.000000p-1f;
inline constexpr float kP1 = 0x1.555556p-3f;
inline constexpr float kP2 = 0x1.5554eap-5f;
inline constexpr float kP3 = 0x1.1110e0p-7f;
inline constexpr float kP4 = 0x1.6d4316p-10f;
inline constexpr float kP5 = 0x1.a124e4p-13f;
}  // namespace exp_f32

/// ln(2) in two parts: the product of the first with any exponent is exact.
namespace ln2_f64 {
inline constexpr double kHigh = 0x1.62e42fep-1;
inline constexpr double kLow = 0x1.f473de6af278fp-30;
}  // namespace ln2_f64

/// exp(x) within 1 ulp; results below the least normal float are 0, exp(-inf) = 0, NaN stays NaN.
/// The same bits on every machine: only fused multiply-adds, one product and integer steps.
NEMO_HOST_DEVICE inline float ExpF32(float x) {
  using namespace exp_f32;  // NOLINT(build/namespaces): eleven constants of this formula
  if (x != x) return x;
  if (x < kMin) return 0.0f;
  if (x >= kOverflow) return std::numeric_limits<float>::infinity();
  const float shifted = std::fma(x, kLog2E, kRound);
  const float n = shifted - kRound;
  const float r = std::fma(n, -kLn2Low, std::fma(n, -kLn2High, x));
  float p = std::fma(kP5, r, kP4);
  p = std::fma(p, r, kP3);
  p = std::fma(p, r, kP2);
  p = std::fma(p, r, kP1);
  p = std::fma(p, r, kP0);
  const float y = 1.0f + std::fma(p, r * r, r);
  // n stands in the low bits of `shifted`; adding it to the exponent multiplies by 2^n. 1 <= y for
  // the lowest n and y < 1 for the highest, so the exponent neither under- nor overflows.
  return std::bit_cast<float>(std::bit_cast<uint32_t>(y) +
                              (std::bit_cast<uint32_t>(shifted) << 23));
}

/// The logarithm of a normal number above 0, within 2 ulp. The same bits on every machine: nothing
/// but single roundings to double. x = 2^n m with m around 1, s = (m - 1) / (m + 1), log(m) = 2
/// artanh(s), whose series is cut below 2^-55.
NEMO_HOST_DEVICE inline double LogF64(double x) {
  constexpr uint64_t kSqrtHalf = 0x3fe6a09e667f3bcd;
  const auto bits = std::bit_cast<uint64_t>(x);
  const int64_t n = static_cast<int64_t>(bits - kSqrtHalf) >> 52;
  const double f = std::bit_cast<double>(bits - (static_cast<uint64_t>(n) << 52)) - 1.0;
  const double s = f / (2.0 + f);
  const double z = s * s;
  double p = 0.0;
  for (int k = 10; k > 0; --k) p = (p + 1.0 / (2 * k + 1)) * z;
  const auto e = static_cast<double>(n);
  return e * ln2_f64::kHigh + (e * ln2_f64::kLow + (2.0 * s + 2.0 * s * p));
}

/// exp(x) within 2 ulp for the x whose exp is a normal number, else 0 or infinity; NaN stays NaN.
/// The same bits on every machine, as LogF64. The series of e^r is cut below 2^-57.
NEMO_HOST_DEVICE inline double ExpF64(double x) {
  constexpr double kLog2E = 0x1.71547652b82fep+0, kRound = 0x1.8p+52;
  if (x != x) return x;
  if (x < -708.0) return 0.0;
  if (x > 709.0) return std::numeric_limits<double>::infinity();
  const double shifted = x * kLog2E + kRound;
  const double n = shifted - kRound;
  const double r = (x - n * ln2_f64::kHigh) - n * ln2_f64::kLow;
  double p = 1.0;
  for (int k = 14; k > 1; --k) p = 1.0 + p * r * (1.0 / k);
  const double y = 1.0 + p * r;
  // As in ExpF32: n stands in the low bits of `shifted`.
  return std::bit_cast<double>(std::bit_cast<uint64_t>(y) +
                               (std::bit_cast<uint64_t>(shifted) << 52));
}

/// While it lives, this thread's float arithmetic treats denormal inputs as zero and flushes
/// denormal results, as the bf16 dot product instruction does. Off x86-64 it does nothing, and
/// results may differ where a denormal occurs.
class FlushDenormals {
 public:
#if defined(__x86_64__)
  FlushDenormals() : saved_(__builtin_ia32_stmxcsr()) {
    Set(saved_ | kFlushToZero | kDenormalsAreZero);
  }
  ~FlushDenormals() { Set(saved_); }

 private:
  static constexpr unsigned kFlushToZero = 0x8000, kDenormalsAreZero = 0x0040;
  // The compiler does not know that arithmetic depends on the mode; the barrier keeps the loads and
  // stores around the arithmetic on their side.
  static void Set(unsigned mode) {
    asm volatile("" ::: "memory");
    __builtin_ia32_ldmxcsr(mode);
    asm volatile("" ::: "memory");
  }
  unsigned saved_;
#else
  FlushDenormals() {}
  ~FlushDenormals() {}
#endif

 public:
  FlushDenormals(const FlushDenormals&) = delete;
  FlushDenormals& operator=(const FlushDenormals&) = delete;
};

}  // namespace nemo
