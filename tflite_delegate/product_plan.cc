#include "product_plan.h"

#include "cache.h"
#include "scratch.h"
#include "thread_pool.h"

namespace onexn {
namespace {

// pixels of a strip come in multiples of it, so that tiles are full
constexpr int kTilePixels = 14;

int RoundUp(int64_t value, int multiple) {
  return static_cast<int>((value + multiple - 1) / multiple * multiple);
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
  int64_t panel_floats;  // from one strip's panel to the next one's; 0: they share it
  int strip_pixels;
};

bool ProductPlan::Pack(const Convolution& convolution, const Kernels& kernels) {
  kernels_ = &kernels;
  window_ = convolution.window;
  return packing_.Pack(convolution);
}

bool ProductPlan::Resize(const Shape& input, const Shape& output) {
  input_ = input;
  output_ = output;
  const int64_t pixels = output.pixels();
  if (pixels > INT32_MAX || input.size() > INT32_MAX) return false;
  capacity_ = 0;  // no panel
  if (pixels == 1 && IsPlain(window_)) return packing_.ReadFromVector();
  group_ = kernels_->group(packing_.kernel().width);
  const int tile = kTilePixels * group_;
  const int64_t pixel_bytes = packing_.panel_chunks() * kChunk * sizeof(float);
  const int64_t fitting = L2CacheBytes() / 4 / pixel_bytes / tile * tile;
  capacity_ = RoundUp(pixels, group_);
  if (fitting < capacity_) capacity_ = static_cast<int>(fitting < tile ? tile : fitting);
  pitch_ = int64_t{kChunk} * PanelPixels(capacity_);
  if (!packing_.ReadFromPanel(pitch_, group_)) return false;
  if (IsPlain(window_)) return true;

  const int positions = window_.height * window_.width;
  if (!offsets_.Resize(static_cast<size_t>(positions) * pixels)) return false;
  int32_t* to = offsets_.data();
  for (int i = 0; i < window_.height; ++i) {
    for (int j = 0; j < window_.width; ++j) {
      for (int image = 0; image < output.batch; ++image) {
        for (int oy = 0; oy < output.height; ++oy) {
          const int y = oy * window_.stride_y - window_.pad_top + i * window_.dilation_y;
          for (int ox = 0; ox < output.width; ++ox) {
            const int x =
                ox * window_.stride_x - window_.pad_left + j * window_.dilation_x;
            const bool inside = y >= 0 && y < input.height && x >= 0 && x < input.width;
            *to++ = !inside ? -1
                            : ((image * input.height + y) * input.width + x) *
                                  input.channels;
          }
        }
      }
    }
  }
  return true;
}

bool ProductPlan::Run(const float* input, const float* residual, float* output,
                      ThreadPool* pool, ScratchPool* scratch) const {
  const int pixels = static_cast<int>(output_.pixels());
  if (capacity_ == 0) {
    RunVector(input, residual, output);
    return true;
  }
  Job job = {this, input, residual, output, nullptr, 0, capacity_};
  const int threads = pool == nullptr ? 1 : pool->threads();
  if (threads > 1) {
    // enough strips that a thread which comes late is not waited for
    const int share = RoundUp((pixels + 3 * threads - 1) / (3 * threads),
                              kTilePixels * group_);
    if (share < capacity_) job.strip_pixels = share;
  }
  const int strips = (pixels + job.strip_pixels - 1) / job.strip_pixels;
  const int64_t panel_floats = packing_.panel_chunks() * pitch_;
  if (threads > 1) job.panel_floats = panel_floats;
  const int panels = threads > 1 ? strips : 1;
  job.panels =
      static_cast<float*>(scratch->Take(panels * panel_floats * sizeof(float)));
  if (job.panels == nullptr) return false;
  RunItems(
      pool, strips,
      [](void* context, int strip) {
        const Job& job = *static_cast<const Job*>(context);
        job.plan->RunStrip(job, strip);
      },
      &job);
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

void ProductPlan::RunStrip(const Job& job, int strip) const {
  const int pixels = static_cast<int>(output_.pixels());
  const int first = strip * job.strip_pixels;
  const int count =
      pixels - first < job.strip_pixels ? pixels - first : job.strip_pixels;
  const int chunks = packing_.input_chunks();
  float* panel = job.panels + strip * job.panel_floats;

  PackTask pack;
  pack.input = job.input;
  pack.pitch = input_.channels;
  pack.channels = input_.channels;
  pack.last_chunk = chunks;
  pack.pixels = count;
  pack.group = group_;
  pack.panel_pitch = pitch_;
  if (offsets_.empty()) {
    pack.input += int64_t{1} * first * input_.channels;
    pack.panel = panel;
    kernels_->pack(pack);
  } else {
    for (int t = 0; t < packing_.bsr().window; ++t) {
      pack.offsets = offsets_.data() + int64_t{1} * t * pixels + first;
      pack.panel = panel + int64_t{1} * t * chunks * pitch_;
      kernels_->pack(pack);
    }
  }

  ProductTask product;
  product.kernel = &packing_.kernel();
  product.panel = panel;
  product.last_row = packing_.kernel().row_count;
  product.last_pixel = count;
  product.pitch = output_.channels;
  product.output = job.output + int64_t{1} * first * output_.channels;
  if (job.residual != nullptr) {
    product.residual = job.residual + int64_t{1} * first * output_.channels;
  }
  kernels_->multiply(product);
}

}  // namespace onexn
