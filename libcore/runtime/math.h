// The exponential of attention and log-sum-exp, and the denormal mode of all kernels. Every backend
// that promises equal bits computes ExpF32 with these constants and these steps, lane by lane.
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
