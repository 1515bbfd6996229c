#include "block_plan.h"

#include "cache.h"
#include "scratch.h"
#include "thread_pool.h"

namespace onexn {
namespace {

int Least(int a, int b) { return a < b ? a : b; }
int Most(int a, int b) { return a > b ? a : b; }
int Chunks(int channels) { return (channels + kChunk - 1) / kChunk; }
int RoundUp(int value, int multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

}  // namespace

// One image on its way.
struct BlockPlan::Job {
  const BlockPlan* plan;
  const float* input;
  const float* residual;
  float* output;
  int ranges;
  float* panel;    // of the whole image with squeeze and excite, else null
  float* scratch;  // of all ranges
  int64_t range_floats;
  // what comes after squeeze and excite
  const PackedKernel* kernel;
  int pixels_per_item;
};

// A strip: rows of the output, of the padded input, and which of these are new.
struct BlockPlan::Rows {
  int first_output;
  int last_output;
  int first_input;  // may be negative
  int last_input;   // may be beyond the image
  int kept;         // rows that the strip before has left
  bool moves;       // whether they have to be moved to the start

  int first_new() const { return first_input + kept; }
};

bool BlockPlan::Pack(const ChainSpec& spec, const Kernels& kernels) {
  kernels_ = &kernels;
  spec_ = spec;
  if (spec.has_expand && !expand_.Pack(spec.expand)) return false;
  if (spec.has_squeeze && (!first_.Pack(spec.squeeze.first) ||
                           !second_.Pack(spec.squeeze.second) ||
                           !first_.ReadFromVector() || !second_.ReadFromVector())) {
    return false;
  }
  return project_.Pack(spec.project) && PackDepthwise();
}

bool BlockPlan::PackDepthwise() {
  const int channels = spec_.project.kernel.columns;
  const int taps = spec_.depthwise.window.height * spec_.depthwise.window.width;
  chunks_ = Chunks(channels);
  if (!depthwise_weights_.Resize(static_cast<size_t>(chunks_) * taps * kChunk) ||
      !depthwise_bias_.Resize(static_cast<size_t>(chunks_) * kChunk)) {
    return false;
  }
  for (int c = 0; c < channels; ++c) {
    float* to = &depthwise_weights_[(c / kChunk * taps) * kChunk + c % kChunk];
    for (int t = 0; t < taps; ++t) {
      to[t * kChunk] = spec_.depthwise.weights[t * channels + c];
    }
    if (spec_.depthwise.bias != nullptr) depthwise_bias_[c] = spec_.depthwise.bias[c];
  }
  return true;
}

int BlockPlan::InputRows(int rows) const {
  return (rows - 1) * spec_.depthwise.window.stride_y + spec_.depthwise.window.height;
}

int64_t BlockPlan::ExpandedFloats(int rows, bool one_strip) const {
  // later strips need what is expanded of every chunk
  const int kept = spec_.has_expand && !one_strip ? chunks_ : 1;
  return int64_t{1} * kept * InputRows(rows) * row_pixels_ * kChunk;
}

int64_t BlockPlan::InputFloats(int rows) const {
  if (!spec_.has_expand) return 0;
  const int pixels = Least(InputRows(rows), input_.height) * input_.width;
  const int group = kernels_->group(expand_.kernel().width);
  return PanelPixels(RoundUp(pixels, group)) * kChunk * expand_.input_chunks();
}

int64_t BlockPlan::PanelFloats(int rows) const {
  const int pixels = rows * output_.width;
  const int group = kernels_->group(project_.kernel().width);
  return PanelPixels(RoundUp(pixels, group)) * kChunk * chunks_;
}

bool BlockPlan::Resize(const Shape& input, const Shape& output) {
  input_ = input;
  output_ = output;
  const Window& window = spec_.depthwise.window;
  row_pixels_ = Most(window.pad_left + input.width,
                     (output.width - 1) * window.stride_x + window.width);
  const int64_t budget = L2CacheBytes() / 2 / static_cast<int64_t>(sizeof(float));
  int strips = 1;
  for (;; ++strips) {
    strip_rows_ = (output.height + strips - 1) / strips;
    const int64_t panel = PanelFloats(spec_.has_squeeze ? output.height : strip_rows_);
    const int64_t working = InputFloats(strip_rows_) +
                            ExpandedFloats(strip_rows_, strips == 1) +
                            (spec_.has_squeeze ? 0 : panel);
    if (working <= budget || strip_rows_ == 1) break;
  }
  panel_pitch_ = PanelFloats(spec_.has_squeeze ? output.height : strip_rows_) / chunks_;
  if (!project_.ReadFromPanel(panel_pitch_,
                              kernels_->group(project_.kernel().width))) {
    return false;
  }
  if (!spec_.has_expand) return true;
  input_pitch_ = InputFloats(strip_rows_) / expand_.input_chunks();
  const int rows = Least(InputRows(strip_rows_), input.height);
  if (!positions_.Resize(static_cast<size_t>(rows) * input.width)) return false;
  for (int y = 0; y < rows; ++y) {
    for (int x = 0; x < input.width; ++x) {
      positions_[y * input.width + x] = (y * row_pixels_ + window.pad_left + x) * kChunk;
    }
  }
  return expand_.ReadFromPanel(input_pitch_,
                               kernels_->group(expand_.kernel().width));
}

bool BlockPlan::Run(const float* input, const float* residual, float* output,
                    ThreadPool* pool, ScratchPool* scratch) const {
  const int threads = pool == nullptr ? 1 : pool->threads();
  Job job = {};
  job.plan = this;
  // more ranges than threads, so that one which comes late is not waited for
  job.ranges = threads == 1 ? 1 : Least(2 * threads, output_.height);
  const int range_rows = (output_.height + job.ranges - 1) / job.ranges;
  job.ranges = (output_.height + range_rows - 1) / range_rows;
  const int64_t panel = panel_pitch_ * chunks_;
  job.range_floats = RangeFloats(range_rows);
  const int64_t shared = spec_.has_squeeze ? panel + SqueezeFloats() : 0;
  const int64_t floats = shared + job.ranges * job.range_floats;
  auto* memory = static_cast<float*>(scratch->Take(floats * sizeof(float)));
  if (memory == nullptr) return false;
  job.scratch = memory + shared;
  for (int image = 0; image < input_.batch; ++image) {
    job.input = input + image * (input_.size() / input_.batch);
    job.output = output + image * (output_.size() / output_.batch);
    job.residual = residual == nullptr
                       ? nullptr
                       : residual + image * (output_.size() / output_.batch);
    job.panel = spec_.has_squeeze ? memory : nullptr;
    RunItems(
        pool, job.ranges,
        [](void* context, int range) {
          const Job& job = *static_cast<const Job*>(context);
          job.plan->RunRange(job, range);
        },
        &job);
    if (!spec_.has_squeeze) continue;
    const PackedKernel kernel = SqueezedProjection(job, memory + panel);
    job.kernel = &kernel;
    ProjectSqueezed(job, pool);
  }
  scratch->Give(memory);
  return true;
}

void BlockPlan::RunRange(const Job& job, int range) const {
  const Window& window = spec_.depthwise.window;
  const int range_rows = (output_.height + job.ranges - 1) / job.ranges;
  const int first = range * range_rows;
  const int last = Least(first + range_rows, output_.height);
  const bool one_strip = range_rows <= strip_rows_;

  float* panel = job.scratch + range * job.range_floats;
  float* packed = panel + (job.panel == nullptr ? panel_pitch_ * chunks_ : 0);
  float* expanded =
      packed + (spec_.has_expand ? input_pitch_ * expand_.input_chunks() : 0);
  if (job.panel != nullptr) panel = job.panel;
  const int64_t chunk_floats = int64_t{1} *
                               InputRows(Least(range_rows, strip_rows_)) *
                               row_pixels_ * kChunk;
  const bool keeps = spec_.has_expand && !one_strip;
  const int group = kernels_->group(project_.kernel().width);
  if (project_.bsr().columns % kChunk != 0) {
    // lanes without a channel are computed too
    float* unused = expanded + (keeps ? (chunks_ - 1) * chunk_floats : 0);
    memset(unused, 0, chunk_floats * sizeof(float));
  }

  Rows rows = {};
  for (int row = first; row < last; row += strip_rows_) {
    const Rows before = rows;
    rows.first_output = row;
    rows.last_output = Least(row + strip_rows_, last);
    rows.first_input = row * window.stride_y - window.pad_top;
    rows.last_input = rows.first_input + InputRows(rows.last_output - row);
    rows.moves = keeps && row > first;
    rows.kept = rows.moves ? Most(0, before.last_input - rows.first_input) : 0;

    const int first_new = Most(rows.first_new(), 0);
    const int last_new = Least(rows.last_input, input_.height);
    if (spec_.has_expand && last_new > first_new) {
      PackTask pack;
      pack.input = job.input + int64_t{1} * first_new * input_.width * input_.channels;
      pack.pitch = input_.channels;
      pack.channels = input_.channels;
      pack.last_chunk = expand_.input_chunks();
      pack.pixels = (last_new - first_new) * input_.width;
      pack.group = kernels_->group(expand_.kernel().width);
      pack.panel = packed;
      pack.panel_pitch = input_pitch_;
      kernels_->pack(pack);
    }
    float* strip_panel =
        panel + (job.panel != nullptr
                     ? int64_t{1} * rows.first_output * output_.width * kChunk
                     : 0);
    for (int chunk = 0; chunk < chunks_; ++chunk) {
      float* here = expanded + (keeps ? chunk * chunk_floats : 0);
      if (rows.kept > 0) {
        const int64_t row_floats = int64_t{1} * row_pixels_ * kChunk;
        const int left = rows.first_input - before.first_input;
        memmove(here, here + left * row_floats,
                rows.kept * row_floats * sizeof(float));
      }
      Expand(job, rows, packed, chunk, here);
      float* to = strip_panel + chunk * panel_pitch_;
      Convolve(rows, here, chunk, to);
      if (job.panel == nullptr && group > 1) {
        kernels_->interleave(
            to, (rows.last_output - rows.first_output) * output_.width, group);
      }
    }
    if (job.panel == nullptr) {
      Project(job, project_.kernel(), panel, rows.first_output * output_.width,
              (rows.last_output - rows.first_output) * output_.width);
    }
  }
}

void BlockPlan::Expand(const Job& job, const Rows& rows, const float* panel, int chunk,
                       float* expanded) const {
  const Window& window = spec_.depthwise.window;
  const int64_t row_floats = int64_t{1} * row_pixels_ * kChunk;
  const int right = row_pixels_ - window.pad_left - input_.width;
  const int first_new = Most(rows.first_new(), 0);
  const int last_new = Least(rows.last_input, input_.height);
  for (int y = rows.first_new(); y < rows.last_input; ++y) {
    float* to = expanded + (y - rows.first_input) * row_floats;
    if (y < 0 || y >= input_.height) {
      memset(to, 0, row_floats * sizeof(float));
      continue;
    }
    memset(to, 0, window.pad_left * kChunk * sizeof(float));
    memset(to + (window.pad_left + input_.width) * kChunk, 0,
           right * kChunk * sizeof(float));
    if (spec_.has_expand) continue;
    PackTask pack;
    pack.input = job.input + int64_t{1} * y * input_.width * input_.channels;
    pack.pitch = input_.channels;
    pack.channels = input_.channels;
    pack.first_chunk = chunk;
    pack.last_chunk = chunk + 1;
    pack.pixels = input_.width;
    pack.panel = to + window.pad_left * kChunk;
    kernels_->pack(pack);
  }
  if (!spec_.has_expand || last_new <= first_new) return;
  const int rows_per_chunk = kChunk / expand_.kernel().width;
  ProductTask product;
  product.kernel = &expand_.kernel();
  product.panel = panel;
  product.first_row = chunk * rows_per_chunk;
  product.last_row = Least(product.first_row + rows_per_chunk, expand_.kernel().row_count);
  product.last_pixel = (last_new - first_new) * input_.width;
  product.output = expanded + (first_new - rows.first_input) * row_floats;
  product.positions = positions_.data();
  kernels_->multiply(product);
}

void BlockPlan::Convolve(const Rows& rows, const float* expanded, int chunk,
                         float* panel) const {
  const Window& window = spec_.depthwise.window;
  const int taps = window.height * window.width;
  DepthwiseTask task;
  task.input = expanded;
  task.row_pitch = int64_t{1} * row_pixels_ * kChunk;
  task.weights = depthwise_weights_.data() + int64_t{1} * chunk * taps * kChunk;
  task.bias = depthwise_bias_.data() + int64_t{1} * chunk * kChunk;
  task.height = window.height;
  task.width = window.width;
  task.stride_y = window.stride_y;
  task.stride_x = window.stride_x;
  task.rows = rows.last_output - rows.first_output;
  task.columns = output_.width;
  task.output = panel;
  task.activation = spec_.depthwise.activation;
  kernels_->depthwise(task);
}

void BlockPlan::Project(const Job& job, const PackedKernel& kernel, const float* panel,
                        int first_pixel, int pixels) const {
  ProductTask product;
  product.kernel = &kernel;
  product.panel = panel;
  product.last_row = kernel.row_count;
  product.last_pixel = pixels;
  product.pitch = output_.channels;
  product.output = job.output + int64_t{1} * first_pixel * output_.channels;
  if (job.residual != nullptr) {
    product.residual = job.residual + int64_t{1} * first_pixel * output_.channels;
  }
  kernels_->multiply(product);
}

int64_t BlockPlan::RangeFloats(int range_rows) const {
  const int rows = Least(range_rows, strip_rows_);
  const int64_t panel = spec_.has_squeeze ? 0 : panel_pitch_ * chunks_;
  const int64_t packed = spec_.has_expand ? input_pitch_ * expand_.input_chunks() : 0;
  return panel + packed + ExpandedFloats(rows, range_rows <= strip_rows_);
}

int64_t BlockPlan::SqueezeFloats() const {
  const int64_t rows = project_.kernel().row_count * sizeof(BlockRow) / sizeof(float);
  return 2 * int64_t{kChunk} * chunks_ + RoundUp(first_.bsr().rows, kChunk) +
         (rows + project_.value_count() + kChunk - 1) / kChunk * kChunk;
}

PackedKernel BlockPlan::SqueezedProjection(const Job& job, float* memory) const {
  float* gate = memory;
  float* mean = gate + chunks_ * kChunk;
  float* hidden = mean + chunks_ * kChunk;
  float* rows = hidden + RoundUp(first_.bsr().rows, kChunk);
  float* values = rows + project_.kernel().row_count * sizeof(BlockRow) / sizeof(float);
  Squeeze(job, mean, hidden, gate);
  return Scaled(gate, values, reinterpret_cast<BlockRow*>(rows));
}

void BlockPlan::Squeeze(const Job& job, float* mean, float* hidden, float* gate) const {
  const int pixels = output_.height * output_.width;
  const int group = kernels_->group(project_.kernel().width);
  memset(mean, 0, chunks_ * kChunk * sizeof(float));
  for (int chunk = 0; chunk < chunks_; ++chunk) {
    float* values = job.panel + chunk * panel_pitch_;
    kernels_->sum(values, pixels, mean + chunk * kChunk);
    if (group > 1) kernels_->interleave(values, pixels, group);
  }
  const float share = 1.0f / static_cast<float>(pixels);
  for (int c = 0; c < chunks_ * kChunk; ++c) mean[c] *= share;
  VectorTask task;
  task.kernel = &first_.kernel();
  task.input = mean;
  task.output = hidden;
  task.last_row = first_.kernel().row_count;
  kernels_->multiply_vector(task);
  task.kernel = &second_.kernel();
  task.input = hidden;
  task.output = gate;
  task.last_row = second_.kernel().row_count;
  kernels_->multiply_vector(task);
  for (int c = 0; c < second_.bsr().rows; ++c) gate[c] *= spec_.squeeze.scale;
}

// The gate goes into the projection's few weights instead of the many pixels.
PackedKernel BlockPlan::Scaled(const float* gate, float* values,
                               BlockRow* rows) const {
  const Bsr& bsr = project_.bsr();
  for (int z = 0; z < bsr.blocks(); ++z) {
    const float scale = gate[bsr.indices[z]];
    for (int o = 0; o < bsr.n; ++o) {
      values[int64_t{1} * z * bsr.n + o] = bsr.data[int64_t{1} * z * bsr.n + o] * scale;
    }
  }
  PackedKernel kernel = project_.kernel();
  for (int r = 0; r < kernel.row_count; ++r) {
    rows[r] = kernel.rows[r];
    rows[r].data = values + (rows[r].data - bsr.data);
  }
  kernel.rows = rows;
  return kernel;
}

void BlockPlan::ProjectSqueezed(const Job& job, ThreadPool* pool) const {
  const int pixels = output_.height * output_.width;
  const int threads = pool == nullptr ? 1 : pool->threads();
  const int group = kernels_->group(project_.kernel().width);
  Job here = job;
  here.pixels_per_item =
      threads == 1 ? pixels : RoundUp((pixels + 3 * threads - 1) / (3 * threads), 14 * group);
  RunItems(
      pool, (pixels + here.pixels_per_item - 1) / here.pixels_per_item,
      [](void* context, int item) {
        const Job& job = *static_cast<const Job*>(context);
        const BlockPlan& plan = *job.plan;
        const int first = item * job.pixels_per_item;
        const int pixels = plan.output_.height * plan.output_.width - first;
        plan.Project(job, *job.kernel, job.panel + int64_t{1} * first * kChunk, first,
                     Least(pixels, job.pixels_per_item));
      },
      &here);
}

}  // namespace onexn
