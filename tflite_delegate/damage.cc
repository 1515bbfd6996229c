#include "damage.h"

#include <stdio.h>

#include "sparse_tensor.h"

namespace onexn {
namespace {

bool CheckReader(const Graph& graph, const Node& node, char* message,
                 size_t message_size) {
  const int first = node.input(0);
  if (node.code == kTfLiteBuiltinDensify &&
      (!graph.has(first) || graph.tensor(first).sparsity == nullptr)) {
    snprintf(message, message_size,
             "DENSIFY at operator %d reads \"%.200s\", which is not sparse", node.index,
             graph.name(first));
    return false;
  }
  if (node.code == kTfLiteBuiltinDensify) return true;
  for (int i = 0; i < node.inputs->size; ++i) {
    const int index = node.inputs->data[i];
    if (!graph.has(index) || graph.tensor(index).sparsity == nullptr) continue;
    SparseKernel kernel;
    if (node.code == kTfLiteBuiltinFullyConnected &&
        ReadSparseTensor(graph.tensor(index), &kernel, message, message_size) ==
            SparseLayout::kOther) {
      continue;
    }
    snprintf(message, message_size,
             "operator %d reads sparse tensor \"%.200s\" without DENSIFY", node.index,
             graph.name(index));
    return false;
  }
  return true;
}

}  // namespace

bool CheckSparsity(const Graph& graph, char* message, size_t message_size) {
  for (int i = 0; graph.has(i); ++i) {
    SparseKernel kernel;
    if (graph.tensor(i).sparsity != nullptr &&
        ReadSparseTensor(graph.tensor(i), &kernel, message, message_size) ==
            SparseLayout::kMalformed) {
      return false;
    }
  }
  for (const Node& node : graph.nodes()) {
    if (!CheckReader(graph, node, message, message_size)) return false;
  }
  return true;
}

}  // namespace onexn
