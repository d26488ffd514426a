#include "tools/nemo-bench/measure/probes.h"

#include <algorithm>
#include <cstring>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "libcore/base/check.h"
#include "tools/nemo-bench/measure/machine.h"
#include "tools/nemo-bench/measure/repeat.h"

namespace nemo {
namespace {

constexpr int64_t kMinBuffer = int64_t{256} << 20, kMaxBuffer = int64_t{1} << 30;

/// body(begin, size) for equal shares of `bytes` on `threads` threads, the caller being one.
void Share(int threads, int64_t bytes, const std::function<void(int64_t, int64_t)>& body) {
  constexpr int64_t kPage = 4096;
  const int64_t share = bytes / threads / kPage * kPage;
  std::vector<std::thread> others;
  for (int i = 1; i < threads; ++i) others.emplace_back(body, i * share, share);
  body(0, share);
  for (std::thread& thread : others) thread.join();
}

// Vectors of the compiler: one register with AVX-512, several elsewhere.
using Block = int64_t __attribute__((vector_size(64)));

/// Reads all of `data` (a multiple of 256 bytes) and keeps the compiler from leaving it out.
inline __attribute__((always_inline)) void ReadAll(const std::byte* data, int64_t size_bytes) {
  constexpr int64_t kStep = 4 * sizeof(Block), kAhead = 4096;
  Block sum[4] = {};
  for (int64_t at = 0; at < size_bytes; at += kStep) {
    const auto* block = reinterpret_cast<const Block*>(data + at);
    for (int i = 0; i < 4; ++i) {
      __builtin_prefetch(data + at + kAhead + i * static_cast<int64_t>(sizeof(Block)));
      sum[i] ^= block[i];
    }
  }
  const Block all = sum[0] ^ sum[1] ^ sum[2] ^ sum[3];
  const int64_t folded = all[0] ^ all[1] ^ all[2] ^ all[3] ^ all[4] ^ all[5] ^ all[6] ^ all[7];
  asm volatile("" : : "r"(folded) : "memory");
}

void ReadPlain(const std::byte* data, int64_t size_bytes) { ReadAll(data, size_bytes); }

/// A loop of independent multiply-adds on registers.
struct Arithmetic {
  const char* name;
  double flops;  ///< of one iteration
  void (*run)(int64_t iterations);
};

#if defined(__x86_64__)
__attribute__((target("avx512f"))) void ReadAvx512(const std::byte* data, int64_t size_bytes) {
  ReadAll(data, size_bytes);
}

using Lanes16 = float __attribute__((vector_size(64)));
using Lanes8 = float __attribute__((vector_size(32)));

// Twelve sums hide the latency of two units; an asm statement takes no more operands than thirty.
#define NEMO_TWELVE(instruction)                                                         \
  asm volatile(instruction                                                               \
               " %[a], %[a], %[s0]\n\t" instruction " %[a], %[a], %[s1]\n\t" instruction \
               " %[a], %[a], %[s2]\n\t" instruction " %[a], %[a], %[s3]\n\t" instruction \
               " %[a], %[a], %[s4]\n\t" instruction " %[a], %[a], %[s5]\n\t" instruction \
               " %[a], %[a], %[s6]\n\t" instruction " %[a], %[a], %[s7]\n\t" instruction \
               " %[a], %[a], %[s8]\n\t" instruction " %[a], %[a], %[s9]\n\t" instruction \
               " %[a], %[a], %[sa]\n\t" instruction " %[a], %[a], %[sb]\n\t"             \
               : [s0] "+v"(s[0]), [s1] "+v"(s[1]), [s2] "+v"(s[2]), [s3] "+v"(s[3]),     \
                 [s4] "+v"(s[4]), [s5] "+v"(s[5]), [s6] "+v"(s[6]), [s7] "+v"(s[7]),     \
                 [s8] "+v"(s[8]), [s9] "+v"(s[9]), [sa] "+v"(s[10]), [sb] "+v"(s[11])    \
               : [a] "v"(a))

__attribute__((target("avx512f"))) void DotBf16(int64_t iterations) {
  Lanes16 s[12] = {};
  const Lanes16 a = {};
  for (int64_t i = 0; i < iterations; ++i) NEMO_TWELVE("vdpbf16ps");
}

__attribute__((target("avx512f"))) void FmaAvx512(int64_t iterations) {
  Lanes16 s[12] = {};
  const Lanes16 a = {};
  for (int64_t i = 0; i < iterations; ++i) NEMO_TWELVE("vfmadd231ps");
}

__attribute__((target("avx2,fma"))) void FmaAvx2(int64_t iterations) {
  Lanes8 s[12] = {};
  const Lanes8 a = {};
  for (int64_t i = 0; i < iterations; ++i) NEMO_TWELVE("vfmadd231ps");
}
#undef NEMO_TWELVE
#endif

void MultiplyAdd(int64_t iterations) {
  Block zero = {};
  using Lanes = float __attribute__((vector_size(64)));
  Lanes s[4] = {}, a;
  std::memcpy(&a, &zero, sizeof a);
  for (int64_t i = 0; i < iterations; ++i) {
    for (Lanes& sum : s) {
      sum += a * sum;
      asm volatile("" : "+m"(sum));
    }
  }
}

Arithmetic FastestArithmetic() {
#if defined(__x86_64__)
  __builtin_cpu_init();
  // Intel's cores begin a bf16 dot product every second cycle, and two multiply-adds in each.
  if (__builtin_cpu_supports("avx512bf16") && !__builtin_cpu_is("intel")) {
    return {"vdpbf16ps, 512 bits", 12 * 64, DotBf16};
  }
  if (__builtin_cpu_supports("avx512f")) return {"fma fp32, 512 bits", 12 * 32, FmaAvx512};
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
    return {"fma fp32, 256 bits", 12 * 16, FmaAvx2};
  }
#endif
  return {"multiply and add fp32", 4 * 32, MultiplyAdd};
}

using ReadFunction = void (*)(const std::byte*, int64_t);
ReadFunction FastestRead() {
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f")) return ReadAvx512;
#endif
  return ReadPlain;
}

}  // namespace

