// Vectors of 4 floats through the vector extensions of GCC and Clang, for any
// processor. See simd_avx512.h.

#ifndef ONEXN_KERNELS_SIMD_PORTABLE_H_
#define ONEXN_KERNELS_SIMD_PORTABLE_H_

#include <string.h>

namespace onexn {
namespace ONEXN_ISA {

constexpr int kLanes = 4;
typedef float Vector __attribute__((vector_size(16)));

inline Vector Load(const float* from) {
  Vector v;
  memcpy(&v, from, sizeof(v));
  return v;
}
inline void Store(float* to, Vector v) { memcpy(to, &v, sizeof(v)); }
// Keeps a value in a register: compilers would load it again for each use.
inline void Pin(Vector&) {}
inline Vector Broadcast(float x) { return Vector{x, x, x, x}; }
inline Vector MultiplyAdd(Vector a, Vector b, Vector c) { return a * b + c; }
inline Vector Add(Vector a, Vector b) { return a + b; }
inline Vector Multiply(Vector a, Vector b) { return a * b; }
// NaN stays NaN
inline Vector Clamp(Vector v, Vector low, Vector high) {
  for (int i = 0; i < kLanes; ++i) {
    v[i] = v[i] < low[i] ? low[i] : v[i];
    v[i] = v[i] > high[i] ? high[i] : v[i];
  }
  return v;
}

template <int kGroup>
inline Vector Repeat(const float* from) {
  if constexpr (kGroup == 1) return Broadcast(*from);
  if constexpr (kGroup == 2) return Vector{from[0], from[1], from[0], from[1]};
  if constexpr (kGroup == 4) return Load(from);
}

template <int kWidth>
inline Vector Spread(const float* from) {
  if constexpr (kWidth == 1) return Broadcast(*from);
  if constexpr (kWidth == 2) return Vector{from[0], from[0], from[1], from[1]};
  if constexpr (kWidth >= 4) return Load(from);
}

template <int kWidth>
inline Vector ToPixels(Vector v) {
  if constexpr (kWidth == 2) return Vector{v[0], v[2], v[1], v[3]};
  return v;
}

inline void Zip(Vector u, Vector v, Vector* low, Vector* high) {
  *low = Vector{u[0], v[0], u[1], v[1]};
  *high = Vector{u[2], v[2], u[3], v[3]};
}

}  // namespace ONEXN_ISA
}  // namespace onexn

#include "four_lanes.h"

#endif  // ONEXN_KERNELS_SIMD_PORTABLE_H_
