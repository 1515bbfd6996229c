// What a chain computes, layer by layer.

#ifndef ONEXN_KERNELS_SPEC_H_
#define ONEXN_KERNELS_SPEC_H_

#include "types.h"

namespace onexn {

// A convolution or, on 1×1 feature maps, a fully connected layer.
struct Convolution {
  Bsr kernel;
  const float* bias = nullptr;  // [M], null: zeros
  Window window;
  Activation activation;
};

struct Depthwise {
  const float* weights = nullptr;  // [kh, kw, C]
  const float* bias = nullptr;     // [C], null: zeros
  Window window;
  Activation activation;
};

// y = x · scale · second(first(mean of x over the image))
struct SqueezeExcite {
  Convolution first;
  Convolution second;
  float scale = 1;
};

// All pointers of a specification outlive the chain.
struct ChainSpec {
  bool has_expand = false;
  bool has_depthwise = false;
  bool has_squeeze = false;
  bool has_residual = false;
  Convolution expand;
  Depthwise depthwise;
  SqueezeExcite squeeze;
  Convolution project;
};

}  // namespace onexn

#endif  // ONEXN_KERNELS_SPEC_H_
