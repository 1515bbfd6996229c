// What an ISA file provides: one table of functions on plain arrays.
//
// A panel holds pixels in the order in which a product reads them:
// [channels/16][pixels/G][16][G], G pixels side by side so that one vector holds n
// output channels of each. Its pitch is the number of pixels that it has room for.

#ifndef ONEXN_KERNELS_KERNELS_H_
#define ONEXN_KERNELS_KERNELS_H_

#include <stdint.h>

#include "types.h"

namespace onexn {

// Channels that stay together in a panel, and the most that a block row has.
constexpr int kChunk = 16;

// Up to 16 output channels of a block row.
struct BlockRow {
  const float* data;  // of the first block
  int32_t begin;      // of its blocks among all offsets
  int32_t end;
};

// A kernel in the order in which products read it.
struct PackedKernel {
  int width = 1;            // output channels of each row: 1, 2, 4, 8 or 16
  int stride = 1;           // floats from one block's values to the next block's
  int row_count = 0;        // M / width
  const BlockRow* rows = nullptr;
  const int32_t* offsets = nullptr;  // of each block's input: floats into the panel
  const float* bias = nullptr;       // [M]
  Activation activation;
};

// y[pixel, row·width:(row+1)·width] = act(bias + Σ x·w) + residual, for some rows and
// pixels of a panel.
struct ProductTask {
  const PackedKernel* kernel = nullptr;
  const float* panel = nullptr;
  int first_row = 0;
  int last_row = 0;
  int first_pixel = 0;  // a multiple of G
  int last_pixel = 0;
  // where pixel p and the first row go: output + p·pitch, or output + positions[p]
  float* output = nullptr;
  const int32_t* positions = nullptr;
  int64_t pitch = 0;
  const float* residual = nullptr;  // like the output; null without one
};

// Copies channels of pixels into a panel.
struct PackTask {
  // where pixel p is: input + p·pitch, or input + offsets[p], zeros if that is < 0
  const float* input = nullptr;
  const int32_t* offsets = nullptr;
  int64_t pitch = 0;
  int channels = 0;
  int first_chunk = 0;
  int last_chunk = 0;
  int pixels = 0;
  int group = 1;
  float* panel = nullptr;     // of pixel 0 and the first chunk
  int64_t panel_pitch = 0;    // floats from one chunk to the next
};

// A depthwise convolution of 16 channels, [rows, columns, 16] to [pixels, 16].
struct DepthwiseTask {
  const float* input = nullptr;  // of the first window
  int64_t row_pitch = 0;         // floats from one row to the next
  const float* weights = nullptr;  // [height, width, 16]
  const float* bias = nullptr;     // [16]
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

struct Kernels {
  const char* isa;
  int lanes;         // floats in a vector
  int planar_width;  // rows up to this wide have one output in a vector
  void (*multiply)(const ProductTask&);
  void (*pack)(const PackTask&);
  // Turns a chunk [pixels, 16] in place into [pixels/G][16][G].
  void (*interleave)(float* chunk, int pixels, int group);
  void (*depthwise)(const DepthwiseTask&);
  // Adds a chunk [pixels, 16] to sums [16].
  void (*sum)(const float* chunk, int pixels, float* sums);
  void (*multiply_vector)(const VectorTask&);

  // Pixels side by side in a vector for rows of some width.
  int group(int width) const {
    if (width <= planar_width) return lanes;
    return width < lanes ? lanes / width : 1;
  }
};

}  // namespace onexn

#endif  // ONEXN_KERNELS_KERNELS_H_