Result<Limits> ProbeHost(Backend& backend, const ProbeOptions& options) {
  NEMO_CHECK(backend.host_memory());
  const int threads = std::max(1, options.threads);
  const int64_t bytes = options.buffer_bytes > 0
                            ? options.buffer_bytes
                            : std::clamp(4 * LastLevelCacheBytes(), kMinBuffer, kMaxBuffer);
  NEMO_ASSIGN_OR_RETURN(const std::unique_ptr<Buffer> from, backend.Allocate(bytes));
  NEMO_ASSIGN_OR_RETURN(const std::unique_ptr<Buffer> to, backend.Allocate(bytes));
  auto* source = static_cast<std::byte*>(from->data());
  auto* target = static_cast<std::byte*>(to->data());
  // Untouched pages would all be the one page of zeros.
  Share(threads, bytes, [&](int64_t begin, int64_t size) {
    std::memset(source + begin, 1, static_cast<size_t>(size));
    std::memset(target + begin, 2, static_cast<size_t>(size));
  });

  const RepeatOptions repeat = {
      .warmup_runs = 1, .min_runs = options.runs, .min_seconds = 0, .max_seconds = 20};
  const auto measure = [&](const std::function<void()>& body) {
    return Repeat(
        repeat, [&](int64_t) { return body(), OkStatus(); }, [] { return OkStatus(); });
  };
  Limits limits;
  const auto shared = static_cast<double>(bytes / threads / 4096 * 4096 * threads);
  const ReadFunction read = FastestRead();
  NEMO_ASSIGN_OR_RETURN(const Summary read_time, measure([&] {
                          Share(threads, bytes,
                                [&](int64_t begin, int64_t size) { read(source + begin, size); });
                        }));
  limits.read_bytes_per_second = shared / read_time.median;
  NEMO_ASSIGN_OR_RETURN(const Summary copy_time, measure([&] {
                          Share(threads, bytes, [&](int64_t begin, int64_t size) {
                            std::memcpy(target + begin, source + begin, static_cast<size_t>(size));
                          });
                        }));
  limits.copy_bytes_per_second = 2 * shared / copy_time.median;

  const Arithmetic arithmetic = FastestArithmetic();
  constexpr int64_t kIterations = 2'000'000;
  NEMO_ASSIGN_OR_RETURN(const Summary dot_time, measure([&] {
                          std::vector<std::thread> others;
                          for (int i = 1; i < threads; ++i) {
                            others.emplace_back(arithmetic.run, kIterations);
                          }
                          arithmetic.run(kIterations);
                          for (std::thread& thread : others) thread.join();
                        }));
  limits.flops_per_second =
      arithmetic.flops * static_cast<double>(kIterations) * threads / dot_time.median;
  limits.compute = arithmetic.name;
  return limits;
}

}  // namespace nemo
