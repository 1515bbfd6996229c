// Chains through a C interface, for tests and benchmarks in Python. Not part of the
// delegate.

#ifndef ONEXN_TESTING_CHAIN_API_H_
#define ONEXN_TESTING_CHAIN_API_H_

#include <stdint.h>

#pragma GCC visibility push(default)
extern "C" {

struct OnexnActivation {
  float low;
  float high;
  int32_t hard_swish;
};

// height, width, stride_y, stride_x, dilation_y, dilation_x, pad_top, pad_left
struct OnexnWindow {
  int32_t values[8];
};

struct OnexnConvolution {
  int32_t rows;
  int32_t columns;
  int32_t n;
  const float* data;
  const int32_t* indices;
  const int32_t* indptr;
  const float* bias;
  OnexnWindow window;
  OnexnActivation activation;
};

// Null where a layer is missing.
struct OnexnChain {
  const OnexnConvolution* expand;
  const float* depthwise_weights;
  const float* depthwise_bias;
  OnexnWindow depthwise_window;
  OnexnActivation depthwise_activation;
  const OnexnConvolution* squeeze_first;
  const OnexnConvolution* squeeze_second;
  float squeeze_scale;
  const OnexnConvolution* project;
  int32_t has_residual;
};

struct OnexnRunner;

// `isa` as in KernelsFor or FaultyKernels. Shapes are batch, height, width, channels.
// Returns null if this processor has no such ISA or there is no memory.
OnexnRunner* onexn_create(const OnexnChain* chain, const char* isa, int32_t threads,
                          const int32_t* input_shape, const int32_t* output_shape);
void onexn_destroy(OnexnRunner* runner);
// Returns whether there was memory.
int32_t onexn_run(OnexnRunner* runner, const float* input, const float* residual,
                  float* output);
// Runs so many times; returns the seconds of each in `seconds`.
void onexn_time(OnexnRunner* runner, const float* input, const float* residual,
                float* output, int32_t runs, double* seconds);
const char* onexn_name(const OnexnRunner* runner);

// Plans of later runners assume an L2 cache of this size; 0: the processor's.
void onexn_set_cache(int64_t bytes);

// Fused multiply-adds per second of one thread, from registers, in 1e9.
double onexn_peak(const char* isa);

}  // extern "C"
#pragma GCC visibility pop

#endif  // ONEXN_TESTING_CHAIN_API_H_
