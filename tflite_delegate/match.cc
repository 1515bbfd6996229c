#include "match.h"

#include <math.h>

namespace onexn {
namespace {

constexpr int kMostPadding = 1 << 16;

bool IsIdentity(const Activation& activation) {
  return activation.low == -INFINITY && activation.high == INFINITY &&
         !activation.hard_swish;
}

void AddNode(int position, Match* match) {
  if (position < 0 || match->node_count == Match::kMostNodes) return;
  int at = match->node_count++;
  for (; at > 0 && match->nodes[at - 1] > position; --at) {
    match->nodes[at] = match->nodes[at - 1];
  }
  match->nodes[at] = position;
}

void AddOperator(int position, Match* match) {
  AddNode(position, match);
  ++match->operators;
}

void AddLayer(const Layer& layer, Match* match) {
  AddOperator(layer.position, match);
  AddNode(layer.densify, match);
  AddNode(layer.dequantize, match);
  AddNode(layer.dense.dequantize, match);
  AddNode(layer.bias.dequantize, match);
}

// Whether two tensors have the same shape, whatever the inputs are resized to.
bool SameShape(const TfLiteTensor& a, const TfLiteTensor& b) {
  if (a.dims == nullptr || b.dims == nullptr || a.dims->size != b.dims->size) {
    return false;
  }
  for (int i = 0; i < a.dims->size; ++i) {
    if (a.dims->data[i] != b.dims->data[i]) return false;
  }
  for (const TfLiteTensor* tensor : {&a, &b}) {
    const TfLiteIntArray* signature = tensor->dims_signature;
    if (signature == nullptr) continue;
    for (int i = 1; i < signature->size; ++i) {
      if (signature->data[i] < 0) return false;
    }
  }
  return true;
}

// Reads int32 constants of a known number; null if a tensor is anything else.
const int32_t* Integers(const Graph& graph, int tensor_index, int64_t count) {
  if (!graph.is_constant(tensor_index)) return nullptr;
  const TfLiteTensor& tensor = graph.tensor(tensor_index);
  const bool aligned =
      reinterpret_cast<uintptr_t>(tensor.data.raw) % alignof(int32_t) == 0;
  if (tensor.type != kTfLiteInt32 || !aligned || CountElements(tensor.dims) != count ||
      tensor.bytes != static_cast<size_t>(count) * sizeof(int32_t)) {
    return nullptr;
  }
  return tensor.data.i32;
}

// Whether a MEAN is one over the pixels of each image.
bool IsImageMean(const Graph& graph, const Node& node) {
  const int32_t* axes = Integers(graph, node.input(1), 2);
  if (axes == nullptr || node.options == nullptr) return false;
  if (!node.params<TfLiteReducerParams>().keep_dims) return false;
  const int first = axes[0] < 0 ? axes[0] + 4 : axes[0];
  const int second = axes[1] < 0 ? axes[1] + 4 : axes[1];
  return (first == 1 && second == 2) || (first == 2 && second == 1);
}

// Whether an ADD or MUL leaves its results as they are.
template <typename Params>
bool IsPlain(const Node& node) {
  return node.inputs->size == 2 && node.options != nullptr &&
         node.params<Params>().activation == kTfLiteActNone;
}

}  // namespace

bool Matcher::ReadLayers() {
  const Array<Node>& nodes = graph_.nodes();
  if (!layer_at_.Resize(nodes.size()) || !taken_.Resize(nodes.size())) return false;
  for (size_t i = 0; i < nodes.size(); ++i) {
    layer_at_[i] = -1;
    if (nodes[i].code != kTfLiteBuiltinConv2d &&
        nodes[i].code != kTfLiteBuiltinFullyConnected) {
      continue;
    }
    layer_at_[i] = static_cast<int>(layers_.size());
    if (!layers_.Append(ReadLayer(graph_, static_cast<int>(i)))) return false;
  }
  return true;
}

bool Matcher::Find(const Layer& project, Extent extent, Match* match) const {
  *match = Match();
  if (!project.claimable || taken(project)) return false;
  match->project = &project;
  match->input = project.input;
  match->output = project.output;
  match->padding = project.padding;
  if (extent == Extent::kNode) {
    AddOperator(project.position, match);
    return true;
  }
  AddLayer(project, match);
  switch (extent) {
    case Extent::kBlock:
      if (!FindBlock(match)) return false;
      FindAhead(match);
      return true;
    case Extent::kBlockToProject:
      return FindBlock(match);
    case Extent::kNeighbours:
      if (!project.fully_connected) FindPadding(&match->input, match);
      FindAhead(match);
      return true;
    default:
      return true;
  }
}

void Matcher::Take(const Match& match) {
  for (int i = 0; i < match.node_count; ++i) taken_[match.nodes[i]] = true;
}

int Matcher::Behind(int tensor_index, int code, int readers) const {
  const int position = graph_.producer(tensor_index);
  if (position < 0 || taken_[position] || graph_.readers(tensor_index) != readers) {
    return -1;
  }
  const Node& node = graph_.nodes()[position];
  const bool fits = node.code == code && node.output() == tensor_index &&
                    graph_.is_float(tensor_index) && graph_.is_float(node.input(0));
  return fits ? position : -1;
}

int Matcher::Ahead(int tensor_index, int code) const {
  const int position = graph_.only_reader(tensor_index);
  if (position < 0 || taken_[position]) return -1;
  const Node& node = graph_.nodes()[position];
  return node.code == code && graph_.is_float(node.output()) ? position : -1;
}

const Layer* Matcher::PointwiseBehind(int tensor_index) const {
  const int position = Behind(tensor_index, kTfLiteBuiltinConv2d);
  if (position < 0) return nullptr;
  const Layer& layer = layers_[layer_at_[position]];
  const bool known =
      layer.sparse ? layer.claimable
                   : layer.dense.tensor >= 0 && layer.reason == Reason::kDenseKernel;
  return known && layer.pointwise() ? &layer : nullptr;
}

bool Matcher::FindBlock(Match* match) const {
  if (!match->project->pointwise()) return false;
  int at = match->project->input;
  FindSqueeze(&at, match);
  int readers = match->first == nullptr ? 1 : 2;
  const int swish = Behind(at, kTfLiteBuiltinHardSwish, readers);
  if (swish >= 0) {
    match->swish_behind_depthwise = true;
    AddOperator(swish, match);
    at = graph_.nodes()[swish].input(0);
    readers = 1;
  }
  const int position = Behind(at, kTfLiteBuiltinDepthwiseConv2d, readers);
  DepthwiseLayer& depthwise = match->depthwise;
  if (position < 0 || !ReadDepthwise(graph_, position, &depthwise) ||
      depthwise.channels != match->project->columns ||
      (swish >= 0 && !IsIdentity(depthwise.activation))) {
    return false;
  }
  match->has_depthwise = true;
  AddOperator(position, match);
  AddNode(depthwise.weights.dequantize, match);
  AddNode(depthwise.bias.dequantize, match);
  match->padding = depthwise.padding;
  match->input = depthwise.input;
  FindPadding(&match->input, match);
  FindExpansion(&match->input, match);
  return true;
}

void Matcher::FindSqueeze(int* tensor_index, Match* match) const {
  const int position = Behind(*tensor_index, kTfLiteBuiltinMul);
  if (position < 0) return;
  const Node& node = graph_.nodes()[position];
  if (!IsPlain<TfLiteMulParams>(node)) return;
  for (int gate : {1, 0}) {
    Match attempt = *match;
    const int feature_map = node.input(1 - gate);
    if (!FindGate(node.input(gate), feature_map, &attempt)) continue;
    AddOperator(position, &attempt);
    *match = attempt;
    *tensor_index = feature_map;
    return;
  }
}

bool Matcher::FindGate(int gate, int feature_map, Match* match) const {
  if (!graph_.is_feature_map(feature_map) || graph_.readers(feature_map) != 2) {
    return false;
  }
  const int channels = graph_.channels(feature_map);
  const Layer* second = PointwiseBehind(FindScale(gate, match));
  if (second == nullptr || second->rows != channels) return false;
  const Layer* first = PointwiseBehind(second->input);
  if (first == nullptr || first->rows != second->columns ||
      first->columns != channels) {
    return false;
  }
  const int mean = Behind(first->input, kTfLiteBuiltinMean);
  if (mean < 0 || graph_.nodes()[mean].input(0) != feature_map ||
      !IsImageMean(graph_, graph_.nodes()[mean])) {
    return false;
  }
  match->first = first;
  match->second = second;
  AddLayer(*first, match);
  AddLayer(*second, match);
  AddOperator(mean, match);
  return true;
}

// Looks for a MUL by a number; returns the other factor.
int Matcher::FindScale(int gate, Match* match) const {
  const int position = Behind(gate, kTfLiteBuiltinMul);
  if (position < 0 || !IsPlain<TfLiteMulParams>(graph_.nodes()[position])) return gate;
  const Node& node = graph_.nodes()[position];
  for (int number : {1, 0}) {
    Constant constant;
    if (!FindConstant(graph_, node.input(number), 1, &constant)) continue;
    Storage storage;
    const float* scale = LoadConstant(graph_, constant, &storage);
    if (scale == nullptr) continue;
    match->scale = *scale;
    AddOperator(position, match);
    AddNode(constant.dequantize, match);
    return node.input(1 - number);
  }
  return gate;
}

void Matcher::FindExpansion(int* tensor_index, Match* match) const {
  int at = *tensor_index;
  const int swish = Behind(at, kTfLiteBuiltinHardSwish);
  if (swish >= 0) at = graph_.nodes()[swish].input(0);
  const Layer* expand = PointwiseBehind(at);
  if (expand == nullptr || !expand->sparse ||
      expand->rows != match->depthwise.channels ||
      (swish >= 0 && !IsIdentity(expand->activation))) {
    return;
  }
  match->expand = expand;
  AddLayer(*expand, match);
  if (swish >= 0) {
    match->swish_behind_expand = true;
    AddOperator(swish, match);
  }
  *tensor_index = expand->input;
}

void Matcher::FindPadding(int* tensor_index, Match* match) const {
  const int position = Behind(*tensor_index, kTfLiteBuiltinPad);
  if (position < 0) return;
  const Node& node = graph_.nodes()[position];
  const int32_t* sizes = Integers(graph_, node.input(1), 8);
  if (sizes == nullptr || !graph_.is_feature_map(node.input(0))) return;
  for (int i = 0; i < 8; ++i) {
    const bool image = i >= 2 && i < 6;
    if (sizes[i] < 0 || sizes[i] > (image ? kMostPadding : 0)) return;
  }
  match->padding.top = sizes[2];
  match->padding.bottom = sizes[3];
  match->padding.left = sizes[4];
  match->padding.right = sizes[5];
  AddOperator(position, match);
  *tensor_index = node.input(0);
}

void Matcher::FindAhead(Match* match) const {
  const int swish = Ahead(match->output, kTfLiteBuiltinHardSwish);
  if (swish >= 0 && IsIdentity(match->project->activation)) {
    match->swish_behind_project = true;
    AddOperator(swish, match);
    match->output = graph_.nodes()[swish].output();
  }
  const int add = Ahead(match->output, kTfLiteBuiltinAdd);
  if (add < 0 || match->project->fully_connected) return;
  const Node& node = graph_.nodes()[add];
  if (!IsPlain<TfLiteAddParams>(node)) return;
  const int other = node.input(node.input(0) == match->output ? 1 : 0);
  if (!graph_.is_float(other) || graph_.is_constant(other) ||
      !SameShape(graph_.tensor(other), graph_.tensor(match->output))) {
    return;
  }
  match->residual = other;
  AddOperator(add, match);
  match->output = node.output();
}

}  // namespace onexn
