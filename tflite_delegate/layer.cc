#include "layer.h"

namespace onexn {
namespace {

// inputs of one output: indices of a panel stay far from overflow
constexpr int64_t kMostInputs = int64_t{1} << 24;

// Finds the constant behind a layer's kernel, through DENSIFY and DEQUANTIZE.
void FindKernel(const Graph& graph, int tensor_index, Layer* layer) {
  const Array<Node>& nodes = graph.nodes();
  int stored = tensor_index;
  int producer = graph.producer(stored);
  if (producer >= 0 && nodes[producer].code == kTfLiteBuiltinDequantize) {
    if (graph.readers(stored) == 1) layer->dequantize = producer;
    stored = nodes[producer].input(0);
    producer = graph.producer(stored);
  }
  if (producer >= 0 && nodes[producer].code == kTfLiteBuiltinDensify) {
    const bool unused = graph.readers(stored) == 1 &&
                        (stored == tensor_index || layer->dequantize >= 0);
    if (unused) layer->densify = producer;
    stored = nodes[producer].input(0);
  }
  if (!graph.is_constant(stored)) {
    layer->reason = Reason::kComputedKernel;
    return;
  }
  const TfLiteTensor& tensor = graph.tensor(stored);
  if (tensor.sparsity == nullptr) {
    layer->dequantize = -1;  // see `dense`
    layer->reason = Reason::kDenseKernel;
    return;
  }
  char message[8];
  layer->sparse = ReadSparseTensor(tensor, &layer->blocks, message, sizeof(message)) ==
                  SparseLayout::kBlocks;
  layer->claimable = layer->sparse;
  if (!layer->sparse) layer->reason = Reason::kOtherLayout;
}

bool Refuse(Layer* layer, Reason reason) {
  layer->claimable = false;
  layer->reason = reason;
  return false;
}

// Of windows, strides and dilations. A file may say more; sizes would overflow.
constexpr int kFarthest = 4096;

bool ReadWindow(int stride_y, int stride_x, int dilation_y, int dilation_x, int padding,
                Window* window, Padding* added) {
  window->stride_y = stride_y;
  window->stride_x = stride_x;
  window->dilation_y = dilation_y;
  window->dilation_x = dilation_x;
  added->same = padding == kTfLitePaddingSame;
  for (int size :
       {window->height, window->width, stride_y, stride_x, dilation_y, dilation_x}) {
    if (size < 1 || size > kFarthest) return false;
  }
  return added->same || padding == kTfLitePaddingValid;
}

// What both kinds of layers ask for.
bool ReadTensors(const Graph& graph, int rank, int fused, Layer* layer) {
  const Node& node = graph.nodes()[layer->position];
  layer->input = node.input(0);
  layer->output = node.output();
  const int kernel = node.input(1);
  if (!graph.is_float(layer->input) || !graph.is_float(layer->output) ||
      !graph.is_float(kernel)) {
    return Refuse(layer, Reason::kNotFloat);
  }
  const TfLiteIntArray* dims = graph.tensor(kernel).dims;
  if (dims == nullptr || dims->size != rank || CountElements(dims) < 1) {
    return Refuse(layer, Reason::kShapes);
  }
  layer->rows = dims->data[0];
  layer->columns = dims->data[rank - 1];
  if (CountElements(dims) / layer->rows > kMostInputs) {
    return Refuse(layer, Reason::kTooWide);
  }
  FindKernel(graph, kernel, layer);
  if (layer->reason == Reason::kDenseKernel && !layer->sparse &&
      !FindConstant(graph, kernel, CountElements(dims), &layer->dense)) {
    return Refuse(layer, Reason::kComputedKernel);
  }
  if (layer->sparse && (layer->blocks.blocks.rows != layer->rows ||
                        layer->blocks.blocks.columns != layer->columns)) {
    return Refuse(layer, Reason::kShapes);
  }
  const int bias = node.input(2);
  if (bias >= 0 && !FindConstant(graph, bias, layer->rows, &layer->bias)) {
    return Refuse(layer, Reason::kBias);
  }
  if (!ReadActivation(fused, &layer->activation)) {
    return Refuse(layer, Reason::kActivation);
  }
  return true;
}

void ReadConvolution(const Graph& graph, Layer* layer) {
  const Node& node = graph.nodes()[layer->position];
  const auto& params = node.params<TfLiteConvParams>();
  if (!ReadTensors(graph, 4, params.activation, layer)) return;
  const TfLiteIntArray* dims = graph.tensor(node.input(1)).dims;
  layer->window.height = dims->data[1];
  layer->window.width = dims->data[2];
  const bool same_window =
      layer->blocks.height == dims->data[1] && layer->blocks.width == dims->data[2];
  if (!graph.is_feature_map(layer->input) || !graph.is_feature_map(layer->output) ||
      graph.channels(layer->output) != layer->rows || (layer->sparse && !same_window) ||
      !ReadWindow(params.stride_height, params.stride_width,
                  params.dilation_height_factor, params.dilation_width_factor,
                  params.padding, &layer->window, &layer->padding)) {
    Refuse(layer, Reason::kShapes);
    return;
  }
  if (graph.channels(layer->input) != layer->columns) Refuse(layer, Reason::kGroups);
}

void ReadFullyConnected(const Graph& graph, Layer* layer) {
  const Node& node = graph.nodes()[layer->position];
  const auto& params = node.params<TfLiteFullyConnectedParams>();
  layer->fully_connected = true;
  layer->keep_dimensions = params.keep_num_dims;
  if (!ReadTensors(graph, 2, params.activation, layer)) return;
  if (params.weights_format != 0) {
    Refuse(layer, Reason::kWeightsFormat);
    return;
  }
  const int64_t inputs = CountElements(graph.tensor(layer->input).dims);
  if (inputs < 0 || inputs % layer->columns != 0 ||
      graph.channels(layer->output) != layer->rows ||
      (params.keep_num_dims && graph.channels(layer->input) != layer->columns)) {
    Refuse(layer, Reason::kShapes);
  }
}

}  // namespace

Layer ReadLayer(const Graph& graph, int position) {
  Layer layer;
  layer.position = position;
  const Node& node = graph.nodes()[position];
  if (node.options == nullptr || node.inputs->size < 2 || node.output() < 0) {
    layer.reason = Reason::kShapes;
  } else if (node.code == kTfLiteBuiltinConv2d) {
    ReadConvolution(graph, &layer);
  } else {
    ReadFullyConnected(graph, &layer);
  }
  return layer;
}

bool ReadDepthwise(const Graph& graph, int position, DepthwiseLayer* layer) {
  const Node& node = graph.nodes()[position];
  if (node.code != kTfLiteBuiltinDepthwiseConv2d || node.options == nullptr) {
    return false;
  }
  const auto& params = node.params<TfLiteDepthwiseConvParams>();
  layer->input = node.input(0);
  layer->output = node.output();
  if (!graph.is_float(layer->input) || !graph.is_float(layer->output) ||
      !graph.is_float(node.input(1)) || !graph.is_feature_map(layer->input) ||
      !graph.is_feature_map(layer->output)) {
    return false;
  }
  const TfLiteIntArray* dims = graph.tensor(node.input(1)).dims;
  if (dims == nullptr || dims->size != 4 || CountElements(dims) < 1) return false;
  layer->channels = dims->data[3];
  layer->window.height = dims->data[1];
  layer->window.width = dims->data[2];
  const int bias = node.input(2);
  return dims->data[0] == 1 && graph.channels(layer->input) == layer->channels &&
         graph.channels(layer->output) == layer->channels &&
         FindConstant(graph, node.input(1), CountElements(dims), &layer->weights) &&
         (bias < 0 || FindConstant(graph, bias, layer->channels, &layer->bias)) &&
         ReadActivation(params.activation, &layer->activation) &&
         ReadWindow(params.stride_height, params.stride_width,
                    params.dilation_height_factor, params.dilation_width_factor,
                    params.padding, &layer->window, &layer->padding) &&
         layer->window.dilation_y == 1 && layer->window.dilation_x == 1;
}

bool ReadActivation(int fused, Activation* activation) {
  switch (fused) {
    case kTfLiteActNone:
      return true;
    case kTfLiteActRelu:
      activation->low = 0;
      return true;
    case kTfLiteActReluN1To1:
      activation->low = -1;
      activation->high = 1;
      return true;
    case kTfLiteActRelu6:
      activation->low = 0;
      activation->high = 6;
      return true;
    default:
      return false;
  }
}

}  // namespace onexn
