// [expand] → depthwise → [squeeze and excite] → project → [add], strip by strip.
//
// A strip is a few rows of the output. Sixteen channels at a time are expanded into
// padded rows and go through the depthwise convolution into a panel, which the
// projection reads. The strip is chosen so that all of it stays in the L2 cache. Rows
// that the next strip needs again are kept.

#ifndef ONEXN_BLOCK_PLAN_H_
#define ONEXN_BLOCK_PLAN_H_

#include "chain.h"
#include "memory.h"
#include "packing.h"

namespace onexn {

class BlockPlan {
 public:
  bool Pack(const ChainSpec& spec, const Kernels& kernels);
  bool Resize(const Shape& input, const Shape& output);
  bool Run(const float* input, const float* residual, float* output, ThreadPool* pool,
           ScratchPool* scratch) const;

  // Rows of the output in a strip.
  int strip_rows() const { return strip_rows_; }

 private:
  struct Job;
  struct Rows;

  bool PackDepthwise();
  int64_t ExpandedFloats(int rows, bool one_strip) const;
  int64_t InputFloats(int rows) const;
  int64_t PanelFloats(int rows) const;
  int64_t RangeFloats(int range_rows) const;
  int64_t SqueezeFloats() const;
  int InputRows(int rows) const;

  void RunRange(const Job& job, int range) const;
  void Expand(const Job& job, const Rows& rows, const float* panel, int chunk,
              float* expanded) const;
  void Convolve(const Rows& rows, const float* expanded, int chunk, float* panel) const;
  void Project(const Job& job, const PackedKernel& kernel, const float* panel,
               int first_pixel, int pixels) const;
  // Computes the gate and returns the projection multiplied by it.
  PackedKernel SqueezedProjection(const Job& job, float* memory) const;
  void Squeeze(const Job& job, float* mean, float* hidden, float* gate) const;
  PackedKernel Scaled(const float* gate, float* values, BlockRow* rows) const;
  void ProjectSqueezed(const Job& job, ThreadPool* pool) const;

  const Kernels* kernels_ = nullptr;
  ChainSpec spec_;
  Packing expand_;
  Packing project_;
  Packing first_;
  Packing second_;
  Array<float> depthwise_weights_;  // [chunks, kh, kw, 16]
  Array<float> depthwise_bias_;     // [chunks, 16]

  Shape input_;
  Shape output_;
  int chunks_ = 0;         // of the depthwise convolution's channels
  int row_pixels_ = 0;     // of a padded row
  int strip_rows_ = 0;
  int64_t input_pitch_ = 0;
  int64_t panel_pitch_ = 0;
  Array<int32_t> positions_;  // of an input strip's pixels among padded rows
};

}  // namespace onexn

#endif  // ONEXN_BLOCK_PLAN_H_
