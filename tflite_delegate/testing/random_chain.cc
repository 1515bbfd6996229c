#include "random_chain.h"

#include <math.h>

#include <utility>

namespace onexn {
namespace {

constexpr double kDensities[] = {0, .1, .3, .6, 1};

Activation RandomActivation(Random* random) {
  Activation activation;
  const int kind = random->Between(0, 3);
  if (kind == 1) activation.low = 0;
  if (kind == 2) activation = {0, 6, false};
  if (kind == 3) activation.hard_swish = true;
  return activation;
}

int RandomBlock(Random* random) { return random->Of({1, 2, 3, 4, 8, 16, 24, 32}); }

int OutputSize(int size, int taps, int stride, int dilation, int pad) {
  const int reach = (taps - 1) * dilation + 1;
  // as much padding behind as in front
  const int room = size + 2 * pad - reach;
  return room < 0 ? 0 : room / stride + 1;
}

}  // namespace

RandomChain::RandomChain(Random* random) {
  int columns = random->Between(1, 50);
  spec_.has_depthwise = random->Chance(.6);
  spec_.has_expand = spec_.has_depthwise && random->Chance(.6);
  spec_.has_squeeze = spec_.has_depthwise && random->Chance(.4);
  spec_.has_residual = random->Chance(.5);
  if (spec_.has_expand) {
    const int n = RandomBlock(random);
    const int rows = n * random->Between(1, 4);
    spec_.expand = RandomConvolution(random, rows, columns, n, Window());
    columns = rows;
  }
  if (spec_.has_depthwise) {
    Depthwise& layer = spec_.depthwise;
    layer.window = RandomWindow(random, false);
    const int taps = layer.window.height * layer.window.width;
    layer.weights = Keep(random->Floats(static_cast<size_t>(taps) * columns, .5));
    if (random->Chance(.8)) layer.bias = Keep(random->Floats(columns));
    layer.activation = RandomActivation(random);
  }
  if (spec_.has_squeeze) {
    const int n = random->Of({1, 2, 4, 8});
    const int middle = n * random->Between(1, 3);
    spec_.squeeze.first = RandomConvolution(random, middle, columns, n, Window());
    spec_.squeeze.second = RandomConvolution(random, columns, middle, 1, Window());
    spec_.squeeze.scale = random->Of({1.0f, 1.0f / 6});
  }
  const int n = RandomBlock(random);
  const Window window =
      spec_.has_depthwise || random->Chance(.5) ? Window() : RandomWindow(random, true);
  spec_.project =
      RandomConvolution(random, n * random->Between(1, 4), columns, n, window);
}

void RandomChain::NextShapes(Random* random, Shape* input, Shape* output) const {
  const Window& window =
      spec_.has_depthwise ? spec_.depthwise.window : spec_.project.window;
  do {
    input->batch = random->Between(1, 2);
    input->height = random->Between(1, 14);
    input->width = random->Between(1, 14);
    input->channels =
        spec_.has_expand ? spec_.expand.kernel.columns : spec_.project.kernel.columns;
    output->batch = input->batch;
    output->height = OutputSize(input->height, window.height, window.stride_y,
                                window.dilation_y, window.pad_top);
    output->width = OutputSize(input->width, window.width, window.stride_x,
                               window.dilation_x, window.pad_left);
    output->channels = spec_.project.kernel.rows;
  } while (output->size() == 0);
}

Bsr RandomChain::RandomKernel(Random* random, int rows, int columns, int n,
                              int window) {
  const double density = kDensities[random->Between(0, 4)];
  std::vector<int32_t> indices, indptr = {0};
  for (int row = 0; row < rows / n; ++row) {
    for (int k = 0; k < columns; ++k) {
      if (random->Chance(density)) indices.push_back(k);
    }
    indptr.push_back(static_cast<int32_t>(indices.size()));
  }
  Bsr kernel;
  kernel.rows = rows;
  kernel.columns = columns;
  kernel.window = window;
  kernel.n = n;
  const double scale = 1 / sqrt(density * columns * window + 1);
  kernel.data = Keep(random->Floats(indices.size() * window * n, scale));
  kernel.indices = Keep(std::move(indices));
  kernel.indptr = Keep(std::move(indptr));
  return kernel;
}

Convolution RandomChain::RandomConvolution(Random* random, int rows, int columns, int n,
                                           const Window& window) {
  Convolution layer;
  layer.window = window;
  layer.kernel = RandomKernel(random, rows, columns, n, window.height * window.width);
  if (random->Chance(.8)) layer.bias = Keep(random->Floats(rows));
  layer.activation = RandomActivation(random);
  return layer;
}

Window RandomChain::RandomWindow(Random* random, bool dilated) {
  Window window;
  window.height = random->Of({1, 2, 3, 3, 3, 5, 5});
  window.width = random->Chance(.8) ? window.height : random->Between(1, 5);
  window.stride_y = window.stride_x = random->Of({1, 1, 2, 2, 3});
  if (dilated) window.dilation_y = window.dilation_x = random->Of({1, 1, 2});
  window.pad_top = random->Between(0, (window.height - 1) * window.dilation_y);
  window.pad_left = random->Between(0, (window.width - 1) * window.dilation_x);
  return window;
}

// Copies are as large as what they hold, so that sanitizers see where they end.
const float* RandomChain::Keep(std::vector<float> values) {
  floats_.emplace_back(values.begin(), values.end());
  return floats_.back().data();
}

const int32_t* RandomChain::Keep(std::vector<int32_t> values) {
  integers_.emplace_back(values.begin(), values.end());
  return integers_.back().data();
}

double Difference(const std::vector<float>& found, const std::vector<float>& expected) {
  double error = 0, largest = 1e-9;
  if (found.size() != expected.size()) return INFINITY;
  for (size_t i = 0; i < found.size(); ++i) {
    const double here = fabs(double{found[i]} - expected[i]);
    if (!(here <= error)) error = here;  // NaN too
    largest = fmax(largest, fabs(expected[i]));
    if (isnan(error)) return error;
  }
  return error / largest;
}

}  // namespace onexn
