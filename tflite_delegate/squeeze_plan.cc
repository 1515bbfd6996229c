#include "squeeze_plan.h"

#include <string.h>

#include "divider.h"

namespace onexn {

// What working memory is for.
struct SqueezePlan::Parts {
  float* gate;    // of each channel
  float* mean;    // of each channel
  float* hidden;  // outputs of the first layer
  BlockRow* rows;
  float* values;  // of the projection, multiplied by the gate
};

bool SqueezePlan::Pack(const SqueezeExcite& spec, const Packing& projection) {
  projection_ = &projection;
  scale_ = spec.scale;
  return first_.Pack(spec.first) && second_.Pack(spec.second) &&
         first_.ReadFromVector() && second_.ReadFromVector();
}

int64_t SqueezePlan::Divide(float* memory, Parts* parts) const {
  Divider divider(memory);
  parts->gate = divider.Take<float>(channels());
  parts->mean = divider.Take<float>(channels());
  parts->hidden = divider.Take<float>(first_.bsr().rows);
  parts->rows = divider.Take<BlockRow>(projection_->kernel().row_count);
  parts->values = divider.Take<float>(projection_->value_count());
  return divider.floats();
}

int64_t SqueezePlan::Floats() const {
  Parts parts;
  return Divide(nullptr, &parts);
}

PackedKernel SqueezePlan::Run(const Kernels& kernels, const float* sums, int parts,
                              int pixels, float* memory) const {
  Parts divided;
  Divide(memory, &divided);
  Excite(kernels, sums, parts, pixels, divided);
  return Scaled(kernels, divided);
}

void SqueezePlan::Excite(const Kernels& kernels, const float* sums, int parts,
                         int pixels, const Parts& memory) const {
  const int64_t pitch = DivideUp(channels(), kChunk) * kChunk;
  memset(memory.mean, 0, channels() * sizeof(float));
  for (int part = 0; part < parts; ++part, sums += pitch) {
    for (int c = 0; c < channels(); ++c) memory.mean[c] += sums[c];
  }
  const float share = 1.0f / static_cast<float>(pixels);
  for (int c = 0; c < channels(); ++c) memory.mean[c] *= share;
  VectorTask task;
  task.kernel = &first_.kernel();
  task.input = memory.mean;
  task.output = memory.hidden;
  task.last_row = first_.kernel().row_count;
  kernels.multiply_vector(task);
  task.kernel = &second_.kernel();
  task.input = memory.hidden;
  task.output = memory.gate;
  task.last_row = second_.kernel().row_count;
  kernels.multiply_vector(task);
  for (int c = 0; c < channels(); ++c) memory.gate[c] *= scale_;
}

// The gate goes into the projection's few weights instead of the many pixels.
PackedKernel SqueezePlan::Scaled(const Kernels& kernels, const Parts& memory) const {
  const Bsr& bsr = projection_->bsr();
  ScaleTask task;
  task.data = bsr.data;
  task.indices = bsr.indices;
  task.blocks = bsr.blocks();
  task.n = bsr.n;
  task.scales = memory.gate;
  task.scaled = memory.values;
  kernels.scale(task);
  PackedKernel kernel = projection_->kernel();
  for (int r = 0; r < kernel.row_count; ++r) {
    memory.rows[r] = kernel.rows[r];
    memory.rows[r].data = memory.values + (kernel.rows[r].data - bsr.data);
  }
  kernel.rows = memory.rows;
  return kernel;
}

}  // namespace onexn
