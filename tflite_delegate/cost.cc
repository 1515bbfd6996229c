#include "cost.h"

namespace onexn {
namespace {

// Multiply-accumulates per second on non-zero blocks, where the runtime's dense
// convolutions are 1, for rows of some width.
struct Efficiency {
  int width;
  double pointwise;
  double window;
};
constexpr Efficiency kEfficiencies[] = {
    {16, .95, .80}, {8, .90, .75}, {4, .75, .60}, {2, .40, .35}, {1, .25, .20},
};
// the same for depthwise convolutions, in the runtime and here
constexpr double kDepthwise = .25;

struct Times {
  double dense = 0;
  double sparse = 0;
};

double EfficiencyOf(const Bsr& kernel) {
  for (const Efficiency& row : kEfficiencies) {
    if (kernel.n % row.width == 0) {
      return kernel.window == 1 ? row.pointwise : row.window;
    }
  }
  return 1;
}

void AddConvolution(const Convolution& layer, double pixels, Times* times) {
  const Bsr& kernel = layer.kernel;
  const double window = kernel.window;
  times->dense += pixels * kernel.rows * kernel.columns * window;
  times->sparse += pixels * kernel.blocks() * kernel.n * window / EfficiencyOf(kernel);
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
    const double time = pixels * spec.project.kernel.columns * window.height *
                        window.width / kDepthwise;
    times.dense += time;
    times.sparse += time;
  }
  if (spec.has_squeeze) {
    AddConvolution(spec.squeeze.first, output.batch, &times);
    AddConvolution(spec.squeeze.second, output.batch, &times);
  }
  AddConvolution(spec.project, pixels, &times);
  // a kernel of zeros only costs next to nothing
  return times.sparse > 0 ? times.dense / times.sparse : times.dense;
}

}  // namespace onexn
