// Reads a sparse tensor as a fuzzer invents it. Malformed ones are refused with a
// message; what is taken for 1×n blocks gives what the dense kernel gives.

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "../sparse_tensor.h"
#include "fake_context.h"
#include "fake_operators.h"
#include "fuzz_input.h"
#include "harness.h"
#include "plugin.h"
#include "random_chain.h"

namespace onexn {

std::atomic<int> harness_checks{0};

namespace {

constexpr int64_t kMostElements = 1 << 14;

// One layer around the tensor.
FakeGraph LayerOf(const FakeTensor& kernel) {
  FakeGraph graph;
  const int stored = graph.AddTensor(kernel);
  int dense = graph.AddNode(kTfLiteBuiltinDensify, {stored});
  graph.tensors[dense].type = kernel.type;
  graph.tensors[dense].shape = kernel.shape;
  if (kernel.type == kTfLiteFloat16) {
    dense = graph.AddNode(kTfLiteBuiltinDequantize, {dense});
    graph.tensors[dense].shape = kernel.shape;
  }
  const bool window = kernel.shape.size() == 4;
  const int inputs = kernel.shape.empty() ? 1 : kernel.shape.back();
  const int outputs = kernel.shape.empty() ? 1 : kernel.shape[0];
  int y;
  if (window) {
    const int x = graph.Input({1, 3, 2, inputs});
    y = graph.Convolution(x, dense, -1,
                          {kTfLitePaddingSame, 1, 1, kTfLiteActNone, 1, 1});
    graph.tensors[y].shape = {1, 3, 2, outputs};
  } else {
    const int x = graph.Input({2, inputs});
    y = graph.FullyConnected(x, dense, -1, {kTfLiteActNone, 0, false});
    graph.tensors[y].shape = {2, outputs};
  }
  graph.outputs = {y};
  return graph;
}

bool IsSmall(const FakeTensor& kernel) {
  int64_t elements = 1;
  for (int size : kernel.shape) {
    elements *= size;
    if (elements > kMostElements) return false;
  }
  return true;
}

// Runs the layer with and without the delegate.
void RunLayer(const FakeGraph& graph, FakeInterpreter* claimed) {
  FakeInterpreter plain(graph);
  const int x = graph.inputs[0];
  ONEXN_CHECK(plain.Allocate());
  ONEXN_CHECK(claimed->Allocate());
  size_t count = 1;
  for (int size : graph.tensors[x].shape) count *= size;
  const std::vector<float> values = Random(count).Floats(count);
  plain.Fill(x, values);
  claimed->Fill(x, values);
  ONEXN_CHECK(plain.Invoke() && claimed->Invoke());
  const int y = graph.outputs[0];
  ONEXN_CHECK(Difference(claimed->Output(y), plain.Output(y)) <= 2e-5);
  ++fuzz_counts.run;
}

}  // namespace
}  // namespace onexn

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  using namespace onexn;
  const FakeTensor kernel = TensorOf(bytes, size);
  const FakeGraph graph = LayerOf(kernel);
  FakeInterpreter interpreter(graph);
  SparseKernel blocks;
  char message[200] = "";
  const SparseLayout layout =
      ReadSparseTensor(interpreter.tensor(0), &blocks, message, sizeof(message));
  ONEXN_CHECK((layout == SparseLayout::kMalformed) == (message[0] != '\0'));
  switch (layout) {
    case SparseLayout::kMalformed:
      ++fuzz_counts.malformed;
      break;
    case SparseLayout::kOther:
      ++fuzz_counts.other;
      break;
    case SparseLayout::kBlocks:
      ++fuzz_counts.blocks;
      break;
  }
  // the slowest of all kernels is the first to be right
  const Plugin plugin(
      {{"cost_gate", "off"}, {"num_threads", size % 2 == 0 ? "1" : "2"}});
  const bool applied = interpreter.Apply(plugin.get());
  ONEXN_CHECK(applied == (layout != SparseLayout::kMalformed));
  ONEXN_CHECK(applied == interpreter.errors().empty());
  if (interpreter.delegated() == 0) return 0;
  ONEXN_CHECK(layout == SparseLayout::kBlocks);
  if (IsSmall(kernel)) {
    RunLayer(graph, &interpreter);
  } else {
    interpreter.PrepareDelegated();  // or not, but without a crash
  }
  return 0;
}
