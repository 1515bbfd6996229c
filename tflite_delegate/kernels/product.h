// The product of a panel with a 1×n kernel. Included once per ISA, after its simd_*.h.
//
// A tile is a few groups of pixels; its sums stay in registers while the blocks of a
// block row go by. Per block: one load of n weights, and one of its input for each
// group.

#ifndef ONEXN_KERNELS_PRODUCT_H_
#define ONEXN_KERNELS_PRODUCT_H_

#include <string.h>

#include "interleave.h"
#include "kernels.h"

namespace onexn {
namespace ONEXN_ISA {

// How rows of some width fill vectors of sums, group by group of pixels.
//
// Rows as wide as a vector or wider: one pixel, n outputs in n/lanes vectors. Narrower
// ones: lanes/n pixels share a vector. The narrowest are planar: a vector has one
// output of as many pixels as it has lanes, since repeating few pixels costs more than
// transposing them once.
template <int kWidth>
struct Lanes {
  static constexpr bool kPlanar = kWidth <= kPlanarWidth;
  static constexpr int kVectors = kPlanar           ? kWidth
                                  : kWidth > kLanes ? kWidth / kLanes
                                                    : 1;
  static constexpr int kGroup = kPlanar           ? kLanes
                                : kWidth < kLanes ? kLanes / kWidth
                                                  : 1;
  // registers for sums: not those for a block's weights, an input and two bounds
  static constexpr int kMaxTile = MaxTile(kRegisters, kVectors);

  // Weights or biases v of a row, in the lanes where they belong.
  static Vector Lay(const float* from, int v) {
    if constexpr (kPlanar) return Broadcast(from[v]);
    return Spread<kWidth>(from + v * kLanes);
  }
};

template <bool kHardSwish>
inline Vector Activate(Vector v, Vector low, Vector high) {
  if constexpr (!kHardSwish) return Clamp(v, low, high);
  const Vector gate = Clamp(Add(v, Broadcast(3.0f)), Broadcast(0.0f), Broadcast(6.0f));
  return Multiply(Multiply(v, Broadcast(1.0f / 6.0f)), gate);
}

// Writes the outputs of pixels, [pixels, n], where something is added or some of a
// group are not there. Not inlined: it is rare.
__attribute__((noinline)) inline void StorePixels(const float* from, int width,
                                                  float* const* to,
                                                  const float* const* residual,
                                                  int64_t channel, int pixels) {
  for (int p = 0; p < pixels; ++p, from += width) {
    float* at = to[p] + channel;
    for (int o = 0; o < width; ++o) {
      at[o] = residual == nullptr ? from[o] : from[o] + residual[p][channel + o];
    }
  }
}

// Writes the outputs of a group of pixels, [pixels, n] in lanes, to where each goes.
template <int kWidth>
inline void StoreGroup(const Vector* outputs, float* const* to,
                       const float* const* residual, int64_t channel, int pixels) {
  using Shape = Lanes<kWidth>;
  constexpr int kPixelsPerVector = kLanes / kWidth;
  // the narrowest rows read too many places to do it in line
  constexpr bool kGathers = kWidth >= 4;
  if ((kGathers || residual == nullptr) && pixels >= Shape::kGroup) {
    ONEXN_UNROLL
    for (int v = 0; v < Shape::kVectors; ++v) {
      Vector output = outputs[v];
      if constexpr (kGathers) {
        if (residual != nullptr) {
          output =
              Add(output, Gather<kWidth>(residual + v * kPixelsPerVector, channel));
        }
      }
      Scatter<kWidth>(output, to + v * kPixelsPerVector, channel);
    }
    return;
  }
  float values[Shape::kGroup * kWidth];
  ONEXN_UNROLL
  for (int v = 0; v < Shape::kVectors; ++v) Store(values + v * kLanes, outputs[v]);
  StorePixels(values, kWidth, to, residual, channel,
              pixels < Shape::kGroup ? pixels : Shape::kGroup);
}

// A row of blocks has gone by: activates its sums and writes them.
template <int kWidth, int kTile, bool kHardSwish>
inline void Finish(const Vector (&sums)[kTile][Lanes<kWidth>::kVectors], Vector low,
                   Vector high, float* const* to, const float* const* residual,
                   int64_t channel, int pixels, int channels) {
  using Shape = Lanes<kWidth>;
  ONEXN_UNROLL
  for (int i = 0; i < kTile; ++i) {
    Vector outputs[Shape::kVectors];
    ONEXN_UNROLL
    for (int v = 0; v < Shape::kVectors; ++v) {
      outputs[v] = Activate<kHardSwish>(sums[i][v], low, high);
    }
    if constexpr (Shape::kGroup == 1) {
      ONEXN_UNROLL
      for (int v = 0; v < Shape::kVectors; ++v) {
        const int64_t at = channel + v * kLanes;
        const int there = channels - v * kLanes;
        if (there < kLanes) {  // of the last row, joined of too few
          if (there <= 0) continue;
          if (residual != nullptr) {
            outputs[v] = Add(outputs[v], LoadPartial(residual[i] + at, there));
          }
          StorePartial(to[i] + at, outputs[v], there);
          continue;
        }
        if (residual != nullptr) outputs[v] = Add(outputs[v], Load(residual[i] + at));
        Store(to[i] + at, outputs[v]);
      }
    } else {
      Vector by_pixel[Shape::kVectors];
      if constexpr (Shape::kPlanar) {
        Interleave<kWidth>(outputs, 1, by_pixel);
      } else {
        by_pixel[0] = ToPixels<kWidth>(outputs[0]);
      }
      const int first = i * Shape::kGroup;
      StoreGroup<kWidth>(by_pixel, to + first,
                         residual != nullptr ? residual + first : nullptr, channel,
                         pixels - first);
    }
  }
}

// Where the pixels of a tile go, and what is added to them.
template <int kPixels>
struct Destination {
  float* to[kPixels];
  const float* residual[kPixels];

