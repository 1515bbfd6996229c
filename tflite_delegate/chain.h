// A chain of layers around 1×N kernels, computed as one.
//
//   [expand] → [depthwise] → [squeeze and excite] → project → [add]
//
// Only `project` must be there; an expansion comes with a depthwise convolution.

#ifndef ONEXN_CHAIN_H_
#define ONEXN_CHAIN_H_

#include "kernels/spec.h"

namespace onexn {

class ScratchPool;
class ThreadPool;
struct Kernels;

class Chain {
 public:
  Chain() = default;  // for Create
  Chain(const Chain&) = delete;
  Chain& operator=(const Chain&) = delete;
  ~Chain();

  // Packs the kernels. Returns null if there is no memory.
  static Chain* Create(const ChainSpec& spec, const Kernels& kernels);
  static void Destroy(Chain* chain);

  // Plans the work for feature maps of these shapes and about so many threads. Returns
  // whether there is memory.
  bool Resize(const Shape& input, const Shape& output, int threads);

  // `residual` has the output's shape; null without one. Threads may run one chain at
  // the same time. Returns whether there was memory.
  bool Run(const float* input, const float* residual, float* output, ThreadPool* pool,
           ScratchPool* scratch) const;

  // E.g. f32_inverted_residual_1x16__avx512.
  const char* name() const;

 private:
  struct State;
  State* state_ = nullptr;
};

}  // namespace onexn

#endif  // ONEXN_CHAIN_H_
