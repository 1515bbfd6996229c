#include "chain.h"

#include <stdio.h>

#include "block_plan.h"
#include "kernels/reference.h"
#include "product_plan.h"
#include "scratch.h"

namespace onexn {

struct Chain::State {
  ChainSpec spec;
  const Kernels* kernels = nullptr;
  Shape input;
  Shape output;
  ProductPlan product;
  BlockPlan block;
  char name[64] = "";

  bool is_reference() const { return kernels->multiply == nullptr; }
};

namespace {

const char* KindOf(const ChainSpec& spec) {
  if (spec.has_expand) return "inverted_residual";
  if (spec.has_depthwise) return "depthwise_pointwise";
  return spec.project.kernel.window == 1 ? "pointwise" : "convolution";
}

}  // namespace

Chain* Chain::Create(const ChainSpec& spec, const Kernels& kernels) {
  Owned<Chain> chain(New<Chain>());
  if (!chain) return nullptr;
  chain->state_ = New<State>();
  if (chain->state_ == nullptr) return nullptr;
  State& state = *chain->state_;
  state.spec = spec;
  state.kernels = &kernels;
  snprintf(state.name, sizeof(state.name), "f32_%s_1x%d__%s", KindOf(spec),
           spec.project.kernel.n, kernels.isa);
  if (state.is_reference()) return chain.release();
  const bool packed = spec.has_depthwise ? state.block.Pack(spec, kernels)
                                         : state.product.Pack(spec.project, kernels);
  return packed ? chain.release() : nullptr;
}

void Chain::Destroy(Chain* chain) { Delete(chain); }

Chain::~Chain() { Delete(state_); }

bool Chain::Resize(const Shape& input, const Shape& output, int threads) {
  state_->input = input;
  state_->output = output;
  if (state_->is_reference()) return true;
  return state_->spec.has_depthwise ? state_->block.Resize(input, output, threads)
                                    : state_->product.Resize(input, output, threads);
}

bool Chain::Run(const float* input, const float* residual, float* output,
                ThreadPool* pool, ScratchPool* scratch) const {
  const State& state = *state_;
  if (state.is_reference()) {
    const size_t floats = ReferenceScratch(state.spec, state.input, state.output);
    void* memory = scratch->Take(floats * sizeof(float));
    if (memory == nullptr) return false;
    RunReference(state.spec, state.input, state.output, input, residual, output,
                 static_cast<float*>(memory));
    scratch->Give(memory);
    return true;
  }
  return state.spec.has_depthwise
             ? state.block.Run(input, residual, output, pool, scratch)
             : state.product.Run(input, residual, output, pool, scratch);
}

const char* Chain::name() const { return state_->name; }

}  // namespace onexn
