// Brings feature maps into panels. Included once per ISA, after its simd_*.h.

#ifndef ONEXN_KERNELS_PANEL_H_
#define ONEXN_KERNELS_PANEL_H_

#include "interleave.h"
#include "kernels.h"

namespace onexn {
namespace ONEXN_ISA {

constexpr int kPerChunk = kChunk / kLanes;

// Turns kGroup pixels of a chunk, one source each, into [16, kGroup].
template <int kGroup>
inline void PackGroup(const float* const* from, int channels, float* to) {
  Vector values[kPerChunk][kGroup];
  for (int v = 0; v < kPerChunk; ++v) {
    const int there = channels - v * kLanes;
    for (int g = 0; g < kGroup; ++g) {
      if (there >= kLanes) {
        values[v][g] = Load(from[g] + v * kLanes);
      } else {
        values[v][g] = there > 0 ? LoadPartial(from[g] + v * kLanes, there)
                                 : Broadcast(0.0f);
      }
    }
  }
  for (int v = 0; v < kPerChunk; ++v) {
    Vector interleaved[kGroup];
    Interleave<kGroup>(values[v], 1, interleaved);
    for (int g = 0; g < kGroup; ++g) {
      Store(to + (v * kGroup + g) * kLanes, interleaved[g]);
    }
  }
}

inline constexpr float kZeros[kChunk] = {};

template <int kGroup>
void PackInto(const PackTask& task) {
  for (int chunk = task.first_chunk; chunk < task.last_chunk; ++chunk) {
    const int first = chunk * kChunk;
    const int channels = task.channels - first < kChunk ? task.channels - first : kChunk;
    float* to = task.panel + (chunk - task.first_chunk) * task.panel_pitch;
    for (int pixel = 0; pixel < task.pixels; pixel += kGroup, to += kGroup * kChunk) {
      const float* from[kGroup];
      for (int g = 0; g < kGroup; ++g) {
        const int p = pixel + g;
        if (p >= task.pixels) {
          from[g] = kZeros;
        } else if (task.offsets == nullptr) {
          from[g] = task.input + p * task.pitch + first;
        } else {
          from[g] = task.offsets[p] < 0 ? kZeros : task.input + task.offsets[p] + first;
        }
      }
      PackGroup<kGroup>(from, channels, to);
    }
  }
}

inline void Pack(const PackTask& task) {
  switch (task.group) {
    case 1:
      return PackInto<1>(task);
    case 2:
      return PackInto<2>(task);
    case 4:
      return PackInto<4>(task);
    case 8:
      if constexpr (kLanes >= 8) return PackInto<8>(task);
      return;
    default:
      if constexpr (kLanes >= 16) return PackInto<16>(task);
  }
}

template <int kGroup>
void InterleaveInPlace(float* chunk, int pixels) {
  for (int pixel = 0; pixel < pixels; pixel += kGroup, chunk += kGroup * kChunk) {
    const float* from[kGroup];
    for (int g = 0; g < kGroup; ++g) {
      from[g] = pixel + g < pixels ? chunk + g * kChunk : kZeros;
    }
    PackGroup<kGroup>(from, kChunk, chunk);
  }
}

inline void InterleaveChunk(float* chunk, int pixels, int group) {
  switch (group) {
    case 2:
      return InterleaveInPlace<2>(chunk, pixels);
    case 4:
      return InterleaveInPlace<4>(chunk, pixels);
    case 8:
      if constexpr (kLanes >= 8) return InterleaveInPlace<8>(chunk, pixels);
      return;
    case 16:
      if constexpr (kLanes >= 16) return InterleaveInPlace<16>(chunk, pixels);
      return;
    default:
      return;
  }
}

inline void Sum(const float* chunk, int pixels, float* sums) {
  for (int v = 0; v < kPerChunk; ++v) {
    Vector total[4];
    for (int u = 0; u < 4; ++u) total[u] = Broadcast(0.0f);
    const float* from = chunk + v * kLanes;
    int pixel = 0;
    for (; pixel + 4 <= pixels; pixel += 4, from += 4 * kChunk) {
      for (int u = 0; u < 4; ++u) total[u] = Add(total[u], Load(from + u * kChunk));
    }
    for (; pixel < pixels; ++pixel, from += kChunk) total[0] = Add(total[0], Load(from));
    float* to = sums + v * kLanes;
    Store(to, Add(Load(to), Add(Add(total[0], total[1]), Add(total[2], total[3]))));
  }
}

}  // namespace ONEXN_ISA
}  // namespace onexn

#endif  // ONEXN_KERNELS_PANEL_H_
