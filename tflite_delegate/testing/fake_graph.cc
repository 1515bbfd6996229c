#include "fake_graph.h"

#include <utility>

namespace onexn {
namespace {

// Powers of two have the same value as float16.
constexpr double kHalfSteps = 64;

uint16_t ToFloat16(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof(bits));
  if ((bits & 0x7fffffff) == 0) return 0;
  const int exponent = static_cast<int>(bits >> 23 & 0xff) - 127 + 15;
  return static_cast<uint16_t>((bits >> 16 & 0x8000) | exponent << 10 |
                               (bits >> 13 & 0x3ff));
}

std::vector<char> Stored(const std::vector<float>& values, bool half) {
  std::vector<char> bytes(values.size() * (half ? 2 : 4));
  for (size_t i = 0; i < values.size(); ++i) {
    const uint16_t narrow = ToFloat16(values[i]);
    memcpy(&bytes[i * (half ? 2 : 4)],
           half ? static_cast<const void*>(&narrow) : &values[i], half ? 2 : 4);
  }
  return bytes;
}

size_t Count(const std::vector<int>& shape) {
  size_t count = 1;
  for (int size : shape) count *= size;
  return count;
}

// Values that float16 holds too.
std::vector<float> Steps(Random* random, size_t count) {
  std::vector<float> values = random->Floats(count);
  for (float& value : values) {
    value = static_cast<float>(static_cast<int>(value * kHalfSteps) / kHalfSteps);
  }
  return values;
}

}  // namespace

int FakeGraph::AddTensor(FakeTensor tensor) {
  tensor.name = "tensor " + std::to_string(tensors.size());
  tensors.push_back(std::move(tensor));
  return static_cast<int>(tensors.size()) - 1;
}

int FakeGraph::AddNode(int code, std::vector<int> from, std::vector<char> options) {
  const int output = AddTensor(FakeTensor());
  nodes.push_back({code, std::move(from), {output}, std::move(options)});
  return output;
}

int FakeGraph::Input(std::vector<int> shape) {
  FakeTensor tensor;
  tensor.shape = std::move(shape);
  inputs.push_back(AddTensor(std::move(tensor)));
  return inputs.back();
}

int FakeGraph::Floats(std::vector<int> shape, const std::vector<float>& values) {
  FakeTensor tensor;
  tensor.type = half ? kTfLiteFloat16 : kTfLiteFloat32;
  tensor.shape = std::move(shape);
  tensor.constant = true;
  tensor.bytes = Stored(values, half);
  const int stored = AddTensor(std::move(tensor));
  return half ? AddNode(kTfLiteBuiltinDequantize, {stored}) : stored;
}

int FakeGraph::Integers(const std::vector<int>& values) {
  FakeTensor tensor;
  tensor.type = kTfLiteInt32;
  tensor.shape = {static_cast<int>(values.size())};
  tensor.constant = true;
  tensor.bytes.resize(values.size() * sizeof(int));
  memcpy(tensor.bytes.data(), values.data(), tensor.bytes.size());
  return AddTensor(std::move(tensor));
}

int FakeGraph::SparseKernel(Random* random, std::vector<int> shape, int n,
                            double density) {
  const int rank = static_cast<int>(shape.size());
  FakeTensor tensor;
  tensor.type = half ? kTfLiteFloat16 : kTfLiteFloat32;
  tensor.constant = true;
  tensor.sparse = true;
  FakeSparsity& sparsity = tensor.sparsity;
  FakeSparsity::Level sparse;
  sparse.format = kTfLiteDimSparseCSR;
  sparse.has_arrays = true;
  sparse.segments = {0};
  for (int row = 0; row < shape[0] / n; ++row) {
    for (int k = 0; k < shape[rank - 1]; ++k) {
      // a tensor has values
      if ((row == 0 && k == 0) || random->Chance(density)) sparse.indices.push_back(k);
    }
    sparse.segments.push_back(static_cast<int>(sparse.indices.size()));
  }
  const auto dense = [](int size) {
    FakeSparsity::Level level;
    level.dense_size = size;
    return level;
  };
  // O/n, I, kh, kw, n
  sparsity.traversal_order = {0, rank - 1};
  sparsity.levels = {dense(shape[0] / n), sparse};
  size_t count = sparse.indices.size() * n;
  for (int axis = 1; axis < rank - 1; ++axis) {
    sparsity.traversal_order.push_back(axis);
    sparsity.levels.push_back(dense(shape[axis]));
    count *= shape[axis];
  }
  if (n > 1) {
    sparsity.traversal_order.push_back(rank);
    sparsity.has_block_map = true;
    sparsity.block_map = {0};
    sparsity.levels.push_back(dense(n));
  }
  tensor.bytes = Stored(Steps(random, count), half);
  tensor.unaligned = random->Of({0, 0, 0, 2});
  tensor.shape = std::move(shape);
  const int stored = AddTensor(std::move(tensor));
  const int densified = AddNode(kTfLiteBuiltinDensify, {stored});
  tensors[densified].type = tensors[stored].type;
  return half ? AddNode(kTfLiteBuiltinDequantize, {densified}) : densified;
}

int FakeGraph::DenseKernel(Random* random, std::vector<int> shape) {
  const size_t count = Count(shape);
  return Floats(std::move(shape), Steps(random, count));
}

int FakeGraph::Convolution(int x, int kernel, int bias,
                           const TfLiteConvParams& params) {
  return AddNode(kTfLiteBuiltinConv2d, {x, kernel, bias}, BytesOf(params));
}

int FakeGraph::Depthwise(int x, int kernel, int bias,
                         const TfLiteDepthwiseConvParams& params) {
  return AddNode(kTfLiteBuiltinDepthwiseConv2d, {x, kernel, bias}, BytesOf(params));
}

int FakeGraph::FullyConnected(int x, int kernel, int bias,
                              const TfLiteFullyConnectedParams& params) {
  return AddNode(kTfLiteBuiltinFullyConnected, {x, kernel, bias}, BytesOf(params));
}

int FakeGraph::Add(int a, int b) {
  return AddNode(kTfLiteBuiltinAdd, {a, b}, BytesOf(TfLiteAddParams{kTfLiteActNone}));
}

int FakeGraph::Multiply(int a, int b) {
  return AddNode(kTfLiteBuiltinMul, {a, b}, BytesOf(TfLiteMulParams{kTfLiteActNone}));
}

int FakeGraph::Mean(int x) {
  return AddNode(kTfLiteBuiltinMean, {x, Integers({1, 2})},
                 BytesOf(TfLiteReducerParams{true}));
}

int FakeGraph::HardSwish(int x) { return AddNode(kTfLiteBuiltinHardSwish, {x}); }

int FakeGraph::Pad(int x, int before, int behind) {
  const int sizes = Integers({0, 0, before, behind, before, behind, 0, 0});
  tensors[sizes].shape = {4, 2};
  return AddNode(kTfLiteBuiltinPad, {x, sizes});
}

}  // namespace onexn
