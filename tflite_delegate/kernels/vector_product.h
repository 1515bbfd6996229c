// The product of one pixel with a 1×n kernel. Included once per ISA, after its
// simd_*.h.

#ifndef ONEXN_KERNELS_VECTOR_PRODUCT_H_
#define ONEXN_KERNELS_VECTOR_PRODUCT_H_

#include <string.h>

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

// The outputs of a row; compilers make as many vectors of it as it takes.
template <int kWidth>
struct Outputs {
  typedef float Type __attribute__((vector_size(kWidth * sizeof(float))));

  static inline void Add(const float* weights, float x, Type* sums) {
    Type row;
    memcpy(&row, weights, sizeof(row));
    *sums += row * x;
  }
};

template <int kWidth>
void MultiplyVectorWidth(const VectorTask& task) {
  constexpr int kSums = 4;  // in flight, to hide the latency of a multiply-add
  using Row = Outputs<kWidth>;
  const PackedKernel& kernel = *task.kernel;
  for (int r = task.first_row; r < task.last_row; ++r) {
    typename Row::Type sums[kSums] = {};
    const float* weights = kernel.rows[r].data;
    const int32_t* offset = kernel.offsets + kernel.rows[r].begin;
    const int32_t* end = kernel.offsets + kernel.rows[r].end;
    for (; offset + kSums <= end; offset += kSums) {
      ONEXN_UNROLL
      for (int u = 0; u < kSums; ++u, weights += kernel.stride) {
        __builtin_prefetch(weights + kPrefetch);
        Row::Add(weights, task.input[offset[u]], &sums[u]);
      }
    }
    for (; offset < end; ++offset, weights += kernel.stride) {
      Row::Add(weights, task.input[*offset], &sums[0]);
    }
    const int channel = r * kWidth;
    const typename Row::Type sum = sums[0] + sums[1] + (sums[2] + sums[3]);
    for (int o = 0; o < kWidth && channel + o < kernel.channels; ++o) {
      float y = ActivateOne(kernel.bias[channel + o] + sum[o], kernel.activation);
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
