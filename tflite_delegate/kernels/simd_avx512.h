// Vectors of 16 floats: AVX-512 (F, DQ, VL, BW).
//
// Every simd_*.h has the same functions. `Spread<n>` puts n weights into lanes o·G + g,
// `Repeat<G>` puts G inputs there.

#ifndef ONEXN_KERNELS_SIMD_AVX512_H_
#define ONEXN_KERNELS_SIMD_AVX512_H_

#include <immintrin.h>
#include <stdint.h>

namespace onexn {
namespace ONEXN_ISA {

constexpr int kLanes = 16;
using Vector = __m512;

inline Vector Load(const float* from) { return _mm512_loadu_ps(from); }
inline void Store(float* to, Vector v) { _mm512_storeu_ps(to, v); }
// Keeps a value in a register: compilers would load it again for each use.
inline void Pin(Vector& v) { __asm__("" : "+v"(v)); }
inline Vector Broadcast(float x) { return _mm512_set1_ps(x); }
inline Vector MultiplyAdd(Vector a, Vector b, Vector c) {
  return _mm512_fmadd_ps(a, b, c);
}
inline Vector Add(Vector a, Vector b) { return _mm512_add_ps(a, b); }
inline Vector Multiply(Vector a, Vector b) { return _mm512_mul_ps(a, b); }
// the second operand is returned where one is NaN
inline Vector Clamp(Vector v, Vector low, Vector high) {
  return _mm512_min_ps(high, _mm512_max_ps(low, v));
}
inline Vector LoadPartial(const float* from, int count) {
  return _mm512_maskz_loadu_ps(static_cast<__mmask16>((1u << count) - 1), from);
}
inline void StorePartial(float* to, Vector v, int count) {
  _mm512_mask_storeu_ps(to, static_cast<__mmask16>((1u << count) - 1), v);
}

}  // namespace ONEXN_ISA
}  // namespace onexn

#include "through_memory.h"

namespace onexn {
namespace ONEXN_ISA {

template <int kGroup>
inline Vector Repeat(const float* from) {
  if constexpr (kGroup == 1) return _mm512_set1_ps(*from);
  if constexpr (kGroup == 2) {
    return _mm512_castpd_ps(
        _mm512_broadcastsd_pd(_mm_load_sd(reinterpret_cast<const double*>(from))));
  }
  if constexpr (kGroup == 4) return _mm512_broadcast_f32x4(_mm_loadu_ps(from));
  if constexpr (kGroup == 8) return _mm512_broadcast_f32x8(_mm256_loadu_ps(from));
  if constexpr (kGroup == 16) return _mm512_loadu_ps(from);
}

template <int kWidth>
inline Vector Spread(const float* from) {
  if constexpr (kWidth == 1) return _mm512_set1_ps(*from);
  if constexpr (kWidth == 2) {
    const __m128 two =
        _mm_castpd_ps(_mm_load_sd(reinterpret_cast<const double*>(from)));
    return _mm512_permutexvar_ps(
        _mm512_setr_epi32(0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1),
        _mm512_castps128_ps512(two));
  }
  if constexpr (kWidth == 4) {
    return _mm512_permutexvar_ps(
        _mm512_setr_epi32(0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3),
        _mm512_castps128_ps512(_mm_loadu_ps(from)));
  }
  if constexpr (kWidth == 8) {
    return _mm512_permutexvar_ps(
        _mm512_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7),
        _mm512_castps256_ps512(_mm256_loadu_ps(from)));
  }
  if constexpr (kWidth >= 16) return _mm512_loadu_ps(from);
}

// Lanes o·G + g become lanes g·n + o: the pixels one after the other.
template <int kWidth>
inline Vector ToPixels(Vector v) {
  if constexpr (kWidth == 2) {
    return _mm512_permutexvar_ps(
        _mm512_setr_epi32(0, 8, 1, 9, 2, 10, 3, 11, 4, 12, 5, 13, 6, 14, 7, 15), v);
  }
  if constexpr (kWidth == 4) {
    return _mm512_permutexvar_ps(
        _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15), v);
  }
  if constexpr (kWidth == 8) {
    return _mm512_permutexvar_ps(
        _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 1, 3, 5, 7, 9, 11, 13, 15), v);
  }
  return v;
}

