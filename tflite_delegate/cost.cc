#include "cost.h"

namespace onexn {
namespace {

// Cycles of a processor that does two multiply-adds of 16 floats in each. With narrower
// vectors both sides take more of them, in the same proportion. Measured on Zen 5 with
// AVX-512, against XNNPACK in LiteRT 2.3.
constexpr double kPerCycle = 32;

// The runtime's dense convolutions: multiply-adds, and each 16 outputs.
constexpr double kDenseSlope = 1.06;
constexpr double kDenseOutput = 0.7;
// Each position of a depthwise window and 16 outputs, in the runtime and here.
constexpr double kDenseTap = 1.5;
constexpr double kTap = 0.55;
// Writing 16 values of a feature map that leaves the L2 cache and reading them again,
// which a chain does not do.
constexpr double kFar = 9;
constexpr double kNearBytes = 1 << 20;
// Bringing 16 inputs into a panel, and what strips cost on top of everything.
constexpr double kInput = 5;
constexpr double kStrips = 1.15;

// Products with rows of some width: multiply-adds, and each 16 outputs.
struct Product {
  int width;
  double slope;
  double output;
};
constexpr Product kProducts[] = {
    {16, 1.08, 3.0}, {8, 1.12, 5.0}, {4, 1.30, 5.5}, {2, 1.90, 9.0}, {1, 3.00, 18.0},
};

struct Times {
  double dense = 0;
  double sparse = 0;
};

const Product& ProductOf(int n) {
  for (const Product& product : kProducts) {
    if (n % product.width == 0) return product;
  }
  return kProducts[4];
}

void AddConvolution(const Convolution& layer, double pixels, Times* times) {
  const Bsr& kernel = layer.kernel;
  const Product& product = ProductOf(kernel.n);
  const double inputs = static_cast<double>(kernel.columns) * kernel.window;
  const double values = static_cast<double>(kernel.blocks()) * kernel.n * kernel.window;
  const double outputs = kernel.rows / 16.0;
  times->dense += pixels * (inputs * kernel.rows / kPerCycle * kDenseSlope +
                            outputs * kDenseOutput);
  times->sparse += pixels * (values / kPerCycle * product.slope +
                             outputs * product.output + inputs / 16 * kInput);
}

double FarCycles(int64_t pixels, int channels) {
  const double values = static_cast<double>(pixels) * channels;
  return values * sizeof(float) > kNearBytes ? values / 16 * kFar : 0;
}

}  // namespace

double ExpectedGain(const ChainSpec& spec, const Shape& input, const Shape& output) {
  Times times;
  const auto pixels = static_cast<double>(output.pixels());
  if (spec.has_expand) {
    AddConvolution(spec.expand, static_cast<double>(input.pixels()), &times);
  }
  if (spec.has_depthwise) {
    const Window& window = spec.depthwise.window;
    const double outputs = pixels * spec.project.kernel.columns / 16;
    const double taps = static_cast<double>(window.height) * window.width;
    times.dense += outputs * taps * kDenseTap;
    times.sparse += outputs * taps * kTap;
  }
  if (spec.has_expand)
    times.dense += FarCycles(input.pixels(), spec.expand.kernel.rows);
  if (spec.has_depthwise) {
    times.dense += FarCycles(output.pixels(), spec.project.kernel.columns);
  }
  if (spec.has_squeeze) {
    AddConvolution(spec.squeeze.first, output.batch, &times);
    AddConvolution(spec.squeeze.second, output.batch, &times);
  }
  AddConvolution(spec.project, pixels, &times);
  // a kernel of zeros only costs next to nothing
  return times.sparse > 0 ? times.dense / (times.sparse * kStrips) : times.dense;
}

}  // namespace onexn
