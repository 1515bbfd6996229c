// Single layers of a graph, read as far as a chain needs them.

#ifndef ONEXN_LAYER_H_
#define ONEXN_LAYER_H_

#include "graph.h"
#include "kernels/types.h"
#include "memory.h"
#include "sparse_tensor.h"
#include "verdict.h"

namespace onexn {

// How much is added around a feature map, besides what `same` asks for.
struct Padding {
  bool same = false;  // so much that a stride of 1 keeps the size
  int top = 0;
  int bottom = 0;
  int left = 0;
  int right = 0;
};

// A CONV_2D or FULLY_CONNECTED.
struct Layer {
  int position = -1;  // among the nodes of the graph
  bool claimable = false;
  Reason reason = Reason::kDenseKernel;  // why not
  int input = -1;                        // tensors
  int output = -1;
  bool fully_connected = false;
  bool keep_dimensions = false;  // of a fully connected layer's input
  int rows = 0;                  // output channels
  int columns = 0;               // input channels
  bool sparse = false;           // stored in blocks
  SparseKernel blocks;
  Constant dense;    // else
  int densify = -1;  // nodes that nothing else needs
  int dequantize = -1;
  Constant bias;
  Window window;
  Padding padding;
  Activation activation;

  // Whether it works on single pixels, each one.
  bool pointwise() const {
    return !fully_connected && window.height == 1 && window.width == 1 &&
           window.stride_y == 1 && window.stride_x == 1;
  }
};

// Reads a CONV_2D or FULLY_CONNECTED.
Layer ReadLayer(const Graph& graph, int position);

// A DEPTHWISE_CONV_2D of one output for each channel.
struct DepthwiseLayer {
  int input = -1;
  int output = -1;
  int channels = 0;
  Constant weights;
  Constant bias;
  Window window;
  Padding padding;
  Activation activation;
};

// Returns whether a node is one that a chain can take.
bool ReadDepthwise(const Graph& graph, int position, DepthwiseLayer* layer);

// Reads what an operator does to its sums. Returns whether kernels know it.
bool ReadActivation(int fused, Activation* activation);

}  // namespace onexn

#endif  // ONEXN_LAYER_H_
