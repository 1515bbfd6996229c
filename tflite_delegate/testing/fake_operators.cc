#include "fake_operators.h"

#include <math.h>
#include <string.h>

namespace onexn {
namespace {

double HalfToDouble(uint16_t half) {
  const double sign = (half & 0x8000) != 0 ? -1 : 1;
  const int exponent = half >> 10 & 0x1f;
  const int fraction = half & 0x3ff;
  if (exponent == 0) return sign * ldexp(fraction, -24);
  if (exponent == 31) return fraction == 0 ? sign * INFINITY : NAN;
  return sign * ldexp(fraction + 1024, exponent - 25);
}

float ElementOf(const TfLiteTensor& tensor, int64_t i) {
  const char* bytes = static_cast<const char*>(tensor.data.raw);
  if (tensor.type == kTfLiteFloat16) {
    uint16_t half;
    memcpy(&half, bytes + 2 * i, sizeof(half));
    return static_cast<float>(HalfToDouble(half));
  }
  float value;
  memcpy(&value, bytes + 4 * i, sizeof(value));
  return value;
}

int64_t CountOf(const TfLiteTensor& tensor) {
  int64_t count = 1;
  for (int i = 0; i < tensor.dims->size; ++i) count *= tensor.dims->data[i];
  return count;
}

float Fused(int activation, double x) {
  if (activation == kTfLiteActRelu) x = x < 0 ? 0 : x;
  if (activation == kTfLiteActRelu6) x = x < 0 ? 0 : x > 6 ? 6 : x;
  if (activation == kTfLiteActReluN1To1) x = x < -1 ? -1 : x > 1 ? 1 : x;
  return static_cast<float>(x);
}

// One operator: its tensors by place.
struct Operator {
  const TfLiteContext& context;
  const TfLiteNode& node;

  const TfLiteTensor& in(int i) const { return context.tensors[node.inputs->data[i]]; }
  const TfLiteTensor& out() const { return context.tensors[node.outputs->data[0]]; }
  const int* shape(int i) const { return in(i).dims->data; }
  bool has(int i) const { return i < node.inputs->size && node.inputs->data[i] >= 0; }
  template <typename Params>
  const Params& params() const {
    return *static_cast<const Params*>(node.builtin_data);
  }
  double bias(int channel) const { return has(2) ? in(2).data.f32[channel] : 0; }
};

// How a window moves along one axis.
struct Axis {
  int output;
  int pad;

