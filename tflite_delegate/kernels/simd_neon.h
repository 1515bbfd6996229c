// Vectors of 4 floats: NEON with fused multiply-add, 64 and 32 bits. See simd_avx512.h.

#ifndef ONEXN_KERNELS_SIMD_NEON_H_
#define ONEXN_KERNELS_SIMD_NEON_H_

#include <arm_neon.h>

namespace onexn {
namespace ONEXN_ISA {

constexpr int kLanes = 4;
using Vector = float32x4_t;

inline Vector Load(const float* from) { return vld1q_f32(from); }
inline void Store(float* to, Vector v) { vst1q_f32(to, v); }
// Keeps a value in a register: compilers would load it again for each use.
inline void Pin(Vector& v) { __asm__("" : "+w"(v)); }
inline Vector Broadcast(float x) { return vdupq_n_f32(x); }
inline Vector MultiplyAdd(Vector a, Vector b, Vector c) { return vfmaq_f32(c, a, b); }
inline Vector Add(Vector a, Vector b) { return vaddq_f32(a, b); }
inline Vector Multiply(Vector a, Vector b) { return vmulq_f32(a, b); }
// NaN stays NaN
inline Vector Clamp(Vector v, Vector low, Vector high) {
  return vminq_f32(high, vmaxq_f32(low, v));
}

template <int kGroup>
inline Vector Repeat(const float* from) {
  if constexpr (kGroup == 1) return vld1q_dup_f32(from);
  if constexpr (kGroup == 2) {
    const float32x2_t two = vld1_f32(from);
    return vcombine_f32(two, two);
  }
  if constexpr (kGroup == 4) return vld1q_f32(from);
}

template <int kWidth>
inline Vector Spread(const float* from) {
  if constexpr (kWidth == 1) return vld1q_dup_f32(from);
  if constexpr (kWidth == 2) {
    return vcombine_f32(vld1_dup_f32(from), vld1_dup_f32(from + 1));
  }
  if constexpr (kWidth >= 4) return vld1q_f32(from);
}

template <int kWidth>
inline Vector ToPixels(Vector v) {
  if constexpr (kWidth == 2) {
    const float32x2x2_t pairs = vzip_f32(vget_low_f32(v), vget_high_f32(v));
    return vcombine_f32(pairs.val[0], pairs.val[1]);
  }
  return v;
}

inline void Zip(Vector u, Vector v, Vector* low, Vector* high) {
  const float32x4x2_t zipped = vzipq_f32(u, v);
  *low = zipped.val[0];
  *high = zipped.val[1];
}

}  // namespace ONEXN_ISA
}  // namespace onexn

#include "four_lanes.h"

#endif  // ONEXN_KERNELS_SIMD_NEON_H_
