// [expand] → depthwise → [squeeze and excite] → project → [add], strip by strip.
//
// A strip is a few rows of the output. Sixteen channels at a time are expanded into
// padded rows, which stay in the L1 cache, and go through the depthwise convolution
// into a panel, which stays in the L2 cache and which the projection reads. Rows that
// the next strip needs again are kept.
//
// Threads share out rows of the output. Where these are few, each thread would expand
// rows of its neighbours again; then threads share out the channels of the depthwise
// convolution instead, and the projection after these.

#ifndef ONEXN_BLOCK_PLAN_H_
#define ONEXN_BLOCK_PLAN_H_

#include "chain.h"
#include "layout.h"
#include "memory.h"
#include "packing.h"
#include "squeeze_plan.h"

namespace onexn {

class BlockPlan {
 public:
  bool Pack(const ChainSpec& spec, const Kernels& kernels);
  bool Resize(const Shape& input, const Shape& output, int threads);
  bool Run(const float* input, const float* residual, float* output, ThreadPool* pool,
           ScratchPool* scratch) const;

 private:
  struct Job;
  struct Range;
  struct Strip;

  bool PackDepthwise();
  void ChooseStrip();
  void ChooseLayouts();
  // Whether this many threads had better share out channels than rows.
  bool PrefersChannels(int threads) const;
  int InputRows(int rows) const;
  int KeptRows() const;
  int64_t RowFloats() const;
  int64_t ChunkFloats(int rows) const;
  int64_t InputFloats(int rows) const;
  int64_t StripPanelFloats(int rows) const;
  // Divide the memory of a thread, or of all; return how many floats it takes, and
  // without memory do nothing but that.
  int64_t DivideRange(float* memory, int rows, Range* range) const;
  int64_t DivideShared(float* memory, Job* job) const;
  int64_t RangeFloats(int rows, bool keeps) const;

  void ShareOut(int threads, Job* job) const;
  Range RangeOf(const Job& job, int index, int thread) const;
  void RunRange(const Job& job, int index, int thread) const;
  void ClearPadding(const Range& range) const;
  void Recall(const Range& range, int chunk) const;
  void Keep(const Range& range, const Strip& strip, int chunk) const;
  PackTask InputPacking(const Job& job, int first_row, int last_row,
                        float* panel) const;
  void Expand(const Job& job, const Range& range, const Strip& strip, int chunk) const;
  void Convolve(const Job& job, const Range& range, const Strip& strip,
                int chunk) const;
  ProductTask Projection(const Job& job, const float* panel, int first_pixel,
                         int pixels) const;
  void ProjectImage(Job* job, ThreadPool* pool) const;
  void ProjectItem(const Job& job, int item, int thread) const;

  const Kernels* kernels_ = nullptr;
  ChainSpec spec_;
  Packing expand_;
  Packing project_;
  SqueezePlan squeeze_;
  Array<float> depthwise_weights_;  // [chunks, kh, kw, 16]
  Array<float> depthwise_bias_;     // [chunks, 16]

  Shape input_;
  Shape output_;
  int channels_ = 0;    // of the depthwise convolution
  int chunks_ = 0;      // of these
  int row_pixels_ = 0;  // of a padded row
  int strip_rows_ = 0;
  bool by_channels_ = false;    // how threads share
  PanelLayout input_layout_;    // of the expansion
  PanelLayout image_layout_;    // of the whole image before squeeze and excite
  PanelLayout project_layout_;  // of the projection
  // where the pixels of new rows go among the padded rows
  Array<int32_t> positions_;
};

}  // namespace onexn

#endif  // ONEXN_BLOCK_PLAN_H_
