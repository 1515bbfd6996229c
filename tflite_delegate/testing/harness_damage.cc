#include <limits.h>

#include <memory>
#include <string>

#include "fake_context.h"
#include "harness.h"
#include "plugin.h"
#include "random.h"

namespace onexn {
namespace {

// A convolution of blocks and its sparse tensor.
FakeGraph Layer(Random* random, FakeTensor** kernel) {
  FakeGraph graph;
  const int window = random->Of({1, 1, 3});
  const int x = graph.Input({1, 5, 6, 12});
  const int sparse =
      graph.SparseKernel(random, {16, window, window, 12}, random->Of({1, 4, 8}), .5);
  const int y = graph.Convolution(x, sparse, graph.DenseKernel(random, {16}),
                                  {kTfLitePaddingSame, 1, 1, kTfLiteActNone, 1, 1});
  graph.outputs = {y};
  StoreShapes(&graph);
  for (FakeTensor& tensor : graph.tensors) {
    if (tensor.sparse) *kernel = &tensor;
  }
  return graph;
}

int AnyNumber(Random* random) {
  return random->Of({-1, 0, 1, 2, 3, 8, 12, 16, 255, 65536, INT_MAX, INT_MIN,
                     random->Between(-4, 20)});
}

// Changes something of an array: a number, or how many there are.
void Damage(std::vector<int>* numbers, Random* random) {
  if (numbers->empty() || random->Chance(.1)) {
    numbers->push_back(AnyNumber(random));
  } else if (random->Chance(.1)) {
    numbers->pop_back();
  } else {
    (*numbers)[random->Between(0, static_cast<int>(numbers->size()) - 1)] =
        AnyNumber(random);
  }
}

void Damage(FakeTensor* tensor, Random* random) {
  FakeSparsity& sparsity = tensor->sparsity;
  const auto at = random->Between(0, static_cast<int>(sparsity.levels.size()) - 1);
  FakeSparsity::Level& level = sparsity.levels[at];
  switch (random->Between(0, 10)) {
    case 0:
      return Damage(&sparsity.traversal_order, random);
    case 1:
      sparsity.has_block_map = random->Chance(.7);
      return Damage(&sparsity.block_map, random);
    case 2:
      level.format = AnyNumber(random);
      return;
    case 3:
      level.dense_size = AnyNumber(random);
      return;
    case 4:
      level.has_arrays = !level.has_arrays;
      return;
    case 5:
    case 6:
      return Damage(&sparsity.levels[1].segments, random);
    case 7:
    case 8:
      return Damage(&sparsity.levels[1].indices, random);
    case 9:
      tensor->bytes.resize(tensor->bytes.size() - random->Between(1, 5));
      return;
    default:
      return Damage(&tensor->shape, random);
  }
}

}  // namespace

// What is claimed in spite of the damage is prepared and runs; all else is refused with
// a message.
void CheckDamage(int cases) {
  int refused = 0, run = 0;
  for (int seed = 0; seed < 20 * cases; ++seed) {
    Random random(seed);
    FakeTensor* kernel = nullptr;
    FakeGraph graph = Layer(&random, &kernel);
    for (int i = random.Between(1, 2); i > 0; --i) Damage(kernel, &random);
    const Plugin plugin({{"cost_gate", "off"}});
    FakeInterpreter interpreter(graph);
    if (!interpreter.Apply(plugin.get())) {
      ONEXN_CHECK(interpreter.errors().find("onexn delegate: the model is damaged") ==
                  0);
      ++refused;
    } else if (interpreter.delegated() > 0 && interpreter.Allocate()) {
      interpreter.Fill(graph.inputs[0], random.Floats(5 * 6 * 12));
      ONEXN_CHECK(interpreter.Invoke());
      ++run;
    }
  }
  printf("damaged kernels: %d refused, %d run\n", refused, run);
  ONEXN_CHECK(refused > run);
}

}  // namespace onexn
