// Blocks times the gate of their input. Included once per ISA, after its simd_*.h.

#ifndef ONEXN_KERNELS_SCALE_H_
#define ONEXN_KERNELS_SCALE_H_

#include "kernels.h"

namespace onexn {
namespace ONEXN_ISA {

template <int kWidth>
void ScaleWidth(const ScaleTask& task, int n) {
  const float* from = task.data;
  float* to = task.scaled;
  for (int z = 0; z < task.blocks; ++z) {
    const float scale = task.scales[task.indices[z]];
    for (int part = 0; part < n; part += kWidth, from += kWidth, to += kWidth) {
      for (int o = 0; o < kWidth; ++o) to[o] = from[o] * scale;
    }
  }
}

inline void Scale(const ScaleTask& task) {
  if (task.n % 16 == 0) return ScaleWidth<16>(task, task.n);
  switch (task.n) {
    case 8:
      return ScaleWidth<8>(task, 8);
    case 4:
      return ScaleWidth<4>(task, 4);
    default:
      return ScaleWidth<1>(task, task.n);
  }
}

}  // namespace ONEXN_ISA
}  // namespace onexn

#endif  // ONEXN_KERNELS_SCALE_H_
