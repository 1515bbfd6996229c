// One convolution or fully connected layer: strips of pixels through a panel.

#ifndef ONEXN_PRODUCT_PLAN_H_
#define ONEXN_PRODUCT_PLAN_H_

#include "chain.h"
#include "layout.h"
#include "memory.h"
#include "packing.h"

namespace onexn {

class ProductPlan {
 public:
  bool Pack(const Convolution& convolution, const Kernels& kernels);
  bool Resize(const Shape& input, const Shape& output, int threads);
  bool Run(const float* input, const float* residual, float* output, ThreadPool* pool,
           ScratchPool* scratch) const;

 private:
  struct Job;

  void RunVector(const float* input, const float* residual, float* output) const;
  void RunStrip(const Job& job, int strip, int thread) const;
  PackTask InputPacking(const Job& job, int position, int first, int pixels,
                        float* panel) const;
  ProductTask Product(const Job& job, int first, int pixels, const float* panel) const;

  bool FindWindows();

  const Kernels* kernels_ = nullptr;
  Window window_;
  Packing packing_;
  Shape input_;
  Shape output_;
  PanelLayout layout_;
  bool by_rows_ = false;  // threads share out block rows of a few pixels
  int capacity_ = 0;      // pixels of a panel; 0: there is a single pixel and no panel
  // where the windows of each pixel are in the input, [window, pixels]
  Array<int32_t> offsets_;
};

}  // namespace onexn

#endif  // ONEXN_PRODUCT_PLAN_H_
