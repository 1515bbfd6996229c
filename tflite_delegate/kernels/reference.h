// The oracle: every layer of a chain as plain loops over feature maps.
//
// Sums are kept in double precision. What lies outside a feature map is zero.

#ifndef ONEXN_KERNELS_REFERENCE_H_
#define ONEXN_KERNELS_REFERENCE_H_

#include <stddef.h>

#include "types.h"

namespace onexn {

struct ChainSpec;
struct Convolution;
struct Depthwise;
struct SqueezeExcite;

float Activate(const Activation& activation, float x);

// `residual` has the output's shape and is added after the activation; null without
// one.
void ReferenceConvolution(const Convolution& layer, const Shape& input_shape,
                          const Shape& output_shape, const float* input,
                          const float* residual, float* output);

void ReferenceDepthwise(const Depthwise& layer, const Shape& input_shape,
                        const Shape& output_shape, const float* input, float* output);

// Scales the channels of a feature map in place. `scratch` has room for the channels
// and for the rows of both layers.
void ReferenceSqueezeExcite(const SqueezeExcite& layer, const Shape& shape,
                            float* scratch, float* feature_map);

// How many floats of scratch memory `RunReference` needs.
size_t ReferenceScratch(const ChainSpec& spec, const Shape& input_shape,
                        const Shape& output_shape);

// Runs a chain layer by layer. `residual` is null without one.
void RunReference(const ChainSpec& spec, const Shape& input_shape,
                  const Shape& output_shape, const float* input, const float* residual,
                  float* output, float* scratch);

}  // namespace onexn

#endif  // ONEXN_KERNELS_REFERENCE_H_
