// Vectors of 8 floats: AVX2 and FMA. See simd_avx512.h.

#ifndef ONEXN_KERNELS_SIMD_AVX2_H_
#define ONEXN_KERNELS_SIMD_AVX2_H_

#include <immintrin.h>
#include <stdint.h>

namespace onexn {
namespace ONEXN_ISA {

constexpr int kLanes = 8;
using Vector = __m256;

inline Vector Load(const float* from) { return _mm256_loadu_ps(from); }
inline void Store(float* to, Vector v) { _mm256_storeu_ps(to, v); }
// Keeps a value in a register: compilers would load it again for each use.
inline void Pin(Vector& v) { __asm__("" : "+x"(v)); }
inline Vector Broadcast(float x) { return _mm256_set1_ps(x); }
inline Vector MultiplyAdd(Vector a, Vector b, Vector c) {
  return _mm256_fmadd_ps(a, b, c);
}
inline Vector Add(Vector a, Vector b) { return _mm256_add_ps(a, b); }
inline Vector Multiply(Vector a, Vector b) { return _mm256_mul_ps(a, b); }
// the second operand is returned where one is NaN
inline Vector Clamp(Vector v, Vector low, Vector high) {
  return _mm256_min_ps(high, _mm256_max_ps(low, v));
}
inline __m256i FirstLanes(int count) {
  static const int32_t kMask[16] = {-1, -1, -1, -1, -1, -1, -1, -1};
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(kMask + kLanes - count));
}
inline Vector LoadPartial(const float* from, int count) {
  return _mm256_maskload_ps(from, FirstLanes(count));
}
inline void StorePartial(float* to, Vector v, int count) {
  _mm256_maskstore_ps(to, FirstLanes(count), v);
}

}  // namespace ONEXN_ISA
}  // namespace onexn

#include "through_memory.h"

namespace onexn {
namespace ONEXN_ISA {

template <int kGroup>
inline Vector Repeat(const float* from) {
  if constexpr (kGroup == 1) return _mm256_broadcast_ss(from);
  if constexpr (kGroup == 2) {
    return _mm256_castpd_ps(_mm256_broadcast_sd(reinterpret_cast<const double*>(from)));
  }
  if constexpr (kGroup == 4) {
    return _mm256_broadcast_ps(reinterpret_cast<const __m128*>(from));
  }
  if constexpr (kGroup == 8) return _mm256_loadu_ps(from);
}

template <int kWidth>
inline Vector Spread(const float* from) {
  if constexpr (kWidth == 1) return _mm256_broadcast_ss(from);
  if constexpr (kWidth == 2) {
    const __m256 two =
        _mm256_castpd_ps(_mm256_broadcast_sd(reinterpret_cast<const double*>(from)));
    return _mm256_permutevar_ps(two, _mm256_setr_epi32(0, 0, 0, 0, 1, 1, 1, 1));
  }
  if constexpr (kWidth == 4) {
    const __m256 four = _mm256_broadcast_ps(reinterpret_cast<const __m128*>(from));
    return _mm256_permutevar_ps(four, _mm256_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3));
  }
  if constexpr (kWidth >= 8) return _mm256_loadu_ps(from);
}

template <int kWidth>
inline Vector ToPixels(Vector v) {
  if constexpr (kWidth == 2) {
    return _mm256_permutevar8x32_ps(v, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
  }
  if constexpr (kWidth == 4) {
    return _mm256_permutevar8x32_ps(v, _mm256_setr_epi32(0, 2, 4, 6, 1, 3, 5, 7));
  }
  return v;
}

// Writes n lanes after the other to a place each.
template <int kWidth>
inline void Scatter(Vector v, float* const* to, int64_t offset) {
  if constexpr (kWidth == 4) {
    _mm_storeu_ps(to[0] + offset, _mm256_castps256_ps128(v));
    _mm_storeu_ps(to[1] + offset, _mm256_extractf128_ps(v, 1));
  } else {
    ScatterThroughMemory<kWidth>(v, to, offset);
  }
}

// Reads n lanes after the other from a place each.
template <int kWidth>
inline Vector Gather(const float* const* from, int64_t offset) {
  if constexpr (kWidth == 4) {
    return _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(from[0] + offset)),
                                _mm_loadu_ps(from[1] + offset), 1);
  } else {
    return GatherThroughMemory<kWidth>(from, offset);
  }
}

inline void Zip(Vector u, Vector v, Vector* low, Vector* high) {
  const Vector even = _mm256_unpacklo_ps(u, v);
  const Vector odd = _mm256_unpackhi_ps(u, v);
  *low = _mm256_permute2f128_ps(even, odd, 0x20);
  *high = _mm256_permute2f128_ps(even, odd, 0x31);
}

// Rows of 8 become columns.
inline void Transpose(const Vector* rows, Vector* columns) {
  __m256 pairs[8], quads[8];
  for (int i = 0; i < 8; i += 2) {
    pairs[i] = _mm256_unpacklo_ps(rows[i], rows[i + 1]);
    pairs[i + 1] = _mm256_unpackhi_ps(rows[i], rows[i + 1]);
  }
  for (int i = 0; i < 8; i += 4) {
    for (int j = 0; j < 2; ++j) {
      quads[i + 2 * j] = _mm256_shuffle_ps(pairs[i + j], pairs[i + j + 2], 0x44);
      quads[i + 2 * j + 1] = _mm256_shuffle_ps(pairs[i + j], pairs[i + j + 2], 0xee);
    }
  }
  for (int c = 0; c < 4; ++c) {
    columns[c] = _mm256_permute2f128_ps(quads[c], quads[4 + c], 0x20);
    columns[4 + c] = _mm256_permute2f128_ps(quads[c], quads[4 + c], 0x31);
  }
}

}  // namespace ONEXN_ISA
}  // namespace onexn

#endif  // ONEXN_KERNELS_SIMD_AVX2_H_
