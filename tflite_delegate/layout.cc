#include "layout.h"

namespace onexn {
namespace {

// of the inputs of a tile, some of which the weights that go by push to the L2 cache
constexpr int64_t kTileBytes = 64 * 1024;

int64_t Divide(int64_t value, int64_t by) { return (value + by - 1) / by; }
int64_t Chunks(int channels) { return Divide(channels, kChunk); }

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
  const int64_t least = Divide(12, vectors);
  const int64_t fitting =
      kTileBytes / (group * Chunks(channels) * kChunk * int64_t{sizeof(float)});
  // a vector of a planar tile is used for few outputs, a chunk's for few channels
  if ((planar || chunked) && fitting < groups)
    groups = fitting < least ? least : fitting;
  const int64_t all = Divide(pixels, group);
  return static_cast<int>(Divide(all, Divide(all, groups)) * group);
}

PanelLayout TiledPanel(const Kernels& kernels, int width, int64_t pixels,
                       int channels) {
  PanelLayout layout;
  layout.tile = TilePixels(kernels, width, pixels, channels, false);
  layout.slot = static_cast<int>(Divide(layout.tile, kernels.lanes) * kernels.lanes);
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

int64_t PanelFloats(const PanelLayout& layout, int64_t pixels, int channels) {
  if (layout.chunked()) return layout.pitch * Chunks(channels);
  return layout.pitch * Divide(pixels, layout.tile);
}

}  // namespace onexn
