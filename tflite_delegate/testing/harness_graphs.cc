#include <math.h>

#include <memory>
#include <string>
#include <thread>

#include "fake_context.h"
#include "harness.h"
#include "plugin.h"
#include "random_chain.h"

namespace onexn {
namespace {

// a few outputs of many layers, where sums cancel
constexpr double kTolerance = 2e-4;

std::string last_message;

// A convolution of blocks, with or without what may stand behind it.
int Pointwise(FakeGraph* graph, Random* random, int x, int inputs, int outputs, int n) {
  const int kernel = graph->SparseKernel(random, {outputs, 1, 1, inputs}, n,
                                         random->Of({0.1, 0.4, 1.0}));
  const int bias = graph->DenseKernel(random, {outputs});
  const int activation =
      random->Of({int{kTfLiteActNone}, int{kTfLiteActRelu}, int{kTfLiteActRelu6}});
  const int y =
      graph->Convolution(x, kernel, bias, {kTfLitePaddingSame, 1, 1, activation, 1, 1});
  return activation == kTfLiteActNone && random->Chance(.4) ? graph->HardSwish(y) : y;
}

int Squeezed(FakeGraph* graph, Random* random, int x, int channels, int n) {
  const int mean = graph->Mean(x);
  const TfLiteConvParams relu = {kTfLitePaddingSame, 1, 1, kTfLiteActRelu, 1, 1};
  int gate = graph->Convolution(mean, graph->DenseKernel(random, {8, 1, 1, channels}),
                                graph->DenseKernel(random, {8}), relu);
  gate =
      graph->Convolution(gate, graph->SparseKernel(random, {channels, 1, 1, 8}, n, .5),
                         graph->DenseKernel(random, {channels}), relu);
  if (random->Chance(.5)) {
    const bool half = graph->half;
    graph->half = false;
    gate = graph->Multiply(gate, graph->Floats({}, {0.125f}));
    graph->half = half;
  }
  return graph->Multiply(x, gate);
}

int InvertedResidual(FakeGraph* graph, Random* random, int x, int channels, int n) {
  const int wide = 3 * channels;
  int y = Pointwise(graph, random, x, channels, wide, n);
  const int taps = random->Of({3, 5});
  const int stride = random->Of({1, 1, 2});
  int padding = kTfLitePaddingSame;
  if (random->Chance(.3)) {
    y = graph->Pad(y, taps / 2, taps / 2);
    padding = kTfLitePaddingValid;
  }
  y = graph->Depthwise(y, graph->DenseKernel(random, {1, taps, taps, wide}),
                       graph->DenseKernel(random, {wide}),
                       {padding, stride, stride, 1, kTfLiteActRelu6, 1, 1});
  if (random->Chance(.4)) y = Squeezed(graph, random, y, wide, n);
  y = graph->Convolution(y, graph->SparseKernel(random, {channels, 1, 1, wide}, n, .5),
                         graph->DenseKernel(random, {channels}),
                         {kTfLitePaddingSame, 1, 1, kTfLiteActNone, 1, 1});
  return stride == 1 ? graph->Add(x, y) : y;
}

FakeGraph RandomNetwork(uint64_t seed) {
  Random random(seed);
  FakeGraph graph;
  graph.half = random.Chance(.3);
  const int n = random.Of({1, 2, 4, 8});
  const int channels = 2 * n * random.Between(1, 8 / n + 1);
  const int size = random.Between(5, 13);
  const int image = graph.Input({random.Between(1, 2), size, size, 3});
  int x = graph.Convolution(image, graph.DenseKernel(&random, {channels, 3, 3, 3}),
                            graph.DenseKernel(&random, {channels}),
                            {kTfLitePaddingSame, 2, 2, kTfLiteActRelu, 1, 1});
  for (int i = random.Between(1, 2); i > 0; --i) {
    x = InvertedResidual(&graph, &random, x, channels, n);
  }
  if (random.Chance(.5)) {
    const int taps = random.Of({2, 3});
    x = graph.Convolution(
        x, graph.SparseKernel(&random, {channels, taps, taps, channels}, n, .4),
        graph.DenseKernel(&random, {channels}),
        {kTfLitePaddingSame, random.Between(1, 2), 1, kTfLiteActReluN1To1,
         random.Between(1, 2), 1});
  }
  const bool half = graph.half;
  x = graph.Mean(x);
  const int keep = random.Between(0, 1);
  x = graph.FullyConnected(x, graph.SparseKernel(&random, {3 * n, channels}, n, .5),
                           graph.DenseKernel(&random, {3 * n}),
                           {kTfLiteActNone, 0, keep == 1});
  graph.half = half;
  graph.outputs = {x};
  StoreShapes(&graph);
  return graph;
}

std::vector<float> Result(FakeInterpreter* interpreter, const FakeGraph& graph,
                          const std::vector<float>& values) {
  interpreter->Fill(graph.inputs[0], values);
  ONEXN_CHECK(interpreter->Invoke());
  return interpreter->Output(graph.outputs[0]);
}

size_t Count(const std::vector<int>& shape) {
  size_t count = 1;
  for (int size : shape) count *= size;
  return count;
}

// Runs at several sizes, each twice, beside an interpreter without the delegate.
void CheckSame(FakeInterpreter* found, const FakeGraph& graph, uint64_t seed) {
  Random random(seed);
  FakeInterpreter expected(graph);
  const int input = graph.inputs[0];
  std::vector<int> shape = graph.tensors[input].shape;
  for (int size = 0; size < 3; ++size) {
    found->Resize(input, shape);
    expected.Resize(input, shape);
    ONEXN_CHECK(expected.Allocate());
    ONEXN_CHECK(found->Allocate());
    ONEXN_CHECK(found->Allocate());  // again, as runtimes do
    ONEXN_CHECK(found->shape(graph.outputs[0]) == expected.shape(graph.outputs[0]));
    const std::vector<float> values = random.Floats(Count(shape));
    const std::vector<float> wanted = Result(&expected, graph, values);
    for (int run = 0; run < 2; ++run) {
      const double error = Difference(Result(found, graph, values), wanted);
      if (!(error <= kTolerance)) {
        fprintf(stderr, "seed %d, %dx%dx%d: %g\n", static_cast<int>(seed), shape[0],
                shape[1], shape[2], error);
      }
      ONEXN_CHECK(error <= kTolerance);
    }
    shape = {random.Between(1, 3), random.Between(3, 14), random.Between(3, 14), 3};
  }
}

}  // namespace

void CheckGraphs(int cases) {
  for (int seed = 0; seed < cases; ++seed) {
    const FakeGraph graph = RandomNetwork(seed);
    const Plugin plugin({{"cost_gate", "off"},
                         {"kernel", seed % 5 == 0 ? "reference" : "auto"},
                         {"num_threads", seed % 3 == 0 ? "3" : "1"}});
    FakeInterpreter interpreter(graph);
    const bool applied = interpreter.Apply(plugin.get());
    fputs(interpreter.errors().c_str(), stderr);
    ONEXN_CHECK(applied && interpreter.errors().empty());
    ONEXN_CHECK(interpreter.delegated() > 6);
    CheckSame(&interpreter, graph, seed);
  }
}

void CheckDelegates(int cases) {
  // one delegate of many interpreters, in as many threads
  for (int seed = 0; seed < (cases + 9) / 10; ++seed) {
    const FakeGraph graph = RandomNetwork(seed), other = RandomNetwork(seed + 1);
    const Plugin shared({{"cost_gate", "off"}, {"num_threads", "2"}});
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&, t] {
        const FakeGraph& mine = t % 2 == 0 ? graph : other;
        FakeInterpreter interpreter(mine, 2);
        ONEXN_CHECK(interpreter.Apply(shared.get()));
        CheckSame(&interpreter, mine, t);
      });
    }
    for (std::thread& thread : threads) thread.join();
  }
  // the delegate goes before or after its interpreters, prepared or not
  for (int seed = 0; seed < cases; ++seed) {
    const FakeGraph graph = RandomNetwork(seed);
    Plugin plugin({{"cost_gate", "off"}, {"num_threads", seed % 2 == 0 ? "1" : "2"}});
    std::unique_ptr<FakeInterpreter> all[3];
    for (auto& one : all) {
      one.reset(new FakeInterpreter(graph));
      ONEXN_CHECK(one->Apply(plugin.get()));
    }
    if (seed % 3 > 0) CheckSame(all[0].get(), graph, seed);
    if (seed % 2 == 0) plugin.Destroy();
    all[seed % 3].reset();
    if (all[1]) CheckSame(all[1].get(), graph, seed);
  }
  const auto report = [](const char* message) { last_message = message; };
  ONEXN_CHECK(Plugin({{"speed", "1"}}, report).get() == nullptr);
  ONEXN_CHECK(last_message.find("unknown option \"speed\"") != std::string::npos);
}

}  // namespace onexn