  void Find(const ProductTask& task, int pixel, int pixels) {
    const int32_t* positions =
        task.positions != nullptr ? task.positions + pixel : nullptr;
    const bool in_a_row = positions != nullptr &&
                          positions[pixels - 1] - positions[0] == (pixels - 1) * kChunk;
    if (positions != nullptr && !in_a_row) {
      for (int p = 0; p < pixels; ++p) to[p] = task.output + positions[p];
    } else {
      const int64_t pitch = in_a_row ? kChunk : task.pitch;
      float* first = task.output + (in_a_row ? positions[0] : pitch * pixel);
      for (int p = 0; p < pixels; ++p) to[p] = first + pitch * p;
    }
    if (task.residual == nullptr) return;
    const float* first = task.residual + task.pitch * pixel;
    for (int p = 0; p < pixels; ++p) residual[p] = first + task.pitch * p;
  }
};

// Not inlined, so that the compiler does not unfold the destination as well.
template <int kWidth, int kTile, bool kChunked>
__attribute__((noinline)) void MultiplyTile(const ProductTask& task, int pixel,
                                            float* const* to,
                                            const float* const* residual) {
  using Shape = Lanes<kWidth>;
  constexpr int kVectors = Shape::kVectors, kGroup = Shape::kGroup;
  constexpr int kPixels = kTile * kGroup;
  constexpr int kStep = kChunked ? kChunk : kGroup;  // from group to group
  const PackedKernel& kernel = *task.kernel;
  const float* tile =
      task.panel + (kChunked ? int64_t{1} * pixel * kChunk
                             : pixel / task.layout.tile * task.layout.pitch);
  const int pixels =
      task.last_pixel - pixel < kPixels ? task.last_pixel - pixel : kPixels;

  const Vector low = Broadcast(kernel.activation.low);
  const Vector high = Broadcast(kernel.activation.high);
  for (int r = task.first_row; r < task.last_row; ++r) {
    Vector sums[kTile][kVectors];
    ONEXN_UNROLL
    for (int v = 0; v < kVectors; ++v) {
      const Vector bias = Shape::Lay(kernel.bias + r * kWidth, v);
      ONEXN_UNROLL
      for (int i = 0; i < kTile; ++i) sums[i][v] = bias;
    }
    const float* weights = kernel.rows[r].data;
    const int32_t* offset = kernel.offsets + kernel.rows[r].begin;
    const int32_t* end = kernel.offsets + kernel.rows[r].end;
    // read one block ahead: the inputs wait for it
    int64_t next = *offset;
    while (offset < end) {
      __builtin_prefetch(weights + kPrefetch);
      const float* input = tile + next;
      next = *++offset;
      Vector block[kVectors];
      ONEXN_UNROLL
      for (int v = 0; v < kVectors; ++v) block[v] = Shape::Lay(weights, v);
      weights += kernel.stride;
      ONEXN_UNROLL
      for (int i = 0; i < kTile; ++i) {
        Vector x = Repeat<kGroup>(input + i * kStep);
        if constexpr (kVectors > 1) Pin(x);
        ONEXN_UNROLL
        for (int v = 0; v < kVectors; ++v) {
          sums[i][v] = MultiplyAdd(x, block[v], sums[i][v]);
        }
      }
    }
    const int64_t channel = int64_t{1} * (r - task.first_row) * kWidth;
    const int channels = kernel.channels - r * kWidth;
    if (kernel.activation.hard_swish) {
      Finish<kWidth, kTile, true>(sums, low, high, to, residual, channel, pixels,
                                  channels);
    } else {
      Finish<kWidth, kTile, false>(sums, low, high, to, residual, channel, pixels,
                                   channels);
    }
  }
}

template <int kWidth, int kTile, bool kChunked>
inline void MultiplyTileOf(const ProductTask& task, int pixel, int groups,
                           float* const* to, const float* const* residual) {
  if (groups == kTile) {
    MultiplyTile<kWidth, kTile, kChunked>(task, pixel, to, residual);
  } else if constexpr (kTile > 1) {
    MultiplyTileOf<kWidth, kTile - 1, kChunked>(task, pixel, groups, to, residual);
  }
}

template <int kWidth, bool kChunked>
void MultiplyWidth(const ProductTask& task) {
  using Shape = Lanes<kWidth>;
  for (int pixel = task.first_pixel; pixel < task.last_pixel;
       pixel += task.layout.tile) {
    const int left = task.last_pixel - pixel;
    const int pixels = left < task.layout.tile ? left : task.layout.tile;
    Destination<Shape::kMaxTile * Shape::kGroup> destination;
    destination.Find(task, pixel, pixels);
    MultiplyTileOf<kWidth, Shape::kMaxTile, kChunked>(
        task, pixel, (pixels + Shape::kGroup - 1) / Shape::kGroup, destination.to,
        task.residual != nullptr ? destination.residual : nullptr);
  }
}

inline void Multiply(const ProductTask& task) {
  switch (task.kernel->width) {
    case 1:
      return MultiplyWidth<1, false>(task);
    case 2:
      return MultiplyWidth<2, false>(task);
    case 4:
      return MultiplyWidth<4, false>(task);
    case 8:
      return MultiplyWidth<8, false>(task);
    default:
      if (task.layout.chunked()) return MultiplyWidth<16, true>(task);
      return MultiplyWidth<16, false>(task);
  }
}

}  // namespace ONEXN_ISA
}  // namespace onexn

#endif  // ONEXN_KERNELS_PRODUCT_H_
