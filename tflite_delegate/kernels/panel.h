// Brings feature maps into panels. Included once per ISA, after its simd_*.h.

#ifndef ONEXN_KERNELS_PANEL_H_
#define ONEXN_KERNELS_PANEL_H_

#include "kernels.h"

namespace onexn {
namespace ONEXN_ISA {

inline const float* Source(const PackTask& task, int pixel) {
  if (pixel >= task.pixels) return nullptr;
  if (task.offsets == nullptr) return task.input + pixel * task.pitch;
  return task.offsets[pixel] < 0 ? nullptr : task.input + task.offsets[pixel];
}

inline Vector LoadChannels(const float* from, int channels) {
  if (from == nullptr || channels <= 0) return Broadcast(0.0f);
  return channels >= kLanes ? Load(from) : LoadPartial(from, channels);
}

// Turns 16 channels of as many pixels as a vector has lanes into [channels, pixels].
// Those that are not there become zeros.
template <bool kAll>
inline void PackSquares(const float* const* from, int first, int channels, float* to,
                        int64_t slot) {
  for (int c = 0; c < kChunk; c += kLanes) {
    Vector pixels[kLanes], transposed[kLanes];
    ONEXN_UNROLL
    for (int p = 0; p < kLanes; ++p) {
      if constexpr (kAll) {
        pixels[p] = Load(from[p] + first + c);
      } else {
        pixels[p] = LoadChannels(from[p] == nullptr ? nullptr : from[p] + first + c,
                                 channels - c);
      }
    }
    Transpose(pixels, transposed);
    ONEXN_UNROLL
    for (int i = 0; i < kLanes; ++i) Store(to + (c + i) * slot, transposed[i]);
  }
}

inline void PackTiled(const PackTask& task) {
  const PanelLayout& layout = task.layout;
  float* tile = task.panel;
  for (int first = 0; first < task.pixels; first += layout.tile, tile += layout.pitch) {
    const int left = task.pixels - first;
    const int pixels = left < layout.tile ? left : layout.tile;
    for (int p = 0; p < pixels; p += kLanes) {
      const float* from[kLanes];
      bool all = true;
      for (int i = 0; i < kLanes; ++i) {
        from[i] = p + i < pixels ? Source(task, first + p + i) : nullptr;
        all = all && from[i] != nullptr;
      }
      int channel = 0;
      for (; all && channel + kChunk <= task.channels; channel += kChunk) {
        PackSquares<true>(from, channel, kChunk,
                          tile + int64_t{1} * channel * layout.slot + p, layout.slot);
      }
      for (; channel < task.channels; channel += kChunk) {
        PackSquares<false>(from, channel, task.channels - channel,
                           tile + int64_t{1} * channel * layout.slot + p, layout.slot);
      }
    }
  }
}

inline void PackChunked(const PackTask& task) {
  float* panel = task.panel;
  for (int channel = 0; channel < task.channels; channel += kChunk) {
    float* to = panel;
    panel += task.layout.pitch;
    for (int p = 0; p < task.pixels; ++p, to += kChunk) {
      const float* from = Source(task, p);
      for (int c = 0; c < kChunk; c += kLanes) {
        Store(to + c, LoadChannels(from == nullptr ? nullptr : from + channel + c,
                                   task.channels - channel - c));
      }
    }
  }
}

inline void Pack(const PackTask& task) {
  if (task.layout.chunked()) return PackChunked(task);
  PackTiled(task);
}

inline void Sum(const float* chunk, int pixels, float* sums) {
  for (int c = 0; c < kChunk; c += kLanes) {
    Vector total[4];
    for (int u = 0; u < 4; ++u) total[u] = Broadcast(0.0f);
    const float* from = chunk + c;
    int pixel = 0;
    for (; pixel + 4 <= pixels; pixel += 4, from += 4 * kChunk) {
      for (int u = 0; u < 4; ++u) total[u] = Add(total[u], Load(from + u * kChunk));
    }
    for (; pixel < pixels; ++pixel, from += kChunk)
      total[0] = Add(total[0], Load(from));
    float* to = sums + c;
    Store(to, Add(Load(to), Add(Add(total[0], total[1]), Add(total[2], total[3]))));
  }
}

}  // namespace ONEXN_ISA
}  // namespace onexn

#endif  // ONEXN_KERNELS_PANEL_H_
