// Squeeze and excite, between a depthwise convolution and a projection.

#ifndef ONEXN_SQUEEZE_PLAN_H_
#define ONEXN_SQUEEZE_PLAN_H_

#include <stdint.h>

#include "kernels/spec.h"
#include "packing.h"

namespace onexn {

class SqueezePlan {
 public:
  // The projection's packing outlives the plan.
  bool Pack(const SqueezeExcite& spec, const Packing& projection);

  // Of working memory.
  int64_t Floats() const;

  // Returns the projection multiplied by the gate of each of its inputs, in `memory`.
  // The means come from `sums` over `pixels`, [parts, channels rounded up to 16].
  PackedKernel Run(const Kernels& kernels, const float* sums, int parts, int pixels,
                   float* memory) const;

 private:
  struct Parts;

  int channels() const { return projection_->bsr().columns; }
  int64_t Divide(float* memory, Parts* parts) const;
  void Excite(const Kernels& kernels, const float* sums, int parts, int pixels,
              const Parts& memory) const;
  PackedKernel Scaled(const Kernels& kernels, const Parts& memory) const;

  const Packing* projection_ = nullptr;
  Packing first_;
  Packing second_;
  float scale_ = 1;
};

}  // namespace onexn

#endif  // ONEXN_SQUEEZE_PLAN_H_
