// The product of a panel with a 1×n kernel. Included once per ISA, after its simd_*.h.
//
// A tile is up to kMaxTile groups of pixels; its accumulators stay in registers while
// the blocks of a block row go by. Per block: one load of n weights, spread over the
// pixels of a group, and one broadcast of its input for each group.

#ifndef ONEXN_KERNELS_PRODUCT_H_
#define ONEXN_KERNELS_PRODUCT_H_

#include <string.h>

#include "kernels.h"

namespace onexn {
namespace ONEXN_ISA {

// How rows of some width fill vectors.
template <int kWidth>
struct Lanes {
  static constexpr int kVectors = kWidth > kLanes ? kWidth / kLanes : 1;
  static constexpr int kGroup = kWidth < kLanes ? kLanes / kWidth : 1;
  static constexpr int kMaxTile = kAccumulators / kVectors;
};

inline Vector Activate(Vector v, const Activation& activation, Vector low,
                       Vector high) {
  if (!activation.hard_swish) return Clamp(v, low, high);
  const Vector gate =
      Clamp(Add(v, Broadcast(3.0f)), Broadcast(0.0f), Broadcast(6.0f));
  return Multiply(Multiply(v, Broadcast(1.0f / 6.0f)), gate);
}

// Writes lanes g·n + o to the pixels of a group that are there.
template <int kWidth>
inline void StoreGroup(Vector v, float* const* to, const float* const* residual,
                       int pixels) {
  constexpr int kGroup = Lanes<kWidth>::kGroup;
  alignas(64) float values[kLanes];
  Store(values, ToPixels<kWidth>(v));
  if (residual != nullptr) {
    for (int g = 0; g < kGroup; ++g) {
      if (g >= pixels) break;
      for (int o = 0; o < kWidth; ++o) {
        to[g][o] = values[g * kWidth + o] + residual[g][o];
      }
    }
    return;
  }
  if (pixels >= kGroup) {
    for (int g = 0; g < kGroup; ++g) {
      memcpy(to[g], values + g * kWidth, kWidth * sizeof(float));
    }
    return;
  }
  for (int g = 0; g < pixels; ++g) {
    memcpy(to[g], values + g * kWidth, kWidth * sizeof(float));
  }
}

template <int kWidth, int kTile>
void MultiplyTile(const ProductTask& task, int pixel) {
  using Shape = Lanes<kWidth>;
  constexpr int kVectors = Shape::kVectors, kGroup = Shape::kGroup;
  constexpr int kPixels = kTile * kGroup;
  const PackedKernel& kernel = *task.kernel;
  const float* tile = task.panel + int64_t{1} * pixel * kChunk;
  const int pixels =
      task.last_pixel - pixel < kPixels ? task.last_pixel - pixel : kPixels;

  float* to[kPixels];
  const float* residual[kPixels];
  for (int p = 0; p < pixels; ++p) {
    const int64_t at = task.positions != nullptr ? task.positions[pixel + p]
                                                 : task.pitch * (pixel + p);
    to[p] = task.output + at;
    residual[p] = task.residual != nullptr ? task.residual + at : nullptr;
  }

  const Vector low = Broadcast(kernel.activation.low);
  const Vector high = Broadcast(kernel.activation.high);
  for (int r = task.first_row; r < task.last_row; ++r) {
    const int channel = (r - task.first_row) * kWidth;
    Vector sums[kTile][kVectors];
    for (int v = 0; v < kVectors; ++v) {
      const Vector bias = Spread<kWidth>(kernel.bias + r * kWidth + v * kLanes);
      for (int i = 0; i < kTile; ++i) sums[i][v] = bias;
    }
    const float* weights = kernel.rows[r].data;
    const int32_t* offset = kernel.offsets + kernel.rows[r].begin;
    const int32_t* end = kernel.offsets + kernel.rows[r].end;
    for (; offset < end; ++offset, weights += kernel.stride) {
      const float* input = tile + *offset;
      Vector block[kVectors];
      for (int v = 0; v < kVectors; ++v) {
        block[v] = Spread<kWidth>(weights + v * kLanes);
      }
      for (int i = 0; i < kTile; ++i) {
        const Vector x = Repeat<kGroup>(input + i * kGroup * kChunk);
        for (int v = 0; v < kVectors; ++v) {
          sums[i][v] = MultiplyAdd(x, block[v], sums[i][v]);
        }
      }
    }
    for (int i = 0; i < kTile; ++i) {
      for (int v = 0; v < kVectors; ++v) {
        Vector y = Activate(sums[i][v], kernel.activation, low, high);
        if constexpr (kGroup == 1) {
          const int at = channel + v * kLanes;
          if (task.residual != nullptr) y = Add(y, Load(residual[i] + at));
          Store(to[i] + at, y);
        } else {
          float* group_to[kGroup];
          const float* group_residual[kGroup];
          for (int g = 0; g < kGroup; ++g) {
            group_to[g] = to[i * kGroup + g] + channel;
            group_residual[g] = residual[i * kGroup + g] + channel;
          }
          StoreGroup<kWidth>(y, group_to,
                             task.residual != nullptr ? group_residual : nullptr,
                             pixels - i * kGroup);
        }
      }
    }
  }
}

template <int kWidth, int kTile>
inline void MultiplyTileOf(const ProductTask& task, int pixel, int groups) {
  if (groups == kTile) {
    MultiplyTile<kWidth, kTile>(task, pixel);
  } else if constexpr (kTile > 1) {
    MultiplyTileOf<kWidth, kTile - 1>(task, pixel, groups);
  }
}

template <int kWidth>
void MultiplyWidth(const ProductTask& task) {
  using Shape = Lanes<kWidth>;
  int groups =
      (task.last_pixel - task.first_pixel + Shape::kGroup - 1) / Shape::kGroup;
  int pixel = task.first_pixel;
  // tiles as equal as can be: a short one at the end would wait for its own sums
  for (int tiles = (groups + Shape::kMaxTile - 1) / Shape::kMaxTile; tiles > 0; --tiles) {
    const int here = (groups + tiles - 1) / tiles;
    MultiplyTileOf<kWidth, Shape::kMaxTile>(task, pixel, here);
    groups -= here;
    pixel += here * Shape::kGroup;
  }
}

inline void Multiply(const ProductTask& task) {
  switch (task.kernel->width) {
    case 1:
      return MultiplyWidth<1>(task);
    case 2:
      return MultiplyWidth<2>(task);
    case 4:
      return MultiplyWidth<4>(task);
    case 8:
      return MultiplyWidth<8>(task);
    default:
      return MultiplyWidth<16>(task);
  }
}

}  // namespace ONEXN_ISA
}  // namespace onexn

#endif  // ONEXN_KERNELS_PRODUCT_H_
