// Parts of a vector to and from a place each, through memory. Included once per ISA, by
// its simd_*.h, behind Load and Store.

#ifndef ONEXN_KERNELS_THROUGH_MEMORY_H_
#define ONEXN_KERNELS_THROUGH_MEMORY_H_

#include <stdint.h>
#include <string.h>

namespace onexn {
namespace ONEXN_ISA {

template <int kWidth>
inline void ScatterThroughMemory(Vector v, float* const* to, int64_t offset) {
  float values[kLanes];
  Store(values, v);
  for (int i = 0; i < kLanes / kWidth; ++i) {
    memcpy(to[i] + offset, values + i * kWidth, kWidth * sizeof(float));
  }
}

template <int kWidth>
inline Vector GatherThroughMemory(const float* const* from, int64_t offset) {
  float values[kLanes];
  for (int i = 0; i < kLanes / kWidth; ++i) {
    memcpy(values + i * kWidth, from[i] + offset, kWidth * sizeof(float));
  }
  return Load(values);
}

}  // namespace ONEXN_ISA
}  // namespace onexn

#endif  // ONEXN_KERNELS_THROUGH_MEMORY_H_
