// The inner loops for AMX: products on tiles, everything else as for AVX-512. A tile product rounds
// in an order that no other instruction set can follow, so this one is for those who ask for it.
// The kernel keeps tile state from a process until that asks for permission (arch_prctl(2),
// Documentation/arch/x86/xstate.rst).
//
// All headers with inline functions come before the target pragma: a copy of theirs compiled for
// this instruction set could otherwise be the one the linker keeps for everybody.
#if defined(__x86_64__)
#include <cmath>
#include <cpuid.h>
#include <cstring>
#include <immintrin.h>
#include <limits>
#include <sys/syscall.h>
#include <unistd.h>

#include "kernels/cpu/attention_scratch.h"
#include "kernels/cpu/isa.h"
#include "libcore/runtime/math.h"

#ifdef __clang__
#pragma clang attribute push(__attribute__((target("avx2,fma,avx512f,avx512bw,avx512vl"))), \
                             apply_to = function)
#else
// As in isa_avx512.cc.
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC target("avx2,fma,avx512f,avx512bw,avx512vl")
#endif

#include "kernels/cpu/avx512_vector.h"
#include "kernels/cpu/avx512f_vector.h"
#include "kernels/cpu/kernel_table.h"
#include "kernels/cpu/tile_kernel.h"

namespace nemo::cpu {
namespace {

// In assembler, since the intrinsics want a literal for the tile's number.
struct AmxTiles {
  static void Configure(const TileConfig& config) { asm volatile("ldtilecfg %0" : : "m"(config)); }
  template <int kTile>
  static void Zero() {
    asm volatile("tilezero %%tmm%c0" : : "i"(kTile));
  }
  template <int kTile>
  static void Load(const void* from, int64_t stride_bytes) {
    asm volatile("tileloadd (%0,%1,1), %%tmm%c2"
                 :
                 : "r"(from), "r"(stride_bytes), "i"(kTile)
                 : "memory");
  }
  template <int kTile>
  static void Store(void* to, int64_t stride_bytes) {
    asm volatile("tilestored %%tmm%c2, (%0,%1,1)"
                 :
                 : "r"(to), "r"(stride_bytes), "i"(kTile)
                 : "memory");
  }
  template <int kSumsTile, int kA, int kB>
  static void Dot() {
    asm volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" : : "i"(kSumsTile), "i"(kA), "i"(kB));
  }
};

void TilePanel(const PanelTask& task) {
  Panel<Avx512f, TileLeaf<AmxTiles>>(task);
  // The state of unused tiles need not be saved when another thread gets the core.
  asm volatile("tilerelease");
}

/// CPUID leaf 7: the processor has tiles and their bf16 product. XCR0: the system saves them.
bool ProcessorHasTiles() {
  constexpr unsigned kBf16 = 1u << 22, kTiles = 1u << 24;  // EDX
  constexpr unsigned kOsxsave = 1u << 27;                  // leaf 1, ECX
  constexpr unsigned kTileState = 3u << 17;                // XCR0: configuration and data
  unsigned eax, ebx, ecx, edx;
  if (__get_cpuid(1, &eax, &ebx, &ecx, &edx) == 0 || (ecx & kOsxsave) == 0) return false;
  if (__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) == 0) return false;
  if ((edx & kBf16) == 0 || (edx & kTiles) == 0) return false;
  unsigned low, high;
  asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (low & kTileState) == kTileState;
}

/// Asks the kernel for tiles, for this and all later threads of the process.
bool KernelPermitsTiles() {
#if defined(__linux__)
  constexpr int kRequestPermission = 0x1023;  // ARCH_REQ_XCOMP_PERM
  constexpr int kTileData = 18;
  return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
#else
  return false;
#endif
}

bool HasAmx() { return HasAvx512() && ProcessorHasTiles() && KernelPermitsTiles(); }

constexpr IsaKernels TileKernels() {
  IsaKernels kernels = KernelsOf<Avx512f>("amx", HasAmx);
  kernels.block_rows = 1;
  kernels.pair_bytes = sizeof(uint32_t);
  kernels.panel = TilePanel;
  return kernels;
}

}  // namespace

constinit const IsaKernels kAmxKernels = TileKernels();

}  // namespace nemo::cpu

#ifdef __clang__
#pragma clang attribute pop
#endif
#endif  // __x86_64__
