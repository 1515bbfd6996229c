#include "claimed_chain.h"

#include <limits.h>
#include <stdlib.h>

#include "cost.h"

namespace onexn {
namespace {

struct Extension {
  int output;  // size, 0 if the window does not fit
  int before;  // what is added in front
};

Extension Extend(int size, int before, int behind, bool same, int taps, int stride,
                 int dilation) {
  const int64_t padded = int64_t{size} + before + behind;
  const int64_t reach = int64_t{taps - 1} * dilation + 1;
  if (same) {
    const int64_t output = (padded + stride - 1) / stride;
    const int64_t needed = (output - 1) * stride + reach - padded;
    return {static_cast<int>(output),
            before + static_cast<int>(needed > 0 ? needed / 2 : 0)};
  }
  const int64_t output = padded < reach ? 0 : (padded - reach) / stride + 1;
  return {static_cast<int>(output), before};
}

// Stores a dense kernel [O, 1, 1, I] as blocks that are all there.
bool BlocksOfDense(const Graph& graph, const Layer& layer, Storage* storage,
                   Bsr* blocks) {
  int n = 16;
  while (layer.rows % n != 0) n /= 2;
  const int block_rows = layer.rows / n;
  const float* dense = LoadConstant(graph, layer.dense, storage);
  const size_t count = static_cast<size_t>(block_rows) * layer.columns;
  auto* data = storage->Allocate<float>(count * n);
  auto* indices = storage->Allocate<int32_t>(count);
  auto* indptr = storage->Allocate<int32_t>(block_rows + 1);
  if (dense == nullptr || data == nullptr || indices == nullptr || indptr == nullptr) {
    return false;
  }
  indptr[0] = 0;
  for (int row = 0; row < block_rows; ++row) {
    indptr[row + 1] = (row + 1) * layer.columns;
    for (int column = 0; column < layer.columns; ++column) {
      const size_t z = static_cast<size_t>(row) * layer.columns + column;
      indices[z] = column;
      for (int lane = 0; lane < n; ++lane) {
        const size_t from = static_cast<size_t>(row) * n + lane;
        data[z * n + lane] = dense[from * layer.columns + column];
      }
    }
  }
  blocks->rows = layer.rows;
  blocks->columns = layer.columns;
  blocks->n = n;
  blocks->data = data;
  blocks->indices = indices;
  blocks->indptr = indptr;
  return true;
}

}  // namespace

ClaimedChain* ClaimedChain::Create(const Graph& graph, const Match& match,
                                   const Kernels& kernels) {
  Owned<ClaimedChain> chain(New<ClaimedChain>());
  if (!chain || !chain->ReadSpec(graph, match)) return nullptr;
  chain->padding_ = match.padding;
  chain->fully_connected_ = match.project->fully_connected;
  chain->keep_dimensions_ = match.project->keep_dimensions;
  chain->input_ = match.input;
  chain->residual_ = match.residual;
  chain->output_ = match.output;
  chain->kernels_ = &kernels;
  chain->FindShapes(graph.tensor(match.input));
  return chain.release();
}

ClaimedChain::~ClaimedChain() { Chain::Destroy(chain_); }

double ClaimedChain::Gain() const {
  Shape input = input_shape_;
  Shape output = output_shape_;
  // sizes that are not known yet are small ones
  for (Shape* shape : {&input, &output}) {
    shape->batch = shape->batch < 1 ? 1 : shape->batch;
    shape->height = shape->height < 1 ? 1 : shape->height;
    shape->width = shape->width < 1 ? 1 : shape->width;
  }
  return ExpectedGain(spec_, input, output);
}

bool ClaimedChain::Pack() {
  Chain::Destroy(chain_);
  chain_ = Chain::Create(spec_, *kernels_);
  return chain_ != nullptr;
}

int ClaimedChain::Prepare(TfLiteContext* context, int threads) {
  const char* name = context->tensors[output_].name;
  const Window before = window();
  if (!FindShapes(context->tensors[input_])) {
    context->ReportError(context,
                         "onexn delegate: the input of \"%s\" does not have the shape "
                         "that its kernel expects, or is smaller than the kernel.",
                         name);
    return kTfLiteError;
  }
  const bool moved =
      before.pad_top != window().pad_top || before.pad_left != window().pad_left;
  if ((moved && !Pack()) || !chain_->Resize(input_shape_, output_shape_, threads)) {
    context->ReportError(context, "onexn delegate: no memory for \"%s\".", name);
    return kTfLiteError;
  }
  if (residual_ >= 0) {
    const TfLiteIntArray* dims = context->tensors[residual_].dims;
    if (dims->size != 4 || dims->data[0] != output_shape_.batch ||
        dims->data[1] != output_shape_.height || dims->data[2] != output_shape_.width ||
        dims->data[3] != output_shape_.channels) {
      context->ReportError(context,
                           "onexn delegate: what is added to \"%s\" does not have its "
                           "shape.",
                           name);
      return kTfLiteError;
    }
  }
  return ResizeOutput(context);
}

int ClaimedChain::Run(TfLiteContext* context, ThreadPool* pool,
                      ScratchPool* scratch) const {
  if (output_shape_.size() == 0) return kTfLiteOk;
  const float* residual =
      residual_ < 0 ? nullptr : context->tensors[residual_].data.f32;
  TfLiteTensor& output = context->tensors[output_];
  if (chain_->Run(context->tensors[input_].data.f32, residual, output.data.f32, pool,
                  scratch)) {
    return kTfLiteOk;
  }
  context->ReportError(context, "onexn delegate: no memory to compute \"%s\".",
                       output.name);
  return kTfLiteError;
}

bool ClaimedChain::ReadSpec(const Graph& graph, const Match& match) {
  spec_.has_expand = match.expand != nullptr;
  spec_.has_depthwise = match.has_depthwise;
  spec_.has_squeeze = match.first != nullptr;
  spec_.has_residual = match.residual >= 0;
  if (spec_.has_expand && !ReadConvolution(graph, *match.expand,
                                           match.swish_behind_expand, &spec_.expand)) {
    return false;
  }
  if (spec_.has_depthwise) {
    const DepthwiseLayer& layer = match.depthwise;
    spec_.depthwise.window = layer.window;
    spec_.depthwise.activation = layer.activation;
    spec_.depthwise.activation.hard_swish = match.swish_behind_depthwise;
    spec_.depthwise.weights = LoadConstant(graph, layer.weights, &storage_);
    if (spec_.depthwise.weights == nullptr) return false;
    if (layer.bias.tensor >= 0) {
      spec_.depthwise.bias = LoadConstant(graph, layer.bias, &storage_);
      if (spec_.depthwise.bias == nullptr) return false;
    }
  }
  if (spec_.has_squeeze) {
    spec_.squeeze.scale = match.scale;
    if (!ReadConvolution(graph, *match.first, false, &spec_.squeeze.first) ||
        !ReadConvolution(graph, *match.second, false, &spec_.squeeze.second)) {
      return false;
    }
  }
  return ReadConvolution(graph, *match.project, match.swish_behind_project,
                         &spec_.project);
}

bool ClaimedChain::ReadConvolution(const Graph& graph, const Layer& layer,
                                   bool hard_swish, Convolution* convolution) {
  const bool read = layer.sparse
                        ? LoadValues(layer.blocks, &storage_, &convolution->kernel)
                        : BlocksOfDense(graph, layer, &storage_, &convolution->kernel);
  if (!read) return false;
  if (layer.bias.tensor >= 0) {
    convolution->bias = LoadConstant(graph, layer.bias, &storage_);
    if (convolution->bias == nullptr) return false;
  }
  convolution->window = layer.window;
  convolution->activation = layer.activation;
  convolution->activation.hard_swish = hard_swish;
  return true;
}

bool ClaimedChain::FindShapes(const TfLiteTensor& input) {
  const Bsr& first = spec_.has_expand ? spec_.expand.kernel : spec_.project.kernel;
  const int channels = first.columns;
  const int64_t elements = CountElements(input.dims);
  input_shape_ = Shape();
  output_shape_ = Shape();
  input_shape_.channels = channels;
  output_shape_.channels = spec_.project.kernel.rows;
  if (elements < 0) return false;
  if (fully_connected_) {
    const int64_t vectors = elements / channels;
    if (vectors > INT_MAX || vectors * channels != elements) return false;
    input_shape_.width = static_cast<int>(vectors);
    output_shape_.width = input_shape_.width;
    return true;
  }
  if (input.dims->size != 4 || input.dims->data[3] != channels) return false;
  input_shape_.batch = input.dims->data[0];
  input_shape_.height = input.dims->data[1];
  input_shape_.width = input.dims->data[2];
  output_shape_.batch = input_shape_.batch;
  Window& moved = window();
  const Extension rows =
      Extend(input_shape_.height, padding_.top, padding_.bottom, padding_.same,
             moved.height, moved.stride_y, moved.dilation_y);
  const Extension columns =
      Extend(input_shape_.width, padding_.left, padding_.right, padding_.same,
             moved.width, moved.stride_x, moved.dilation_x);
  output_shape_.height = rows.output;
  output_shape_.width = columns.output;
  moved.pad_top = rows.before;
  moved.pad_left = columns.before;
  return rows.output > 0 && columns.output > 0;
}

int ClaimedChain::ResizeOutput(TfLiteContext* context) const {
  const TfLiteIntArray* input = context->tensors[input_].dims;
  int rank = 4;
  if (fully_connected_) rank = keep_dimensions_ ? input->size : 2;
  auto* dims =
      static_cast<TfLiteIntArray*>(malloc(sizeof(TfLiteIntArray) + rank * sizeof(int)));
  if (dims == nullptr) return kTfLiteError;
  dims->size = rank;
  if (!fully_connected_) {
    dims->data[0] = output_shape_.batch;
    dims->data[1] = output_shape_.height;
    dims->data[2] = output_shape_.width;
  } else if (keep_dimensions_) {
    for (int i = 0; i < rank; ++i) dims->data[i] = input->data[i];
  } else {
    dims->data[0] = output_shape_.width;
  }
  dims->data[rank - 1] = output_shape_.channels;
  return context->ResizeTensor(context, &context->tensors[output_], dims);
}

}  // namespace onexn
