// What an ISA file provides: one table of functions on plain arrays.
//
// A panel holds the pixels of a strip in the order in which a product reads them. It is
// either tiled, [tiles, channels, slot] with the pixels of a tile side by side, which
// touches few cache lines for each channel; or chunked, [channels/16, pixels, 16],
// which costs no transposition. Rows of less than 16 channels read tiled panels only.

#ifndef ONEXN_KERNELS_KERNELS_H_
#define ONEXN_KERNELS_KERNELS_H_

#include <stdint.h>

#include "types.h"

namespace onexn {

// Channels that stay together in a panel, and the most that a block row has.
constexpr int kChunk = 16;

// Floats between the weights in use and those to fetch, a page: processors do not fetch
// ahead into the next one by themselves.
constexpr int kPrefetch = 1024;

// Groups of pixels that a product has registers for, `vectors` of sums for each. With
// more than 26 sums compilers start to spill.
constexpr int MaxTile(int registers, int vectors) {
  const int tile = (registers - 2 - vectors) / vectors;
  return tile < 26 ? tile : 26;
}

struct PanelLayout {
  int tile = 0;       // pixels that a product takes at once
  int slot = 0;       // floats from channel to channel of a tile; 0: chunked
  int64_t pitch = 0;  // floats from tile to tile, or from chunk to chunk

  bool chunked() const { return slot == 0; }
  // Of a channel of the first pixel.
  int64_t offset(int channel) const {
    if (!chunked()) return int64_t{1} * channel * slot;
    return channel / kChunk * pitch + channel % kChunk;
  }
};

// Up to 16 output channels of a block row.
struct BlockRow {
  const float* data;  // of the first block
  int32_t begin;      // of its blocks among all offsets
  int32_t end;
};

// A kernel in the order in which products read it.
struct PackedKernel {
  int width = 1;      // output channels of each row: 1, 2, 4, 8 or 16
  int stride = 1;     // floats from one block's values to the next block's
  int channels = 0;   // M
  int row_count = 0;  // M / width, rounded up
  const BlockRow* rows = nullptr;
  const int32_t* offsets = nullptr;  // of each block's input, and one more
  const float* bias = nullptr;       // [rows, width]
  Activation activation;
};

// y[pixel, row·width:(row+1)·width] = act(bias + Σ x·w) + residual, for some rows and
// pixels of a panel.
struct ProductTask {
  const PackedKernel* kernel = nullptr;
  const float* panel = nullptr;
  PanelLayout layout;
  int first_row = 0;
  int last_row = 0;
  int first_pixel = 0;  // a multiple of the tile
  int last_pixel = 0;
  // where pixel p and the first row go: output + p·pitch, or output + positions[p]
  float* output = nullptr;
  const int32_t* positions = nullptr;
  int64_t pitch = 0;
  const float* residual = nullptr;  // residual + p·pitch; null without one
};

// Copies channels of pixels into a panel, rounded up to 16 with zeros.
struct PackTask {
  // where pixel p is: input + p·pitch, or input + offsets[p], zeros if that is < 0
  const float* input = nullptr;
  const int32_t* offsets = nullptr;
  int64_t pitch = 0;
  int channels = 0;
  int pixels = 0;
  float* panel = nullptr;  // of the first pixel and channel
  PanelLayout layout;
};

// A depthwise convolution of 16 channels, rows [columns, 16] to [pixels, 16].
struct DepthwiseTask {
  const float* const* input_rows = nullptr;  // padded, those of the first window first
  const float* weights = nullptr;            // [height, width, 16]
  const float* bias = nullptr;               // [16]
  int height = 0;
  int width = 0;
  int stride_y = 1;
  int stride_x = 1;
  int rows = 0;     // of the output
  int columns = 0;  // of the output
  float* output = nullptr;
  Activation activation;
};

// y = act(bias + Σ x·w) for one pixel.
struct VectorTask {
  const PackedKernel* kernel = nullptr;  // its offsets are input channels
  const float* input = nullptr;
  float* output = nullptr;
  const float* residual = nullptr;
  int first_row = 0;
  int last_row = 0;
};

// scaled[z, :] = data[z, :] · scales[indices[z]]
struct ScaleTask {
  const float* data = nullptr;  // [blocks, n]
  const int32_t* indices = nullptr;
  int blocks = 0;
  int n = 1;
  const float* scales = nullptr;
  float* scaled = nullptr;
};

struct Kernels {
  const char* isa;
  int lanes;         // floats in a vector
  int planar_width;  // rows up to this wide have one output in a vector
  int registers;     // of vectors
  void (*multiply)(const ProductTask&);
  void (*pack)(const PackTask&);
  void (*depthwise)(const DepthwiseTask&);
  // Adds a chunk [pixels, 16] to sums [16].
  void (*sum)(const float* chunk, int pixels, float* sums);
  void (*multiply_vector)(const VectorTask&);
  void (*scale)(const ScaleTask&);
};

}  // namespace onexn

#endif  // ONEXN_KERNELS_KERNELS_H_
