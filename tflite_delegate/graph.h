// One reading of a runtime's graph: who makes each tensor and who reads it.

#ifndef ONEXN_GRAPH_H_
#define ONEXN_GRAPH_H_

#include <stddef.h>

#include "memory.h"
#include "tflite_abi.h"

namespace onexn {

// An operator of the execution plan. It stays valid while nodes are replaced.
struct Node {
  int index = -1;  // in the file
  int code = 0;    // kTfLiteBuiltin…
  const TfLiteIntArray* inputs = nullptr;
  const TfLiteIntArray* outputs = nullptr;
  const void* options = nullptr;  // TfLite…Params, maybe null

  // The tensor at a place, -1 if there is none.
  int input(int i) const { return i < inputs->size ? inputs->data[i] : -1; }
  int output() const { return outputs->size == 1 ? outputs->data[0] : -1; }

  template <typename Params>
  const Params& params() const {
    return *static_cast<const Params*>(options);
  }
};

class Graph {
 public:
  // Reads the plan; before any node is replaced. Returns whether that went well.
  bool Read(TfLiteContext* context);

  const Array<Node>& nodes() const { return nodes_; }
  bool has(int tensor_index) const {
    return tensor_index >= 0 && static_cast<size_t>(tensor_index) < uses_.size();
  }
  const TfLiteTensor& tensor(int index) const { return context_->tensors[index]; }
  const char* name(int tensor_index) const;

  // Which of the nodes writes a tensor; -1 for none.
  int producer(int tensor_index) const;
  // How many inputs of nodes a tensor is. A graph's outputs are not counted: what a set
  // of nodes must hand out is known to the runtime only.
  int readers(int tensor_index) const;
  // Which of the nodes is the only one to read a tensor, and reads it once; else -1.
  int only_reader(int tensor_index) const;

  bool is_float(int tensor_index) const;
  // Whether its values are in the file.
  bool is_constant(int tensor_index) const;
  // Whether it is [batch, height, width, channels].
  bool is_feature_map(int tensor_index) const;
  // The last dimension.
  int channels(int tensor_index) const;

 private:
  struct Use {
    int producer;
    int readers;
    int reader;
  };

  bool ReadNode(int index);
  void CountUses(int position);

  TfLiteContext* context_ = nullptr;
  Array<Node> nodes_;
  Array<Use> uses_;
};

// Floats in the file: float32, or float16 behind a DEQUANTIZE.
struct Constant {
  int tensor = -1;      // where they are stored; -1 for none
  int dequantize = -1;  // which node makes them float32 for one reader only; else -1
};

// Looks for a constant of so many floats behind a tensor.
bool FindConstant(const Graph& graph, int tensor_index, int64_t count,
                  Constant* constant);

// Its values as floats; null if there is no memory.
const float* LoadConstant(const Graph& graph, const Constant& constant,
                          Storage* storage);

// The number of elements of a shape, -1 if one is negative or there are too many.
int64_t CountElements(const TfLiteIntArray* dims);

}  // namespace onexn

#endif  // ONEXN_GRAPH_H_
