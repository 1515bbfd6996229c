#include "fake_context.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <algorithm>
#include <set>
#include <utility>

#include "fake_operators.h"

namespace onexn {

struct FakeInterpreter::Node {
  TfLiteNode fields = {};
  TfLiteRegistration registration = {};
  IntArray inputs, outputs;
  std::vector<char> options;
  std::unique_ptr<Partition> partition;  // of a delegate
};

namespace {

size_t BytesOfType(int type) {
  if (type == kTfLiteFloat16) return 2;
  return type == kTfLiteInt8 || type == kTfLiteUInt8 ? 1 : 4;
}

std::vector<int> ValuesOf(const TfLiteIntArray* array) {
  return std::vector<int>(array->data, array->data + array->size);
}

}  // namespace

FakeInterpreter::FakeInterpreter(const FakeGraph& graph, int threads) : graph_(graph) {
  for (const FakeTensor& tensor : graph.tensors) MakeTensor(tensor);
  std::vector<int> plan;
  for (const FakeNode& from : graph.nodes) {
    plan.push_back(static_cast<int>(nodes_.size()));
    nodes_.emplace_back();
    Node& node = nodes_.back();
    node.inputs = ArrayOf(from.inputs);
    node.outputs = ArrayOf(from.outputs);
    node.options = from.options;
    node.fields.inputs = node.inputs.get();
    node.fields.outputs = node.outputs.get();
    node.fields.builtin_data = from.options.empty() ? nullptr : node.options.data();
    node.registration.builtin_code = from.code;
  }
  plan_ = ArrayOf(plan);
  context_.tensors_size = tensors_.size();
  context_.tensors = tensors_.data();
  context_.impl = this;
  context_.recommended_num_threads = threads;
  context_.GetExecutionPlan = GetExecutionPlan;
  context_.ResizeTensor = ResizeTensor;
  context_.ReportError = ReportError;
  context_.GetNodeAndRegistration = GetNode;
  context_.ReplaceNodeSubsetsWithDelegateKernels = Replace;
  context_.PreviewDelegatePartitioning = Preview;
}

FakeInterpreter::~FakeInterpreter() {
  FreeNodes(0);
  for (TfLiteTensor& tensor : tensors_) {
    free(tensor.dims);
    if (tensor.allocation_type != kTfLiteMmapRo) free(tensor.data.raw);
  }
}

void FakeInterpreter::FreeNodes(size_t first) {
  for (size_t i = first; i < nodes_.size(); ++i) {
    Node& node = nodes_[i];
    if (node.partition && node.registration.free != nullptr) {
      node.registration.free(&context_, node.fields.user_data);
    }
  }
  nodes_.resize(first);
}

FakeInterpreter& FakeInterpreter::Of(TfLiteContext* context) {
  return *static_cast<FakeInterpreter*>(context->impl);
}

FakeInterpreter::IntArray FakeInterpreter::ArrayOf(const std::vector<int>& values) {
  auto* array = static_cast<TfLiteIntArray*>(
      malloc(sizeof(TfLiteIntArray) + values.size() * sizeof(int)));
  array->size = static_cast<int>(values.size());
  std::copy(values.begin(), values.end(), array->data);
  return IntArray(array);
}

TfLiteIntArray* FakeInterpreter::Keep(const std::vector<int>& values) {
  arrays_.push_back(ArrayOf(values));
  return arrays_.back().get();
}

void FakeInterpreter::MakeTensor(const FakeTensor& from) {
  TfLiteTensor tensor = {};
  tensor.type = from.type;
  tensor.name = from.name.c_str();
  tensor.dims = ArrayOf(from.shape).release();
  tensor.allocation_type = from.constant ? kTfLiteMmapRo : kTfLiteArenaRw;
  if (from.constant) {
    tensor.bytes = from.bytes.size();
    // ends where the values end
    memory_.emplace_back(new char[from.bytes.size() + from.unaligned]);
    char* values = memory_.back().get() + from.unaligned;
    std::copy(from.bytes.begin(), from.bytes.end(), values);
    tensor.data.raw = from.bytes.empty() ? nullptr : values;
  }
  if (from.sparse) MakeSparsity(from.sparsity, &tensor);
  tensors_.push_back(tensor);
}

void FakeInterpreter::MakeSparsity(const FakeSparsity& from, TfLiteTensor* tensor) {
  sparsities_.emplace_back(new TfLiteSparsity());
  TfLiteSparsity& sparsity = *sparsities_.back();
  sparsity.traversal_order = Keep(from.traversal_order);
  if (from.has_block_map) sparsity.block_map = Keep(from.block_map);
  levels_.emplace_back(new TfLiteDimensionMetadata[from.levels.size()]);
  sparsity.dim_metadata = levels_.back().get();
  sparsity.dim_metadata_size = static_cast<int>(from.levels.size());
  for (size_t i = 0; i < from.levels.size(); ++i) {
    const FakeSparsity::Level& level = from.levels[i];
    sparsity.dim_metadata[i] = {level.format, level.dense_size,
                                level.has_arrays ? Keep(level.segments) : nullptr,
                                level.has_arrays ? Keep(level.indices) : nullptr};
  }
  tensor->sparsity = &sparsity;
}

void FakeInterpreter::ReportError(TfLiteContext* context, const char* format, ...) {
  char message[1024];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(message, sizeof(message), format, arguments);
  va_end(arguments);
  Of(context).errors_ += std::string(message) + "\n";
}

int FakeInterpreter::ResizeTensor(TfLiteContext* context, TfLiteTensor* tensor,
                                  TfLiteIntArray* size) {
  free(tensor->dims);
  tensor->dims = size;
  if (tensor->allocation_type == kTfLiteMmapRo) {
    ReportError(context, "a constant is resized");
    return kTfLiteError;
  }
  size_t bytes = BytesOfType(tensor->type);
  for (int i = 0; i < size->size; ++i) bytes *= static_cast<size_t>(size->data[i]);
  free(tensor->data.raw);
  // not what was there before
  tensor->data.raw = malloc(bytes);
  if (bytes > 0) memset(tensor->data.raw, 0xff, bytes);
  tensor->bytes = bytes;
  return kTfLiteOk;
}

int FakeInterpreter::GetExecutionPlan(TfLiteContext* context, TfLiteIntArray** plan) {
  *plan = Of(context).plan_.get();
  return kTfLiteOk;
}

int FakeInterpreter::GetNode(TfLiteContext* context, int index, TfLiteNode** node,
                             TfLiteRegistration** registration) {
  FakeInterpreter& self = Of(context);
  if (index < 0 || static_cast<size_t>(index) >= self.nodes_.size()) {
    return kTfLiteError;
  }
  self.listed_.resize(self.nodes_.size());
  auto& listed = self.listed_[index];
  listed = {self.nodes_[index].fields, self.nodes_[index].registration};
  *node = &listed.first;
  *registration = &listed.second;
  return kTfLiteOk;
}

bool FakeInterpreter::Part(const TfLiteIntArray* nodes, Partition* partition,
                           std::vector<int>* before, std::vector<int>* behind) const {
  const std::vector<int> chosen = ValuesOf(nodes);
  const std::set<int> inside(chosen.begin(), chosen.end());
  std::set<int> made, needed, late;  // tensors
  bool one = true;
  for (int index : ValuesOf(plan_.get())) {
    const Node& node = nodes_[index];
    const std::vector<int> from = ValuesOf(node.fields.inputs);
    const auto reads = [&from](const std::set<int>& tensors) {
      return std::any_of(from.begin(), from.end(),
                         [&](int tensor) { return tensors.count(tensor) > 0; });
    };
    const std::vector<int> to = ValuesOf(node.fields.outputs);
    if (inside.count(index) > 0) {
      if (reads(late)) one = false;
      made.insert(to.begin(), to.end());
      continue;
    }
    needed.insert(from.begin(), from.end());
    if (reads(made) || reads(late)) {
      late.insert(to.begin(), to.end());
      behind->push_back(index);
    } else {
      before->push_back(index);
    }
  }
  needed.insert(graph_.outputs.begin(), graph_.outputs.end());
  std::set<int> read;
  for (int index : chosen) {
    const std::vector<int> from = ValuesOf(nodes_[index].fields.inputs);
    read.insert(from.begin(), from.end());
  }
  std::vector<int> inputs, outputs;
  for (int tensor : read) {
    if (made.count(tensor) == 0 && tensor >= 0) inputs.push_back(tensor);
  }
  for (int tensor : made) {
    if (needed.count(tensor) > 0) outputs.push_back(tensor);
  }
  partition->nodes = ArrayOf(chosen);
  partition->inputs = ArrayOf(inputs);
  partition->outputs = ArrayOf(outputs);
  partition->params.nodes_to_replace = partition->nodes.get();
  partition->params.input_tensors = partition->inputs.get();
  partition->params.output_tensors = partition->outputs.get();
  return one;
}

int FakeInterpreter::Preview(TfLiteContext* context, const TfLiteIntArray* nodes,
                             TfLiteDelegateParams** partitions, int* count) {
  FakeInterpreter& self = Of(context);
  std::vector<int> before, behind;
  self.previewed_.clear();
  self.previewed_.emplace_back();
  const bool one = self.Part(nodes, &self.previewed_.back(), &before, &behind);
  *partitions = &self.previewed_.back().params;
  *count = one ? 1 : 2;
  return kTfLiteOk;
}

int FakeInterpreter::Replace(TfLiteContext* context, TfLiteRegistration registration,
                             const TfLiteIntArray* nodes, TfLiteDelegate* delegate) {
  FakeInterpreter& self = Of(context);
  std::vector<int> before, behind;
  std::unique_ptr<Partition> partition(new Partition());
  if (!self.Part(nodes, partition.get(), &before, &behind)) return kTfLiteError;
  partition->params.delegate = delegate;
  const int index = static_cast<int>(self.nodes_.size());
  self.nodes_.emplace_back();
  Node& node = self.nodes_.back();
  node.registration = registration;
  node.inputs = ArrayOf(ValuesOf(partition->inputs.get()));
  node.outputs = ArrayOf(ValuesOf(partition->outputs.get()));
  node.fields.inputs = node.inputs.get();
  node.fields.outputs = node.outputs.get();
  node.fields.delegate = delegate;
  node.fields.user_data =
      registration.init(context, reinterpret_cast<const char*>(&partition->params), 0);
  node.partition = std::move(partition);
  before.push_back(index);
  before.insert(before.end(), behind.begin(), behind.end());
  self.plan_ = ArrayOf(before);
  return kTfLiteOk;
}

bool FakeInterpreter::Apply(TfLiteDelegate* delegate) {
  IntArray plan = ArrayOf(ValuesOf(plan_.get()));
  const size_t count = nodes_.size();
  const int status = delegate->Prepare(&context_, delegate);
  previewed_.clear();
  if (status == kTfLiteOk) return true;
  FreeNodes(count);
  plan_ = std::move(plan);
  return false;
}

bool FakeInterpreter::Allocate() {
  for (int index : graph_.inputs) Resize(index, ValuesOf(tensors_[index].dims));
  for (int index : ValuesOf(plan_.get())) {
    Node& node = nodes_[index];
    if (node.partition) {
      if (node.registration.prepare(&context_, &node.fields) != kTfLiteOk) return false;
      continue;
    }
    const std::vector<int> shape =
        FakeOutputShape(context_, node.fields, node.registration.builtin_code);
    TfLiteTensor* output = &tensors_[node.fields.outputs->data[0]];
    ResizeTensor(&context_, output, ArrayOf(shape).release());
  }
  return true;
}

bool FakeInterpreter::PrepareDelegated() {
  for (Node& node : nodes_) {
    if (node.partition &&
        node.registration.prepare(&context_, &node.fields) != kTfLiteOk) {
      return false;
    }
  }
  return true;
}

bool FakeInterpreter::Invoke() {
  for (int index : ValuesOf(plan_.get())) {
    Node& node = nodes_[index];
    if (!node.partition) {
      RunFakeOperator(context_, node.fields, node.registration.builtin_code);
    } else if (node.registration.invoke(&context_, &node.fields) != kTfLiteOk) {
      return false;
    }
  }
  return true;
}

void FakeInterpreter::Resize(int input, const std::vector<int>& shape) {
  ResizeTensor(&context_, &tensors_[input], ArrayOf(shape).release());
}

std::vector<int> FakeInterpreter::shape(int tensor) const {
  return ValuesOf(tensors_[tensor].dims);
}

void FakeInterpreter::Fill(int input, const std::vector<float>& values) {
  std::copy(values.begin(), values.end(), tensors_[input].data.f32);
}

std::vector<float> FakeInterpreter::Output(int output) const {
  const TfLiteTensor& tensor = tensors_[output];
  return std::vector<float>(tensor.data.f32,
                            tensor.data.f32 + tensor.bytes / sizeof(float));
}

int FakeInterpreter::delegated() const {
  int count = 0;
  for (const Node& node : nodes_) {
    if (node.partition) count += node.partition->nodes->size;
  }
  return count;
}

void StoreShapes(FakeGraph* graph) {
  FakeInterpreter interpreter(*graph);
  interpreter.Allocate();
  for (const FakeNode& node : graph->nodes) {
    graph->tensors[node.outputs[0]].shape = interpreter.shape(node.outputs[0]);
  }
}

}  // namespace onexn
