// [expand] → depthwise → [squeeze and excite] → project → [add], strip by strip.
//
// A strip is a few rows of the output. Sixteen channels at a time are expanded into
// padded rows, which stay in the L1 cache, and go through the depthwise convolution
// into a panel, which stays in the L2 cache and which the projection reads. Rows that
// the next strip needs again are kept.

#ifndef ONEXN_BLOCK_PLAN_H_
#define ONEXN_BLOCK_PLAN_H_

#include "chain.h"
#include "layout.h"
#include "memory.h"
#include "packing.h"

namespace onexn {

class BlockPlan {
 public:
  bool Pack(const ChainSpec& spec, const Kernels& kernels);
  bool Resize(const Shape& input, const Shape& output);
  bool Run(const float* input, const float* residual, float* output, ThreadPool* pool,
           ScratchPool* scratch) const;

 private:
  struct Job;
  struct Range;
  struct Gate;
  struct Strip;

  bool PackDepthwise();
  void ChooseStrip();
  int InputRows(int rows) const;
  int KeptRows() const;
  int64_t RowFloats() const;
  int64_t ChunkFloats(int rows) const;
  int64_t InputFloats(int rows) const;
  int64_t StripPanelFloats(int rows) const;
  // Divides the memory of a range or of a gate; both return how many floats it takes,
  // and without memory nothing but that.
  int64_t DivideRange(float* memory, int rows, Range* range) const;
  int64_t DivideGate(float* memory, Gate* gate) const;
  int64_t RangeFloats(int rows, bool keeps) const;
  int64_t GateFloats() const;

  Range RangeOf(const Job& job, int index) const;
  void RunRange(const Job& job, int index) const;
  void ClearPadding(const Range& range) const;
  void Recall(const Range& range, int chunk) const;
  void Keep(const Range& range, const Strip& strip, int chunk) const;
  void PackInput(const Job& job, const Range& range, const Strip& strip) const;
  void Expand(const Job& job, const Range& range, const Strip& strip, int chunk) const;
  void Convolve(const Job& job, const Range& range, const Strip& strip,
                int chunk) const;
  void Project(const Job& job, const PackedKernel& kernel, const float* panel,
               int first_pixel, int pixels) const;

  // Computes the gate and returns the projection multiplied by it.
  PackedKernel SqueezedProjection(const Job& job, float* memory) const;
  void Squeeze(const Job& job, const Gate& gate) const;
  PackedKernel Scaled(const Gate& gate) const;
  void ProjectSqueezed(const Job& job, ThreadPool* pool) const;
  void ProjectItem(const Job& job, int item) const;

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
  int channels_ = 0;    // of the depthwise convolution
  int chunks_ = 0;      // of these
  int row_pixels_ = 0;  // of a padded row
  int strip_rows_ = 0;
  PanelLayout input_layout_;    // of the expansion
  PanelLayout image_layout_;    // of the whole image before squeeze and excite
  PanelLayout project_layout_;  // of the projection
  // where the pixels of new rows go among the padded rows
  Array<int32_t> positions_;
};

}  // namespace onexn

#endif  // ONEXN_BLOCK_PLAN_H_
