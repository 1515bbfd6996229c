#include "reference.h"

#include "spec.h"

namespace onexn {
namespace {

// Where a tap of a window reads along one axis, or -1 outside of the feature map.
int Position(int output, int tap, int stride, int dilation, int padding, int size) {
  const int64_t at =
      int64_t{1} * output * stride + int64_t{1} * tap * dilation - padding;
  return at >= 0 && at < size ? static_cast<int>(at) : -1;
}

// The channels of an input pixel that a tap reads, or null outside.
const float* Tap(const Window& window, const Shape& shape, const float* input, int b,
                 int y, int x, int tap) {
  const int row = Position(y, tap / window.width, window.stride_y, window.dilation_y,
                           window.pad_top, shape.height);
  const int column = Position(x, tap % window.width, window.stride_x, window.dilation_x,
                              window.pad_left, shape.width);
  if (row < 0 || column < 0) return nullptr;
  return input + ((int64_t{1} * b * shape.height + row) * shape.width + column) *
                     shape.channels;
}

// The sum over a block row for one of its n outputs.
double BlockRowSum(const Convolution& layer, const Shape& shape, const float* input,
                   int b, int y, int x, int block_row, int lane) {
  const Bsr& kernel = layer.kernel;
  double sum = 0;
  for (int tap = 0; tap < kernel.window; ++tap) {
    const float* pixel = Tap(layer.window, shape, input, b, y, x, tap);
    if (pixel == nullptr) continue;
    for (int32_t z = kernel.indptr[block_row]; z < kernel.indptr[block_row + 1]; ++z) {
      const float weight =
          kernel.data[(int64_t{1} * z * kernel.window + tap) * kernel.n + lane];
      sum += double{weight} * pixel[kernel.indices[z]];
    }
  }
  return sum;
}

Shape MiddleShape(const ChainSpec& spec, const Shape& input_shape) {
  Shape shape = input_shape;
  if (spec.has_expand) shape.channels = spec.expand.kernel.rows;
  return shape;
}

// What the projection reads after a depthwise convolution.
Shape DepthwiseShape(const ChainSpec& spec, const Shape& input_shape,
                     const Shape& output_shape) {
  Shape shape = output_shape;
  shape.channels = MiddleShape(spec, input_shape).channels;
  return shape;
}

}  // namespace

float Activate(const Activation& activation, float x) {
  if (activation.hard_swish) {
    const float shifted = x + 3;
    const float gate = shifted < 0 ? 0 : shifted > 6 ? 6 : shifted;
    return x * gate / 6;
  }
  return x < activation.low    ? activation.low
         : x > activation.high ? activation.high
                               : x;
}

void ReferenceConvolution(const Convolution& layer, const Shape& input_shape,
                          const Shape& output_shape, const float* input,
                          const float* residual, float* output) {
  int64_t at = 0;
  for (int b = 0; b < output_shape.batch; ++b) {
    for (int y = 0; y < output_shape.height; ++y) {
      for (int x = 0; x < output_shape.width; ++x) {
        for (int m = 0; m < output_shape.channels; ++m, ++at) {
          double sum = layer.bias == nullptr ? 0 : layer.bias[m];
          sum += BlockRowSum(layer, input_shape, input, b, y, x, m / layer.kernel.n,
                             m % layer.kernel.n);
          const float value = Activate(layer.activation, static_cast<float>(sum));
          output[at] = residual == nullptr ? value : value + residual[at];
        }
      }
    }
  }
}

void ReferenceDepthwise(const Depthwise& layer, const Shape& input_shape,
                        const Shape& output_shape, const float* input, float* output) {
  const int channels = output_shape.channels;
  const int taps = layer.window.height * layer.window.width;
  int64_t at = 0;
  for (int b = 0; b < output_shape.batch; ++b) {
    for (int y = 0; y < output_shape.height; ++y) {
      for (int x = 0; x < output_shape.width; ++x) {
        for (int c = 0; c < channels; ++c, ++at) {
          double sum = layer.bias == nullptr ? 0 : layer.bias[c];
          for (int tap = 0; tap < taps; ++tap) {
            const float* pixel = Tap(layer.window, input_shape, input, b, y, x, tap);
            if (pixel == nullptr) continue;
            sum += double{layer.weights[int64_t{1} * tap * channels + c]} * pixel[c];
          }
          output[at] = Activate(layer.activation, static_cast<float>(sum));
        }
      }
    }
  }
}

void ReferenceSqueezeExcite(const SqueezeExcite& layer, const Shape& shape,
                            float* scratch, float* feature_map) {
  const Shape squeezed = {1, 1, 1, layer.first.kernel.rows};
  const Shape image = {1, 1, 1, shape.channels};
  const int64_t pixels = int64_t{1} * shape.height * shape.width;
  float* means = scratch;
  float* first = means + shape.channels;
  float* second = first + squeezed.channels;
  for (int b = 0; b < shape.batch; ++b) {
    float* x = feature_map + b * pixels * shape.channels;
    for (int c = 0; c < shape.channels; ++c) {
      double sum = 0;
      for (int64_t p = 0; p < pixels; ++p) sum += x[p * shape.channels + c];
      means[c] = static_cast<float>(sum / static_cast<double>(pixels));
    }
    ReferenceConvolution(layer.first, image, squeezed, means, nullptr, first);
    ReferenceConvolution(layer.second, squeezed, image, first, nullptr, second);
    for (int64_t p = 0; p < pixels; ++p) {
      for (int c = 0; c < shape.channels; ++c) {
        x[p * shape.channels + c] *= second[c] * layer.scale;
      }
    }
  }
}

size_t ReferenceScratch(const ChainSpec& spec, const Shape& input_shape,
                        const Shape& output_shape) {
  int64_t floats = 0;
  if (spec.has_expand) floats += MiddleShape(spec, input_shape).size();
  if (spec.has_depthwise)
    floats += DepthwiseShape(spec, input_shape, output_shape).size();
  if (spec.has_squeeze) {
    floats += 2 * spec.squeeze.second.kernel.rows + spec.squeeze.first.kernel.rows;
  }
  return static_cast<size_t>(floats);
}

void RunReference(const ChainSpec& spec, const Shape& input_shape,
                  const Shape& output_shape, const float* input, const float* residual,
                  float* output, float* scratch) {
  Shape shape = input_shape;
  const float* x = input;
  if (spec.has_expand) {
    const Shape expanded = MiddleShape(spec, shape);
    ReferenceConvolution(spec.expand, shape, expanded, x, nullptr, scratch);
    shape = expanded;
    x = scratch;
    scratch += shape.size();
  }
  if (spec.has_depthwise) {
    const Shape convolved = DepthwiseShape(spec, input_shape, output_shape);
    ReferenceDepthwise(spec.depthwise, shape, convolved, x, scratch);
    shape = convolved;
    float* feature_map = scratch;
    scratch += shape.size();
    if (spec.has_squeeze) {
      ReferenceSqueezeExcite(spec.squeeze, shape, scratch, feature_map);
    }
    x = feature_map;
  }
  ReferenceConvolution(spec.project, shape, output_shape, x, residual, output);
}

}  // namespace onexn
