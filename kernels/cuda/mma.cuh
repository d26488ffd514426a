// What the fast kernels are made of: the bf16 tensor-core product of a warp, loads of its operands
// from shared memory, and copies to shared memory that go on while threads compute (PTX ISA: mma,
// ldmatrix, cp.async). Everything is there from sm_80 on.
//
// m16n8k16: c[16, 8] += a[16, 16] b[16, 8]. With g = lane / 4 and q = lane % 4 a lane has
//   a: rows g, g + 8, g, g + 8; columns 2q, 2q + 1 (registers 0, 1) and 2q + 8, 2q + 9 (2, 3)
//   b: rows 2q, 2q + 1 (register 0) and 2q + 8, 2q + 9 (1); column g
//   c: row g, columns 2q, 2q + 1 (0, 1); row g + 8 (2, 3)
// How a sum of 16 products is rounded is the hardware's affair, but it is the same for every row
// and column: an element of c does not depend on its neighbours.
#pragma once

#include <cstdint>

#include <cuda_runtime.h>

#include "libcore/tensor/dtype.h"

namespace nemo::cuda {

inline constexpr int kWarp = 32;

#ifdef NEMO_SIMT_EMULATOR

inline void Mma(float (&c)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
  simt::Mma(c, a, b);
}
inline void LoadMatrices(uint32_t (&r)[4], const BF16* row) { simt::LoadMatrices(r, row, false); }
inline void LoadMatricesTransposed(uint32_t (&r)[4], const BF16* row) {
  simt::LoadMatrices(r, row, true);
}
inline void CopyAsync(void* shared, const void* global, bool is_there) {
  simt::CopyLater(shared, global, is_there ? 16 : 0);
}
inline void CommitCopies() { simt::CommitCopies(); }
template <int kPending>
void WaitCopies() {
  simt::WaitCopies(kPending);
}

#else

__device__ inline uint32_t SharedAddress(const void* pointer) {
  return static_cast<uint32_t>(__cvta_generic_to_shared(pointer));
}

/// c += a b.
__device__ inline void Mma(float (&c)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, "
      "{%8, %9}, {%0, %1, %2, %3};\n"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

/// Four matrices of 8 rows of 16 bytes; lane i names row i % 8 of matrix i / 8. Register j: row g,
/// elements 2q and 2q + 1 of matrix j.
__device__ inline void LoadMatrices(uint32_t (&r)[4], const BF16* row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];\n"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(SharedAddress(row))
               : "memory");
}

/// The same with each matrix transposed: register j has rows 2q and 2q + 1, column g of matrix j.
__device__ inline void LoadMatricesTransposed(uint32_t (&r)[4], const BF16* row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];\n"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(SharedAddress(row))
               : "memory");
}

/// 16 bytes from global to shared memory, both aligned to them; zeros unless `is_there` (`global`
/// must be an address all the same). Done when waited for, and seen by others after a barrier.
__device__ inline void CopyAsync(void* shared, const void* global, bool is_there) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;\n" ::"r"(SharedAddress(shared)),
               "l"(global), "r"(is_there ? 16 : 0)
               : "memory");
}

/// Closes a group of copies.
__device__ inline void CommitCopies() { asm volatile("cp.async.commit_group;\n" ::: "memory"); }

/// Waits for all groups of this thread but the newest kPending.
template <int kPending>
__device__ inline void WaitCopies() {
  asm volatile("cp.async.wait_group %0;\n" ::"n"(kPending) : "memory");
}

#endif

/// Two bf16 in a register, `low` at the lower address.
__device__ inline uint32_t PackPair(float low, float high) {
  return static_cast<uint32_t>(BF16FromFloat(low)) | static_cast<uint32_t>(BF16FromFloat(high))
                                                         << 16;
}

}  // namespace nemo::cuda