  Axis(int size, int taps, int stride, int dilation, int padding) {
    const int reach = (taps - 1) * dilation + 1;
    if (padding == kTfLitePaddingSame) {
      output = (size + stride - 1) / stride;
      const int more = (output - 1) * stride + reach - size;
      pad = more > 0 ? more / 2 : 0;
    } else {
      output = size < reach ? 0 : (size - reach) / stride + 1;
      pad = 0;
    }
  }
};

template <typename Params>
void Windows(const Operator& op, bool depthwise) {
  const auto& params = op.params<Params>();
  const int* x = op.shape(0);
  const int* w = op.shape(1);
  const int* y = op.out().dims->data;
  const Axis rows(x[1], w[1], params.stride_height, params.dilation_height_factor,
                  params.padding);
  const Axis columns(x[2], w[2], params.stride_width, params.dilation_width_factor,
                     params.padding);
  float* to = op.out().data.f32;
  for (int b = 0; b < y[0]; ++b) {
    for (int i = 0; i < y[1]; ++i) {
      for (int j = 0; j < y[2]; ++j) {
        for (int m = 0; m < y[3]; ++m) {
          double sum = op.bias(m);
          for (int tap = 0; tap < w[1] * w[2]; ++tap) {
            const int row = i * params.stride_height - rows.pad +
                            tap / w[2] * params.dilation_height_factor;
            const int column = j * params.stride_width - columns.pad +
                               tap % w[2] * params.dilation_width_factor;
            if (row < 0 || row >= x[1] || column < 0 || column >= x[2]) continue;
            const float* pixel = op.in(0).data.f32 +
                                 ((int64_t{1} * b * x[1] + row) * x[2] + column) * x[3];
            const float* kernel = op.in(1).data.f32;
            if (depthwise) {
              sum += double{pixel[m]} * kernel[tap * w[3] + m];
              continue;
            }
            const float* of = kernel + (int64_t{1} * m * w[1] * w[2] + tap) * w[3];
            for (int k = 0; k < w[3]; ++k) sum += double{pixel[k]} * of[k];
          }
          *to++ = Fused(params.activation, sum);
        }
      }
    }
  }
}

void FullyConnected(const Operator& op) {
  const int outputs = op.shape(1)[0], inputs = op.shape(1)[1];
  const int activation = op.params<TfLiteFullyConnectedParams>().activation;
  float* to = op.out().data.f32;
  for (int64_t row = 0; row < CountOf(op.in(0)) / inputs; ++row) {
    for (int m = 0; m < outputs; ++m) {
      double sum = op.bias(m);
      for (int k = 0; k < inputs; ++k) {
        sum += double{op.in(0).data.f32[row * inputs + k]} *
               op.in(1).data.f32[int64_t{1} * m * inputs + k];
      }
      *to++ = Fused(activation, sum);
    }
  }
}

// A MUL may have a number, or one for each channel, as a factor.
float Factor(const TfLiteTensor& tensor, const TfLiteTensor& whole, int64_t i) {
  const int64_t count = CountOf(tensor);
  if (count == CountOf(whole)) return tensor.data.f32[i];
  if (count == 1) return tensor.data.f32[0];
  const int* shape = whole.dims->data;
  const int64_t image = int64_t{1} * shape[1] * shape[2] * shape[3];
  return tensor.data.f32[i / image * shape[3] + i % shape[3]];
}

void Mean(const Operator& op) {
  const int* x = op.shape(0);
  const int pixels = x[1] * x[2];
  for (int b = 0; b < x[0]; ++b) {
    for (int c = 0; c < x[3]; ++c) {
      double sum = 0;
      for (int p = 0; p < pixels; ++p) {
        sum += op.in(0).data.f32[(int64_t{1} * b * pixels + p) * x[3] + c];
      }
      op.out().data.f32[b * x[3] + c] = static_cast<float>(sum / pixels);
    }
  }
}

void Pad(const Operator& op) {
  const int* sizes = op.in(1).data.i32;
  const int* x = op.shape(0);
  const int* y = op.out().dims->data;
  memset(op.out().data.raw, 0, op.out().bytes);
  for (int b = 0; b < x[0]; ++b) {
    for (int i = 0; i < x[1]; ++i) {
      const float* from = op.in(0).data.f32 + (int64_t{1} * b * x[1] + i) * x[2] * x[3];
      const int64_t row = int64_t{1} * b * y[1] + i + sizes[2];
      memcpy(op.out().data.f32 + (row * y[2] + sizes[4]) * x[3], from,
             sizeof(float) * x[2] * x[3]);
    }
  }
}

// Goes down the levels of a sparse tensor.
struct Walk {
  const TfLiteTensor& tensor;
  std::vector<int64_t>* entries;  // of each element of the dense tensor
  std::vector<int> at;            // for each level

  void Level(int level, int64_t entry) {
    const TfLiteSparsity& sparsity = *tensor.sparsity;
    if (level == sparsity.dim_metadata_size) return Leaf(entry);
    const TfLiteDimensionMetadata& of = sparsity.dim_metadata[level];
    if (of.format == kTfLiteDimDense) {
      for (int i = 0; i < of.dense_size; ++i) {
        at[level] = i;
        Level(level + 1, entry * of.dense_size + i);
      }
      return;
    }
    const int* segments = of.array_segments->data;
    for (int z = segments[entry]; z < segments[entry + 1]; ++z) {
      at[level] = of.array_indices->data[z];
      Level(level + 1, z);
    }
  }

