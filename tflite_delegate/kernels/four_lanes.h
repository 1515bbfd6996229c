// What vectors of 4 lanes do in the same way on any processor. Included by their
// simd_*.h, behind Load, Store and Zip.

#ifndef ONEXN_KERNELS_FOUR_LANES_H_
#define ONEXN_KERNELS_FOUR_LANES_H_

#include "through_memory.h"

namespace onexn {
namespace ONEXN_ISA {

inline Vector LoadPartial(const float* from, int count) {
  float values[kLanes] = {};
  for (int i = 0; i < count; ++i) values[i] = from[i];
  return Load(values);
}
inline void StorePartial(float* to, Vector v, int count) {
  float values[kLanes];
  Store(values, v);
  for (int i = 0; i < count; ++i) to[i] = values[i];
}

// Writes n lanes after the other to a place each.
template <int kWidth>
inline void Scatter(Vector v, float* const* to, int64_t offset) {
  ScatterThroughMemory<kWidth>(v, to, offset);
}

// Reads n lanes after the other from a place each.
template <int kWidth>
inline Vector Gather(const float* const* from, int64_t offset) {
  return GatherThroughMemory<kWidth>(from, offset);
}

// Rows of 4 become columns.
inline void Transpose(const Vector* rows, Vector* columns) {
  Vector even[2], odd[2];
  Zip(rows[0], rows[2], &even[0], &even[1]);
  Zip(rows[1], rows[3], &odd[0], &odd[1]);
  Zip(even[0], odd[0], &columns[0], &columns[1]);
  Zip(even[1], odd[1], &columns[2], &columns[3]);
}

}  // namespace ONEXN_ISA
}  // namespace onexn

#endif  // ONEXN_KERNELS_FOUR_LANES_H_
