// Plain data that kernels read: no TFLite, no ownership.

#ifndef ONEXN_KERNELS_TYPES_H_
#define ONEXN_KERNELS_TYPES_H_

#include <math.h>
#include <stdint.h>

namespace onexn {

// y = min(max(x, low), high), or x · min(max(x + 3, 0), 6) / 6. NaN stays NaN.
struct Activation {
  float low = -INFINITY;
  float high = INFINITY;
  bool hard_swish = false;
};

// A kernel [M, window, K] of 1×n blocks as SciPy's BSR arrays, where a block is n
// output channels at one input channel, over the whole window.
struct Bsr {
  int rows = 0;                      // M
  int columns = 0;                   // K
  int window = 1;                    // kh·kw
  int n = 1;                         // a divisor of M
  const float* data = nullptr;       // [nnz, window, n], maybe unaligned
  const int32_t* indices = nullptr;  // [nnz], rising in each block row
  const int32_t* indptr = nullptr;   // [M/n + 1]

  int block_rows() const { return rows / n; }
  int blocks() const { return indptr[block_rows()]; }
};

// How a window moves over a feature map. Padding is what is added at each side.
struct Window {
  int height = 1;
  int width = 1;
  int stride_y = 1;
  int stride_x = 1;
  int dilation_y = 1;
  int dilation_x = 1;
  int pad_top = 0;
  int pad_left = 0;
};

// A feature map [batch, height, width, channels], channels innermost.
struct Shape {
  int batch = 1;
  int height = 1;
  int width = 1;
  int channels = 1;

  int64_t pixels() const { return int64_t{1} * batch * height * width; }
  int64_t size() const { return pixels() * channels; }
};

}  // namespace onexn

#endif  // ONEXN_KERNELS_TYPES_H_