  void Leaf(int64_t entry) {
    const TfLiteSparsity& sparsity = *tensor.sparsity;
    const int rank = tensor.dims->size;
    std::vector<int64_t> outer(rank), inner(rank), size(rank, 1);
    for (int i = 0; i < sparsity.dim_metadata_size; ++i) {
      const int place = sparsity.traversal_order->data[i];
      if (place < rank) {
        outer[place] = at[i];
      } else {
        const int axis = sparsity.block_map->data[place - rank];
        inner[axis] = at[i];
        size[axis] = sparsity.dim_metadata[i].dense_size;
      }
    }
    int64_t offset = 0;
    for (int axis = 0; axis < rank; ++axis) {
      offset =
          offset * tensor.dims->data[axis] + outer[axis] * size[axis] + inner[axis];
    }
    (*entries)[offset] = entry;
  }
};

// Where the value of each element is stored, -1 for a zero.
std::vector<int64_t> Entries(const TfLiteTensor& tensor) {
  std::vector<int64_t> entries(CountOf(tensor), -1);
  Walk walk = {tensor, &entries, std::vector<int>(tensor.sparsity->dim_metadata_size)};
  walk.Level(0, 0);
  return entries;
}

void Densify(const Operator& op) {
  const size_t width = op.in(0).type == kTfLiteFloat16 ? 2 : 4;
  char* to = static_cast<char*>(op.out().data.raw);
  memset(to, 0, op.out().bytes);
  for (int64_t entry : Entries(op.in(0))) {
    const char* values = static_cast<const char*>(op.in(0).data.raw);
    if (entry >= 0) memcpy(to, values + entry * width, width);
    to += width;
  }
}

}  // namespace

std::vector<float> Densified(const TfLiteTensor& tensor) {
  std::vector<float> dense;
  for (int64_t entry : Entries(tensor)) {
    dense.push_back(entry < 0 ? 0 : ElementOf(tensor, entry));
  }
  return dense;
}

std::vector<int> FakeOutputShape(const TfLiteContext& context, const TfLiteNode& node,
                                 int code) {
  const Operator op = {context, node};
  std::vector<int> shape(op.shape(0), op.shape(0) + op.in(0).dims->size);
  if (code == kTfLiteBuiltinConv2d || code == kTfLiteBuiltinDepthwiseConv2d) {
    const bool depthwise = code == kTfLiteBuiltinDepthwiseConv2d;
    const auto axis = [&](int i) {
      const int* w = op.shape(1);
      if (depthwise) {
        const auto& p = op.params<TfLiteDepthwiseConvParams>();
        return i == 1 ? Axis(shape[1], w[1], p.stride_height, p.dilation_height_factor,
                             p.padding)
                      : Axis(shape[2], w[2], p.stride_width, p.dilation_width_factor,
                             p.padding);
      }
      const auto& p = op.params<TfLiteConvParams>();
      return i == 1 ? Axis(shape[1], w[1], p.stride_height, p.dilation_height_factor,
                           p.padding)
                    : Axis(shape[2], w[2], p.stride_width, p.dilation_width_factor,
                           p.padding);
    };
    shape = {shape[0], axis(1).output, axis(2).output, op.shape(1)[depthwise ? 3 : 0]};
  } else if (code == kTfLiteBuiltinFullyConnected) {
    const int inputs = op.shape(1)[1];
    if (!op.params<TfLiteFullyConnectedParams>().keep_num_dims) {
      shape = {static_cast<int>(CountOf(op.in(0)) / inputs), 0};
    }
    shape.back() = op.shape(1)[0];
  } else if (code == kTfLiteBuiltinMean) {
    shape = {shape[0], 1, 1, shape[3]};
  } else if (code == kTfLiteBuiltinPad) {
    const int* sizes = op.in(1).data.i32;
    for (int i = 0; i < 4; ++i) shape[i] += sizes[2 * i] + sizes[2 * i + 1];
  } else if (op.has(1) && CountOf(op.in(1)) > CountOf(op.in(0))) {
    shape.assign(op.shape(1), op.shape(1) + op.in(1).dims->size);
  }
  return shape;
}

void RunFakeOperator(const TfLiteContext& context, const TfLiteNode& node, int code) {
  const Operator op = {context, node};
  float* to = op.out().data.f32;
  const int64_t count = CountOf(op.out());
  switch (code) {
    case kTfLiteBuiltinConv2d:
      return Windows<TfLiteConvParams>(op, false);
    case kTfLiteBuiltinDepthwiseConv2d:
      return Windows<TfLiteDepthwiseConvParams>(op, true);
    case kTfLiteBuiltinFullyConnected:
      return FullyConnected(op);
    case kTfLiteBuiltinMean:
      return Mean(op);
    case kTfLiteBuiltinPad:
      return Pad(op);
    case kTfLiteBuiltinDensify:
      return Densify(op);
    case kTfLiteBuiltinDequantize:
      for (int64_t i = 0; i < count; ++i) to[i] = ElementOf(op.in(0), i);
      return;
    case kTfLiteBuiltinAdd:
      for (int64_t i = 0; i < count; ++i) {
        to[i] = op.in(0).data.f32[i] + op.in(1).data.f32[i];
      }
      return;
    case kTfLiteBuiltinMul:
      for (int64_t i = 0; i < count; ++i) {
        to[i] = Factor(op.in(0), op.out(), i) * Factor(op.in(1), op.out(), i);
      }
      return;
    case kTfLiteBuiltinHardSwish:
      for (int64_t i = 0; i < count; ++i) {
        const double x = op.in(0).data.f32[i];
        const double gate = x + 3 < 0 ? 0 : x + 3 > 6 ? 6 : x + 3;
        to[i] = static_cast<float>(x * gate / 6);
      }
      return;
  }
}

}  // namespace onexn
