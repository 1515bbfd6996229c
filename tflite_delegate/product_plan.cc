#include "product_plan.h"

#include "cache.h"
#include "scratch.h"
#include "shared_work.h"
#include "thread_pool.h"

namespace onexn {
namespace {

int RoundUp(int value, int multiple) {
  return static_cast<int>(DivideUp(value, multiple)) * multiple;
}

bool IsPlain(const Window& window) {
  return window.height == 1 && window.width == 1 && window.stride_y == 1 &&
         window.stride_x == 1 && window.pad_top == 0 && window.pad_left == 0;
}

}  // namespace

struct ProductPlan::Job {
  const ProductPlan* plan;
  const float* input;
  const float* residual;
  float* output;
  float* panels;
  int64_t panel_floats;  // from one thread's panel to the next one's
  int strip_pixels;
};

bool ProductPlan::Pack(const Convolution& convolution, const Kernels& kernels) {
  kernels_ = &kernels;
  window_ = convolution.window;
  return packing_.Pack(convolution);
}

bool ProductPlan::Resize(const Shape& input, const Shape& output, int threads) {
  input_ = input;
  output_ = output;
  capacity_ = 0;
  const int64_t pixels = output.pixels();
  if (pixels > INT32_MAX || input.size() > INT32_MAX) return false;
  if (pixels == 1 && IsPlain(window_)) return packing_.ReadFromVector();
  const int channels = packing_.panel_channels();
  const int64_t fitting =
      L2CacheBytes() / 4 / (channels * static_cast<int64_t>(sizeof(float)));
  const int strip = static_cast<int>(fitting < 1        ? 1
                                     : fitting < pixels ? fitting
                                                        : pixels);
  const int width = packing_.kernel().width;
  const int uses = packing_.uses();
  // tiles first, since a panel has room for whole ones
  capacity_ = RoundUp(strip, BestPanel(*kernels_, width, uses, strip, channels).tile);
  layout_ = BestPanel(*kernels_, width, uses, capacity_, channels);
  by_rows_ = threads > 1 && capacity_ >= pixels &&
             DivideUp(pixels, layout_.tile) < kItemsPerThread * threads;
  return packing_.ReadFromPanel(layout_) && (IsPlain(window_) || FindWindows());
}

bool ProductPlan::FindWindows() {
  const size_t pixels = output_.pixels();
  const size_t positions = static_cast<size_t>(window_.height) * window_.width;
  if (!offsets_.Resize(positions * pixels)) return false;
  int32_t* to = offsets_.data();
  for (int i = 0; i < window_.height; ++i) {
    for (int j = 0; j < window_.width; ++j) {
      for (int image = 0; image < output_.batch; ++image) {
        for (int oy = 0; oy < output_.height; ++oy) {
          const int y =
              oy * window_.stride_y - window_.pad_top + i * window_.dilation_y;
          for (int ox = 0; ox < output_.width; ++ox) {
            const int x =
                ox * window_.stride_x - window_.pad_left + j * window_.dilation_x;
            const bool inside =
                y >= 0 && y < input_.height && x >= 0 && x < input_.width;
            *to++ = !inside ? -1
                            : ((image * input_.height + y) * input_.width + x) *
                                  input_.channels;
          }
        }
      }
    }
  }
  return true;
}

bool ProductPlan::Run(const float* input, const float* residual, float* output,
                      ThreadPool* pool, ScratchPool* scratch) const {
  if (capacity_ == 0) {
    RunVector(input, residual, output);
    return true;
  }
  const int pixels = static_cast<int>(output_.pixels());
  Job job = {this, input, residual, output, nullptr, 0, capacity_};
  const int threads = pool == nullptr ? 1 : pool->threads();
  job.panel_floats = PanelFloats(layout_, capacity_, packing_.panel_channels());
  if (threads > 1) {
    const int share = RoundUp(
        static_cast<int>(DivideUp(pixels, kItemsPerThread * threads)), layout_.tile);
    if (share < capacity_) job.strip_pixels = share;
  }
  const int panels = by_rows_ ? 1 : threads;
  job.panels =
      static_cast<float*>(scratch->Take(panels * job.panel_floats * sizeof(float)));
  if (job.panels == nullptr) return false;
  if (by_rows_) {
    for (int t = 0; t < packing_.bsr().window; ++t) {
      PackInItems(*kernels_, InputPacking(job, t, 0, pixels, job.panels), pool);
    }
    MultiplyInItems(*kernels_, Product(job, 0, pixels, job.panels), pool);
  } else {
    RunItems(
        pool, static_cast<int>(DivideUp(pixels, job.strip_pixels)),
        [](void* context, int strip, int thread) {
          const Job& job = *static_cast<const Job*>(context);
          job.plan->RunStrip(job, strip, thread);
        },
        &job);
  }
  scratch->Give(job.panels);
  return true;
}

void ProductPlan::RunVector(const float* input, const float* residual,
                            float* output) const {
  VectorTask task;
  task.kernel = &packing_.kernel();
  task.input = input;
  task.output = output;
  task.residual = residual;
  task.last_row = packing_.kernel().row_count;
  kernels_->multiply_vector(task);
}

void ProductPlan::RunStrip(const Job& job, int strip, int thread) const {
  const int pixels = static_cast<int>(output_.pixels());
  const int first = strip * job.strip_pixels;
  const int count =
      pixels - first < job.strip_pixels ? pixels - first : job.strip_pixels;
  float* panel = job.panels + thread * job.panel_floats;
  for (int t = 0; t < packing_.bsr().window; ++t) {
    kernels_->pack(InputPacking(job, t, first, count, panel));
  }
  kernels_->multiply(Product(job, first, count, panel));
}

PackTask ProductPlan::InputPacking(const Job& job, int position, int first, int pixels,
                                   float* panel) const {
  PackTask pack;
  pack.input = job.input;
  pack.pitch = input_.channels;
  pack.channels = input_.channels;
  pack.pixels = pixels;
  pack.layout = layout_;
  pack.panel = panel + layout_.offset(position * packing_.input_chunks() * kChunk);
  if (offsets_.empty()) {
    pack.input += int64_t{1} * first * input_.channels;
  } else {
    pack.offsets = offsets_.data() + position * output_.pixels() + first;
  }
  return pack;
}

ProductTask ProductPlan::Product(const Job& job, int first, int pixels,
                                 const float* panel) const {
  ProductTask product;
  product.kernel = &packing_.kernel();
  product.panel = panel;
  product.layout = layout_;
  product.last_row = packing_.kernel().row_count;
  product.last_pixel = pixels;
  product.pitch = output_.channels;
  product.output = job.output + int64_t{1} * first * output_.channels;
  if (job.residual != nullptr) {
    product.residual = job.residual + int64_t{1} * first * output_.channels;
  }
  return product;
}

}  // namespace onexn
