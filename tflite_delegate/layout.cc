#include "layout.h"

namespace onexn {
namespace {

// of the inputs of a tile, some of which the weights that go by push to the L2 cache
constexpr int64_t kTileBytes = 64 * 1024;

// inputs that are used less often are not worth transposing
constexpr int kLeastUses = 48;

int64_t Chunks(int channels) { return DivideUp(channels, kChunk); }

}  // namespace

int TilePixels(const Kernels& kernels, int width, int64_t pixels, int channels,
               bool chunked) {
  const bool planar = width <= kernels.planar_width;
  const int vectors = planar                  ? width
                      : width > kernels.lanes ? width / kernels.lanes
                                              : 1;
  const int group = planar                  ? kernels.lanes
                    : width < kernels.lanes ? kernels.lanes / width
                                            : 1;
  int64_t groups = MaxTile(kernels.registers, vectors);
  // sums that hide the latency of a multiply-add
  const int64_t least = DivideUp(12, vectors);
  const int64_t fitting =
      kTileBytes / (group * Chunks(channels) * kChunk * int64_t{sizeof(float)});
  // a vector of a planar tile is used for few outputs, a chunk's for few channels
  if ((planar || chunked) && fitting < groups) {
    groups = fitting < least ? least : fitting;
  }
  const int64_t all = DivideUp(pixels, group);
  return static_cast<int>(DivideUp(all, DivideUp(all, groups)) * group);
}

PanelLayout TiledPanel(const Kernels& kernels, int width, int64_t pixels,
                       int channels) {
  PanelLayout layout;
  layout.tile = TilePixels(kernels, width, pixels, channels, false);
  layout.slot = static_cast<int>(DivideUp(layout.tile, kernels.lanes) * kernels.lanes);
  layout.pitch = layout.slot * Chunks(channels) * kChunk;
  return layout;
}

PanelLayout ChunkedPanel(const Kernels& kernels, int64_t pixels, int channels) {
  PanelLayout layout;
  layout.tile = TilePixels(kernels, kChunk, pixels, channels, true);
  // odd, so that the chunks of a pixel do not share a set of the cache
  layout.pitch = (pixels | 1) * kChunk;
  return layout;
}

PanelLayout BestPanel(const Kernels& kernels, int width, int uses, int64_t pixels,
                      int channels) {
  if (width == kChunk && uses < kLeastUses) {
    return ChunkedPanel(kernels, pixels, channels);
  }
  return TiledPanel(kernels, width, pixels, channels);
}

int64_t PanelFloats(const PanelLayout& layout, int64_t pixels, int channels) {
  if (layout.chunked()) return layout.pitch * Chunks(channels);
  return layout.pitch * DivideUp(pixels, layout.tile);
}

}  // namespace onexn
