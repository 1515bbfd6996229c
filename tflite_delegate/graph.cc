#include "graph.h"

#include "sparse_tensor.h"

namespace onexn {

bool Graph::Read(TfLiteContext* context) {
  context_ = context;
  TfLiteIntArray* plan = nullptr;
  if (context->GetExecutionPlan(context, &plan) != kTfLiteOk) return false;
  if (!uses_.Resize(context->tensors_size)) return false;
  for (Use& use : uses_) use = {-1, 0, -1};
  for (int i = 0; i < plan->size; ++i) {
    if (!ReadNode(plan->data[i])) return false;
    CountUses(static_cast<int>(nodes_.size()) - 1);
  }
  return true;
}

bool Graph::ReadNode(int index) {
  TfLiteNode* fields = nullptr;
  TfLiteRegistration* registration = nullptr;
  if (context_->GetNodeAndRegistration(context_, index, &fields, &registration) !=
      kTfLiteOk) {
    return false;
  }
  Node node;
  node.index = index;
  node.code = registration->builtin_code;
  node.inputs = fields->inputs;
  node.outputs = fields->outputs;
  node.options = fields->builtin_data;
  return nodes_.Append(node);
}

void Graph::CountUses(int position) {
  const Node& node = nodes_[position];
  for (int i = 0; i < node.inputs->size; ++i) {
    const int index = node.inputs->data[i];
    if (!has(index)) continue;
    ++uses_[index].readers;
    uses_[index].reader = position;
  }
  for (int i = 0; i < node.outputs->size; ++i) {
    const int index = node.outputs->data[i];
    if (has(index)) uses_[index].producer = position;
  }
}

const char* Graph::name(int tensor_index) const {
  const char* name = has(tensor_index) ? tensor(tensor_index).name : nullptr;
  return name == nullptr ? "" : name;
}

int Graph::producer(int tensor_index) const {
  return has(tensor_index) ? uses_[tensor_index].producer : -1;
}

int Graph::readers(int tensor_index) const {
  return has(tensor_index) ? uses_[tensor_index].readers : 0;
}

int Graph::only_reader(int tensor_index) const {
  return readers(tensor_index) == 1 ? uses_[tensor_index].reader : -1;
}

bool Graph::is_float(int tensor_index) const {
  return has(tensor_index) && tensor(tensor_index).type == kTfLiteFloat32;
}

bool Graph::is_constant(int tensor_index) const {
  return has(tensor_index) && tensor(tensor_index).allocation_type == kTfLiteMmapRo &&
         tensor(tensor_index).data.raw != nullptr;
}

bool Graph::is_feature_map(int tensor_index) const {
  return has(tensor_index) && tensor(tensor_index).dims != nullptr &&
         tensor(tensor_index).dims->size == 4;
}

int Graph::channels(int tensor_index) const {
  const TfLiteIntArray* dims = tensor(tensor_index).dims;
  return dims == nullptr || dims->size == 0 ? 0 : dims->data[dims->size - 1];
}

bool FindConstant(const Graph& graph, int tensor_index, int64_t count,
                  Constant* constant) {
  *constant = Constant();
  if (!graph.is_float(tensor_index)) return false;
  size_t bytes = sizeof(float);
  constant->tensor = tensor_index;
  const int producer = graph.producer(tensor_index);
  if (producer >= 0) {
    const Node& node = graph.nodes()[producer];
    if (node.code != kTfLiteBuiltinDequantize) return false;
    constant->tensor = node.input(0);
    if (graph.readers(tensor_index) == 1) constant->dequantize = producer;
    if (!graph.is_constant(constant->tensor)) return false;
    if (graph.tensor(constant->tensor).type != kTfLiteFloat16) return false;
    bytes = sizeof(uint16_t);
  }
  if (!graph.is_constant(constant->tensor)) return false;
  const TfLiteTensor& tensor = graph.tensor(constant->tensor);
  return tensor.sparsity == nullptr && CountElements(tensor.dims) == count &&
         tensor.bytes == static_cast<size_t>(count) * bytes;
}

const float* LoadConstant(const Graph& graph, const Constant& constant,
                          Storage* storage) {
  const TfLiteTensor& tensor = graph.tensor(constant.tensor);
  const auto count = static_cast<size_t>(CountElements(tensor.dims));
  return LoadFloats(tensor.data.raw, tensor.type, count, storage);
}

int64_t CountElements(const TfLiteIntArray* dims) {
  if (dims == nullptr) return -1;
  int64_t count = 1;
  for (int i = 0; i < dims->size; ++i) {
    if (dims->data[i] < 0) return -1;
    if (dims->data[i] > 0 && count > (INT64_MAX >> 8) / dims->data[i]) return -1;
    count *= dims->data[i];
  }
  return count;
}

}  // namespace onexn