// Writes n lanes after the other to a place each.
template <int kWidth>
inline void Scatter(Vector v, float* const* to, int64_t offset) {
  if constexpr (kWidth == 8) {
    _mm256_storeu_ps(to[0] + offset, _mm512_castps512_ps256(v));
    _mm256_storeu_ps(to[1] + offset, _mm512_extractf32x8_ps(v, 1));
  } else if constexpr (kWidth == 4) {
    _mm_storeu_ps(to[0] + offset, _mm512_castps512_ps128(v));
    _mm_storeu_ps(to[1] + offset, _mm512_extractf32x4_ps(v, 1));
    _mm_storeu_ps(to[2] + offset, _mm512_extractf32x4_ps(v, 2));
    _mm_storeu_ps(to[3] + offset, _mm512_extractf32x4_ps(v, 3));
  } else {
    ScatterThroughMemory<kWidth>(v, to, offset);
  }
}

// Reads n lanes after the other from a place each.
template <int kWidth>
inline Vector Gather(const float* const* from, int64_t offset) {
  if constexpr (kWidth == 8) {
    return _mm512_insertf32x8(_mm512_castps256_ps512(_mm256_loadu_ps(from[0] + offset)),
                              _mm256_loadu_ps(from[1] + offset), 1);
  } else if constexpr (kWidth == 4) {
    __m512 v = _mm512_castps128_ps512(_mm_loadu_ps(from[0] + offset));
    v = _mm512_insertf32x4(v, _mm_loadu_ps(from[1] + offset), 1);
    v = _mm512_insertf32x4(v, _mm_loadu_ps(from[2] + offset), 2);
    return _mm512_insertf32x4(v, _mm_loadu_ps(from[3] + offset), 3);
  } else {
    return GatherThroughMemory<kWidth>(from, offset);
  }
}

// u0 v0 u1 v1 … of the lower and of the upper halves.
inline void Zip(Vector u, Vector v, Vector* low, Vector* high) {
  *low = _mm512_permutex2var_ps(
      u, _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23), v);
  *high = _mm512_permutex2var_ps(
      u,
      _mm512_setr_epi32(8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31),
      v);
}

// Rows of 16 become columns.
inline void Transpose(const Vector* rows, Vector* columns) {
  __m512 pairs[16], quads[16], halves[16];
  for (int i = 0; i < 16; i += 2) {
    pairs[i] = _mm512_unpacklo_ps(rows[i], rows[i + 1]);
    pairs[i + 1] = _mm512_unpackhi_ps(rows[i], rows[i + 1]);
  }
  // quads[4r + c]: column 4l + c of rows 4r to 4r + 3 in each 128 bits l
  for (int i = 0; i < 16; i += 4) {
    for (int j = 0; j < 2; ++j) {
      const __m512d low = _mm512_castps_pd(pairs[i + j]);
      const __m512d high = _mm512_castps_pd(pairs[i + j + 2]);
      quads[i + 2 * j] = _mm512_castpd_ps(_mm512_unpacklo_pd(low, high));
      quads[i + 2 * j + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(low, high));
    }
  }
  for (int c = 0; c < 4; ++c) {
    halves[c] = _mm512_shuffle_f32x4(quads[c], quads[4 + c], 0x88);
    halves[4 + c] = _mm512_shuffle_f32x4(quads[c], quads[4 + c], 0xdd);
    halves[8 + c] = _mm512_shuffle_f32x4(quads[8 + c], quads[12 + c], 0x88);
    halves[12 + c] = _mm512_shuffle_f32x4(quads[8 + c], quads[12 + c], 0xdd);
  }
  for (int c = 0; c < 4; ++c) {
    columns[c] = _mm512_shuffle_f32x4(halves[c], halves[8 + c], 0x88);
    columns[4 + c] = _mm512_shuffle_f32x4(halves[4 + c], halves[12 + c], 0x88);
    columns[8 + c] = _mm512_shuffle_f32x4(halves[c], halves[8 + c], 0xdd);
    columns[12 + c] = _mm512_shuffle_f32x4(halves[4 + c], halves[12 + c], 0xdd);
  }
}

}  // namespace ONEXN_ISA
}  // namespace onexn

#endif  // ONEXN_KERNELS_SIMD_AVX512_H_
