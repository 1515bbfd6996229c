// Chooses how panels are laid out.

#ifndef ONEXN_LAYOUT_H_
#define ONEXN_LAYOUT_H_

#include <stdint.h>

#include "kernels/kernels.h"

namespace onexn {

inline int64_t DivideUp(int64_t value, int64_t by) { return (value + by - 1) / by; }

// Pixels that a product takes at once for rows of some width: as many as registers
// hold sums for, fewer where so many channels of them would leave the L1 cache, and
// divided evenly.
int TilePixels(const Kernels& kernels, int width, int64_t pixels, int channels,
               bool chunked);

// A panel in tiles.
PanelLayout TiledPanel(const Kernels& kernels, int width, int64_t pixels, int channels);

// A panel in chunks with room for so many pixels. For rows of 16 channels.
PanelLayout ChunkedPanel(const Kernels& kernels, int64_t pixels, int channels);

// The better of both for rows of some width, where each input is used so often.
PanelLayout BestPanel(const Kernels& kernels, int width, int uses, int64_t pixels,
                      int channels);

// Floats of a panel with room for so many pixels.
int64_t PanelFloats(const PanelLayout& layout, int64_t pixels, int channels);

}  // namespace onexn

#endif  // ONEXN_LAYOUT_H_
