// The product of one pixel with a 1×n kernel. Included once per ISA, after its
// simd_*.h.

#ifndef ONEXN_KERNELS_VECTOR_PRODUCT_H_
#define ONEXN_KERNELS_VECTOR_PRODUCT_H_

#include "kernels.h"

namespace onexn {
namespace ONEXN_ISA {

inline float ActivateOne(float x, const Activation& activation) {
  if (activation.hard_swish) {
    float gate = x + 3.0f;
    gate = gate < 0.0f ? 0.0f : gate;
    gate = gate > 6.0f ? 6.0f : gate;
    return x * (1.0f / 6.0f) * gate;
  }
  x = x < activation.low ? activation.low : x;
  return x > activation.high ? activation.high : x;
}

template <int kWidth>
void MultiplyVectorWidth(const VectorTask& task) {
  constexpr int kUnroll = 4;  // sums in flight
  const PackedKernel& kernel = *task.kernel;
  for (int r = task.first_row; r < task.last_row; ++r) {
    float sums[kUnroll][kWidth] = {};
    const float* weights = kernel.rows[r].data;
    const int32_t* offset = kernel.offsets + kernel.rows[r].begin;
    const int32_t* end = kernel.offsets + kernel.rows[r].end;
    for (; offset + kUnroll <= end; offset += kUnroll) {
      for (int u = 0; u < kUnroll; ++u, weights += kernel.stride) {
        const float x = task.input[offset[u]];
        for (int o = 0; o < kWidth; ++o) sums[u][o] += weights[o] * x;
      }
    }
    for (; offset < end; ++offset, weights += kernel.stride) {
      const float x = task.input[*offset];
      for (int o = 0; o < kWidth; ++o) sums[0][o] += weights[o] * x;
    }
    const int channel = r * kWidth;
    for (int o = 0; o < kWidth && channel + o < kernel.channels; ++o) {
      const float sum = sums[0][o] + sums[1][o] + (sums[2][o] + sums[3][o]);
      float y = ActivateOne(kernel.bias[channel + o] + sum, kernel.activation);
      if (task.residual != nullptr) y += task.residual[channel + o];
      task.output[channel + o] = y;
    }
  }
}

inline void MultiplyVector(const VectorTask& task) {
  switch (task.kernel->width) {
    case 1:
      return MultiplyVectorWidth<1>(task);
    case 2:
      return MultiplyVectorWidth<2>(task);
    case 4:
      return MultiplyVectorWidth<4>(task);
    case 8:
      return MultiplyVectorWidth<8>(task);
    default:
      return MultiplyVectorWidth<16>(task);
  }
}

}  // namespace ONEXN_ISA
}  // namespace onexn

#endif  // ONEXN_KERNELS_VECTOR_PRODUCT_H_
