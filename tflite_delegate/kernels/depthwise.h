// Depthwise convolutions of 16 channels. Included once per ISA, after its simd_*.h.
//
// Some outputs of a row stay in registers; each input that is loaded serves all of them
// that it belongs to.

#ifndef ONEXN_KERNELS_DEPTHWISE_H_
#define ONEXN_KERNELS_DEPTHWISE_H_

#include "kernels.h"
#include "product.h"

namespace onexn {
namespace ONEXN_ISA {

constexpr int kMaxOutputs = kRegisters == 32 ? 14 : 6;

template <int kWidth, int kStride, int kOutputs>
inline void DepthwiseTile(const DepthwiseTask& task, const float* const* rows,
                          int64_t column, float* output) {
  const Vector low = Broadcast(task.activation.low);
  const Vector high = Broadcast(task.activation.high);
  for (int v = 0; v < kChunk; v += kLanes) {
    Vector sums[kOutputs];
    const Vector bias = Load(task.bias + v);
    ONEXN_UNROLL
    for (int o = 0; o < kOutputs; ++o) sums[o] = bias;
    const float* weights = task.weights + v;
    ONEXN_UNROLL
    for (int y = 0; y < kWidth; ++y) {
      const float* row = rows[y] + column + v;
      Vector taps[kWidth];
      ONEXN_UNROLL
      for (int x = 0; x < kWidth; ++x) taps[x] = Load(weights + x * kChunk);
      ONEXN_UNROLL
      for (int c = 0; c < (kOutputs - 1) * kStride + kWidth; ++c) {
        Vector value = Load(row + c * kChunk);
        Pin(value);
        ONEXN_UNROLL
        for (int o = 0; o < kOutputs; ++o) {
          const int x = c - o * kStride;
          if (x >= 0 && x < kWidth) sums[o] = MultiplyAdd(value, taps[x], sums[o]);
        }
      }
      weights += kWidth * kChunk;
    }
    float* to = output + v;
    if (task.activation.hard_swish) {
      ONEXN_UNROLL
      for (int o = 0; o < kOutputs; ++o) {
        Store(to + o * kChunk, Activate<true>(sums[o], low, high));
      }
    } else {
      ONEXN_UNROLL
      for (int o = 0; o < kOutputs; ++o) {
        Store(to + o * kChunk, Activate<false>(sums[o], low, high));
      }
    }
  }
}

template <int kWidth, int kStride, int kOutputs>
inline void DepthwiseTileOf(const DepthwiseTask& task, const float* const* rows,
                            int64_t column, float* output, int outputs) {
  if (outputs == kOutputs) {
    DepthwiseTile<kWidth, kStride, kOutputs>(task, rows, column, output);
  } else if constexpr (kOutputs > 1) {
    DepthwiseTileOf<kWidth, kStride, kOutputs - 1>(task, rows, column, output, outputs);
  }
}

template <int kWidth, int kStride>
void DepthwiseRows(const DepthwiseTask& task) {
  float* output = task.output;
  for (int y = 0; y < task.rows; ++y) {
    const float* const* rows = task.input_rows + y * task.stride_y;
    int64_t column = 0;
    int columns = task.columns;
    for (int tiles = (columns + kMaxOutputs - 1) / kMaxOutputs; tiles > 0; --tiles) {
      const int here = (columns + tiles - 1) / tiles;
      DepthwiseTileOf<kWidth, kStride, kMaxOutputs>(task, rows, column, output, here);
      columns -= here;
      column += here * kStride * kChunk;
      output += here * kChunk;
    }
  }
}

// Windows and strides without a tile of their own.
inline void DepthwiseAny(const DepthwiseTask& task) {
  const Vector low = Broadcast(task.activation.low);
  const Vector high = Broadcast(task.activation.high);
  float* output = task.output;
  for (int y = 0; y < task.rows; ++y) {
    for (int x = 0; x < task.columns; ++x, output += kChunk) {
      const float* const* rows = task.input_rows + y * task.stride_y;
      const int64_t column = int64_t{1} * x * task.stride_x * kChunk;
      for (int v = 0; v < kChunk; v += kLanes) {
        Vector sum = Load(task.bias + v);
        const float* weights = task.weights + v;
        for (int i = 0; i < task.height; ++i) {
          for (int j = 0; j < task.width; ++j, weights += kChunk) {
            sum = MultiplyAdd(Load(rows[i] + column + j * kChunk + v), Load(weights),
                              sum);
          }
        }
        Store(output + v, task.activation.hard_swish ? Activate<true>(sum, low, high)
                                                     : Activate<false>(sum, low, high));
      }
    }
  }
}

inline void ConvolveDepthwise(const DepthwiseTask& task) {
  if (task.height != task.width) return DepthwiseAny(task);
  if (task.width == 3 && task.stride_x == 1) return DepthwiseRows<3, 1>(task);
  if (task.width == 3 && task.stride_x == 2) return DepthwiseRows<3, 2>(task);
  if (task.width == 5 && task.stride_x == 1) return DepthwiseRows<5, 1>(task);
  if (task.width == 5 && task.stride_x == 2) return DepthwiseRows<5, 2>(task);
  DepthwiseAny(task);
}

}  // namespace ONEXN_ISA
}  // namespace onexn

#endif  // ONEXN_KERNELS_DEPTHWISE_H_
