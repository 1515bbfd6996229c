// What a file holds, for FakeInterpreter: tensors and operators.

#ifndef ONEXN_TESTING_FAKE_GRAPH_H_
#define ONEXN_TESTING_FAKE_GRAPH_H_

#include <string.h>

#include <string>
#include <vector>

#include "../tflite_abi.h"
#include "random.h"

namespace onexn {

struct FakeSparsity {
  struct Level {
    int format = kTfLiteDimDense;
    int dense_size = 0;
    bool has_arrays = false;
    std::vector<int> segments;
    std::vector<int> indices;
  };

  std::vector<int> traversal_order;
  bool has_block_map = false;
  std::vector<int> block_map;
  std::vector<Level> levels;
};

struct FakeTensor {
  std::string name;
  int type = kTfLiteFloat32;
  std::vector<int> shape;
  bool constant = false;
  std::vector<char> bytes;  // of a constant
  int unaligned = 0;        // how many bytes it is moved in memory
  bool sparse = false;
  FakeSparsity sparsity;
};

struct FakeNode {
  int code;
  std::vector<int> inputs;
  std::vector<int> outputs;
  std::vector<char> options;  // a TfLite…Params; none if empty
};

// Operators return the index of their output.
struct FakeGraph {
  std::vector<FakeTensor> tensors;
  std::vector<FakeNode> nodes;
  std::vector<int> inputs;
  std::vector<int> outputs;
  bool half = false;  // store later kernels and biases as float16

  int Input(std::vector<int> shape);
  // A constant; one as float16 goes through DEQUANTIZE.
  int Floats(std::vector<int> shape, const std::vector<float>& values);
  int Integers(const std::vector<int>& values);
  // A kernel [O, …, I] of random 1×n blocks behind DENSIFY.
  int SparseKernel(Random* random, std::vector<int> shape, int n, double density);
  int DenseKernel(Random* random, std::vector<int> shape);

  int Convolution(int x, int kernel, int bias, const TfLiteConvParams& params);
  int Depthwise(int x, int kernel, int bias, const TfLiteDepthwiseConvParams& params);
  int FullyConnected(int x, int kernel, int bias,
                     const TfLiteFullyConnectedParams& params);
  int Add(int a, int b);
  int Multiply(int a, int b);
  int Mean(int x);
  int HardSwish(int x);
  int Pad(int x, int before, int behind);

  int AddTensor(FakeTensor tensor);
  int AddNode(int code, std::vector<int> inputs, std::vector<char> options = {});
};

// The bytes of some Params.
template <typename Params>
std::vector<char> BytesOf(const Params& params) {
  std::vector<char> bytes(sizeof(Params));
  memcpy(bytes.data(), &params, sizeof(Params));
  return bytes;
}

}  // namespace onexn

#endif  // ONEXN_TESTING_FAKE_GRAPH_H_
