#include "block_plan.h"

#include "cache.h"
#include "scratch.h"
#include "thread_pool.h"

namespace onexn {
namespace {

int Least(int a, int b) { return a < b ? a : b; }
int Most(int a, int b) { return a > b ? a : b; }
int Divide(int value, int by) { return static_cast<int>(DivideUp(value, by)); }
int64_t Aligned(int64_t floats) { return DivideUp(floats, kChunk) * kChunk; }

// Divides memory into aligned parts. Without memory, it only counts.
class Divider {
 public:
  explicit Divider(float* memory) : memory_(memory) {}

  template <typename T>
  T* Take(int64_t count) {
    float* part = memory_ == nullptr ? nullptr : memory_ + floats_;
    floats_ += Aligned(DivideUp(count * sizeof(T), sizeof(float)));
    return reinterpret_cast<T*>(part);
  }

  int64_t floats() const { return floats_; }

 private:
  float* memory_;
  int64_t floats_ = 0;
};

}  // namespace

// One image on its way.
struct BlockPlan::Job {
  const BlockPlan* plan;
  const float* input;
  const float* residual;
  float* output;
  int ranges;
  int range_rows;
  float* image;    // of all pixels before squeeze and excite, else null
  float* scratch;  // of all ranges
  int64_t range_floats;
  // what comes after squeeze and excite
  const PackedKernel* kernel;
  int item_pixels;
};

// Rows of the output that one thread does, and its memory.
struct BlockPlan::Range {
  int first;
  int last;
  bool keeps;    // whether there is more than one strip
  float* zeros;  // a padded row
  const float** rows;
  float* sums;      // of each channel over the range
  float* input;     // the expansion's panel
  float* expanded;  // padded rows of a chunk
  float* kept;      // rows of each chunk that the next strip needs again
  float* chunk;     // of the depthwise convolution's output
  float* panel;     // the projection's
};

// A strip: rows of the output, and of the input, which may lie outside of the image.
struct BlockPlan::Strip {
  int first_output;
  int last_output;
  int first_input;
  int last_input;
  // rows of the image that no strip has expanded yet
  int first_new;
  int last_new;
};

bool BlockPlan::Pack(const ChainSpec& spec, const Kernels& kernels) {
  kernels_ = &kernels;
  spec_ = spec;
  if (spec.has_expand && !expand_.Pack(spec.expand)) return false;
  if (spec.has_squeeze &&
      (!first_.Pack(spec.squeeze.first) || !second_.Pack(spec.squeeze.second) ||
       !first_.ReadFromVector() || !second_.ReadFromVector())) {
    return false;
  }
  return project_.Pack(spec.project) && project_.JoinRowsIfUseful(kernels) &&
         PackDepthwise();
}

bool BlockPlan::PackDepthwise() {
  channels_ = spec_.project.kernel.columns;
  chunks_ = Divide(channels_, kChunk);
  const int taps = spec_.depthwise.window.height * spec_.depthwise.window.width;
  if (!depthwise_weights_.Resize(static_cast<size_t>(chunks_) * taps * kChunk) ||
      !depthwise_bias_.Resize(static_cast<size_t>(chunks_) * kChunk)) {
    return false;
  }
  for (int c = 0; c < channels_; ++c) {
    float* to = &depthwise_weights_[(c / kChunk * taps) * kChunk + c % kChunk];
    for (int t = 0; t < taps; ++t) {
      to[t * kChunk] = spec_.depthwise.weights[t * channels_ + c];
    }
    if (spec_.depthwise.bias != nullptr) depthwise_bias_[c] = spec_.depthwise.bias[c];
  }
  return true;
}

int BlockPlan::InputRows(int rows) const {
  return (rows - 1) * spec_.depthwise.window.stride_y + spec_.depthwise.window.height;
}

int BlockPlan::KeptRows() const {
  return Most(spec_.depthwise.window.height - spec_.depthwise.window.stride_y, 0);
}

int64_t BlockPlan::RowFloats() const { return int64_t{1} * row_pixels_ * kChunk; }

int64_t BlockPlan::ChunkFloats(int rows) const {
  return int64_t{1} * rows * output_.width * kChunk;
}

int64_t BlockPlan::InputFloats(int rows) const {
  if (!spec_.has_expand) return 0;
  const int64_t pixels =
      int64_t{1} * Least(InputRows(rows), input_.height) * input_.width;
  return PanelFloats(input_layout_, pixels, input_.channels);
}

int64_t BlockPlan::StripPanelFloats(int rows) const {
  if (spec_.has_squeeze) return 0;
  return PanelFloats(project_layout_, int64_t{1} * rows * output_.width, channels_);
}

int64_t BlockPlan::DivideRange(float* memory, int rows, Range* range) const {
  const int input_rows = InputRows(rows);
  const int kept = range->keeps ? chunks_ * KeptRows() : 0;
  Divider divider(memory);
  range->zeros = divider.Take<float>(RowFloats());
  range->rows = divider.Take<const float*>(input_rows);
  range->sums = divider.Take<float>(chunks_ * kChunk);
  range->input = divider.Take<float>(InputFloats(rows));
  range->expanded = divider.Take<float>(input_rows * RowFloats());
  range->kept = divider.Take<float>(kept * RowFloats());
  range->chunk = divider.Take<float>(ChunkFloats(rows));
  range->panel = divider.Take<float>(StripPanelFloats(rows));
  return divider.floats();
}

int64_t BlockPlan::RangeFloats(int rows, bool keeps) const {
  Range range = {};
  range.keeps = keeps;
  return DivideRange(nullptr, rows, &range);
}

bool BlockPlan::Resize(const Shape& input, const Shape& output) {
  if (input.size() > INT32_MAX || output.size() > INT32_MAX ||
      output.pixels() * channels_ > INT32_MAX) {
    return false;
  }
  input_ = input;
  output_ = output;
  const Window& window = spec_.depthwise.window;
  row_pixels_ = Most(window.pad_left + input.width,
                     (output.width - 1) * window.stride_x + window.width);
  ChooseStrip();
  if (!project_.ReadFromPanel(project_layout_)) return false;
  if (!spec_.has_expand) return true;
  const int rows = Least(InputRows(strip_rows_), input.height);
  if (!positions_.Resize(static_cast<size_t>(rows) * input.width)) return false;
  int32_t* to = positions_.data();
  for (int y = 0; y < rows; ++y) {
    for (int x = 0; x < input.width; ++x) {
      *to++ = (y * row_pixels_ + window.pad_left + x) * kChunk;
    }
  }
  return expand_.ReadFromPanel(input_layout_);
}

void BlockPlan::ChooseStrip() {
  const int64_t l1_floats = L1CacheBytes() / static_cast<int64_t>(sizeof(float));
  const int64_t l2_floats = L2CacheBytes() / static_cast<int64_t>(sizeof(float));
  const int64_t image = int64_t{1} * output_.height * output_.width;
  const int width = project_.kernel().width;
  image_layout_ = ChunkedPanel(*kernels_, image, channels_);
  for (int strips = 1;; ++strips) {
    strip_rows_ = Divide(output_.height, strips);
    const int64_t pixels =
        spec_.has_squeeze ? image : int64_t{1} * strip_rows_ * output_.width;
    project_layout_ = BestPanel(*kernels_, width, project_.uses(), pixels, channels_);
    if (spec_.has_expand) {
      const int64_t input_pixels =
          int64_t{1} * Least(InputRows(strip_rows_), input_.height) * input_.width;
      input_layout_ =
          TiledPanel(*kernels_, expand_.kernel().width, input_pixels, input_.channels);
    }
    // the rest is for what goes by: weights, and outputs on their way
    const bool fits = InputRows(strip_rows_) * RowFloats() <= l1_floats * 3 / 4 &&
                      RangeFloats(strip_rows_, strips > 1) <= l2_floats * 5 / 8;
    if (strip_rows_ == 1 || fits) return;
  }
}

bool BlockPlan::Run(const float* input, const float* residual, float* output,
                    ThreadPool* pool, ScratchPool* scratch) const {
  const int threads = pool == nullptr ? 1 : pool->threads();
  Job job = {};
  job.plan = this;
  // more ranges than threads, so that one which comes late is not waited for
  job.range_rows =
      Divide(output_.height, threads == 1 ? 1 : Least(2 * threads, output_.height));
  job.ranges = Divide(output_.height, job.range_rows);
  job.range_floats =
      RangeFloats(Least(job.range_rows, strip_rows_), job.range_rows > strip_rows_);
  if (spec_.has_squeeze) {
    // it is the memory of the projection's items too
    const int pixels = Divide(output_.height * output_.width, job.ranges);
    const int item = threads == 1 ? project_layout_.tile : pixels;
    const int64_t floats = Aligned(PanelFloats(project_layout_, item, channels_));
    if (job.range_floats < floats) job.range_floats = floats;
  }
  const int64_t image =
      spec_.has_squeeze
          ? PanelFloats(image_layout_, int64_t{1} * output_.height * output_.width,
                        channels_)
          : 0;
  const int64_t shared = image + (spec_.has_squeeze ? GateFloats() : 0);
  const int64_t floats = shared + job.ranges * job.range_floats;
  auto* memory = static_cast<float*>(scratch->Take(floats * sizeof(float)));
  if (memory == nullptr) return false;
  job.scratch = memory + shared;
  if (spec_.has_squeeze) job.image = memory;
  const int64_t input_step = input_.size() / input_.batch;
  const int64_t output_step = output_.size() / output_.batch;
  for (int i = 0; i < input_.batch; ++i) {
    job.input = input + i * input_step;
    job.output = output + i * output_step;
    job.residual = residual == nullptr ? nullptr : residual + i * output_step;
    RunItems(
        pool, job.ranges,
        [](void* context, int range) {
          const Job& job = *static_cast<const Job*>(context);
          job.plan->RunRange(job, range);
        },
        &job);
    if (!spec_.has_squeeze) continue;
    const PackedKernel kernel = SqueezedProjection(job, memory + image);
    job.kernel = &kernel;
    ProjectSqueezed(job, pool);
  }
  scratch->Give(memory);
  return true;
}

BlockPlan::Range BlockPlan::RangeOf(const Job& job, int index) const {
  Range range = {};
  range.first = index * job.range_rows;
  range.last = Least(range.first + job.range_rows, output_.height);
  range.keeps = job.range_rows > strip_rows_;
  DivideRange(job.scratch + index * job.range_floats,
              Least(job.range_rows, strip_rows_), &range);
  return range;
}

void BlockPlan::RunRange(const Job& job, int index) const {
  const Window& window = spec_.depthwise.window;
  const Range range = RangeOf(job, index);
  ClearPadding(range);
  int done = 0;  // rows of the image before this one are there
  for (int row = range.first; row < range.last; row += strip_rows_) {
    Strip strip;
    strip.first_output = row;
    strip.last_output = Least(row + strip_rows_, range.last);
    strip.first_input = row * window.stride_y - window.pad_top;
    strip.last_input = strip.first_input + InputRows(strip.last_output - row);
    strip.first_new = Most(strip.first_input, done);
    strip.last_new = Most(Least(strip.last_input, input_.height), strip.first_new);
    if (range.keeps) done = strip.last_new;
    if (spec_.has_expand) PackInput(job, range, strip);
    for (int chunk = 0; chunk < chunks_; ++chunk) {
      if (row > range.first) Recall(range, chunk);
      Expand(job, range, strip, chunk);
      Convolve(job, range, strip, chunk);
      if (strip.last_output < range.last) Keep(range, strip, chunk);
    }
    if (job.image == nullptr) {
      Project(job, project_.kernel(), range.panel, strip.first_output * output_.width,
              (strip.last_output - strip.first_output) * output_.width);
    }
  }
}

void BlockPlan::ClearPadding(const Range& range) const {
  const Window& window = spec_.depthwise.window;
  memset(range.zeros, 0, RowFloats() * sizeof(float));
  memset(range.sums, 0, chunks_ * kChunk * sizeof(float));
  const int64_t rows = InputRows(Least(range.last - range.first, strip_rows_));
  // lanes without a channel are computed too
  if (channels_ % kChunk != 0) {
    memset(range.expanded, 0, rows * RowFloats() * sizeof(float));
  }
  const int left = window.pad_left * kChunk;
  const int right = (row_pixels_ - window.pad_left - input_.width) * kChunk;
  for (int y = 0; y < rows; ++y) {
    float* row = range.expanded + y * RowFloats();
    memset(row, 0, left * sizeof(float));
    memset(row + RowFloats() - right, 0, right * sizeof(float));
  }
}

void BlockPlan::Recall(const Range& range, int chunk) const {
  const int64_t floats = KeptRows() * RowFloats();
  memcpy(range.expanded, range.kept + chunk * floats, floats * sizeof(float));
}

void BlockPlan::Keep(const Range& range, const Strip& strip, int chunk) const {
  const int64_t floats = KeptRows() * RowFloats();
  const int64_t end = (strip.last_input - strip.first_input) * RowFloats();
  memcpy(range.kept + chunk * floats, range.expanded + end - floats,
         floats * sizeof(float));
}

void BlockPlan::PackInput(const Job& job, const Range& range,
                          const Strip& strip) const {
  const int pixels = (strip.last_new - strip.first_new) * input_.width;
  PackTask pack;
  pack.input =
      job.input + int64_t{1} * strip.first_new * input_.width * input_.channels;
  pack.pitch = input_.channels;
  pack.channels = input_.channels;
  pack.pixels = pixels;
  pack.panel = range.input;
  pack.layout = input_layout_;
  kernels_->pack(pack);
}

void BlockPlan::Expand(const Job& job, const Range& range, const Strip& strip,
                       int chunk) const {
  float* new_rows =
      range.expanded + (strip.first_new - strip.first_input) * RowFloats();
  if (spec_.has_expand) {
    const int rows_per_chunk = kChunk / expand_.kernel().width;
    ProductTask product;
    product.kernel = &expand_.kernel();
    product.panel = range.input;
    product.layout = input_layout_;
    product.first_row = chunk * rows_per_chunk;
    product.last_row =
        Least(product.first_row + rows_per_chunk, expand_.kernel().row_count);
    product.last_pixel = (strip.last_new - strip.first_new) * input_.width;
    product.output = new_rows;
    product.positions = positions_.data();
    kernels_->multiply(product);
    return;
  }
  for (int y = strip.first_new; y < strip.last_new; ++y) {
    PackTask pack;
    pack.input =
        job.input + int64_t{1} * y * input_.width * input_.channels + chunk * kChunk;
    pack.pitch = input_.channels;
    pack.channels = Least(kChunk, input_.channels - chunk * kChunk);
    pack.pixels = input_.width;
    pack.panel = new_rows + (y - strip.first_new) * RowFloats() +
                 spec_.depthwise.window.pad_left * kChunk;
    kernels_->pack(pack);
  }
}

void BlockPlan::Convolve(const Job& job, const Range& range, const Strip& strip,
                         int chunk) const {
  const Window& window = spec_.depthwise.window;
  for (int y = strip.first_input; y < strip.last_input; ++y) {
    const bool inside = y >= 0 && y < input_.height;
    const int row = y - strip.first_input;
    range.rows[row] = inside ? range.expanded + row * RowFloats() : range.zeros;
  }
  const int pixels = (strip.last_output - strip.first_output) * output_.width;
  const bool in_place = job.image == nullptr && project_layout_.chunked();
  float* to = range.chunk;
  if (job.image != nullptr) {
    to = job.image + chunk * image_layout_.pitch +
         int64_t{1} * strip.first_output * output_.width * kChunk;
  } else if (in_place) {
    to = range.panel + chunk * project_layout_.pitch;
  }
  DepthwiseTask task;
  task.input_rows = range.rows;
  task.weights = depthwise_weights_.data() +
                 int64_t{1} * chunk * window.height * window.width * kChunk;
  task.bias = depthwise_bias_.data() + int64_t{1} * chunk * kChunk;
  task.height = window.height;
  task.width = window.width;
  task.stride_y = window.stride_y;
  task.stride_x = window.stride_x;
  task.rows = strip.last_output - strip.first_output;
  task.columns = output_.width;
  task.output = to;
  task.activation = spec_.depthwise.activation;
  kernels_->depthwise(task);
  if (job.image != nullptr) {
    kernels_->sum(to, pixels, range.sums + chunk * kChunk);
  } else if (!in_place) {
    PackTask pack;
    pack.input = to;
    pack.pitch = kChunk;
    pack.channels = kChunk;
    pack.pixels = pixels;
    pack.panel = range.panel + project_layout_.offset(chunk * kChunk);
    pack.layout = project_layout_;
    kernels_->pack(pack);
  }
}

void BlockPlan::Project(const Job& job, const PackedKernel& kernel, const float* panel,
                        int first_pixel, int pixels) const {
  ProductTask product;
  product.kernel = &kernel;
  product.panel = panel;
  product.layout = project_layout_;
  product.last_row = kernel.row_count;
  product.last_pixel = pixels;
  product.pitch = output_.channels;
  product.output = job.output + int64_t{1} * first_pixel * output_.channels;
  if (job.residual != nullptr) {
    product.residual = job.residual + int64_t{1} * first_pixel * output_.channels;
  }
  kernels_->multiply(product);
}

// What comes between the ranges and the projection.
struct BlockPlan::Gate {
  float* gate;    // of each channel
  float* mean;    // of each channel
  float* hidden;  // outputs of the first layer
  BlockRow* rows;
  float* values;  // of the projection, multiplied by the gate
};

int64_t BlockPlan::DivideGate(float* memory, Gate* gate) const {
  Divider divider(memory);
  gate->gate = divider.Take<float>(chunks_ * kChunk);
  gate->mean = divider.Take<float>(chunks_ * kChunk);
  gate->hidden = divider.Take<float>(first_.bsr().rows);
  gate->rows = divider.Take<BlockRow>(project_.kernel().row_count);
  gate->values = divider.Take<float>(project_.value_count());
  return divider.floats();
}

int64_t BlockPlan::GateFloats() const {
  Gate gate;
  return DivideGate(nullptr, &gate);
}

PackedKernel BlockPlan::SqueezedProjection(const Job& job, float* memory) const {
  Gate gate;
  DivideGate(memory, &gate);
  Squeeze(job, gate);
  return Scaled(gate);
}

void BlockPlan::Squeeze(const Job& job, const Gate& gate) const {
  memset(gate.mean, 0, channels_ * sizeof(float));
  for (int r = 0; r < job.ranges; ++r) {
    const float* sums = RangeOf(job, r).sums;
    for (int c = 0; c < channels_; ++c) gate.mean[c] += sums[c];
  }
  const float share = 1.0f / static_cast<float>(output_.height * output_.width);
  for (int c = 0; c < channels_; ++c) gate.mean[c] *= share;
  VectorTask task;
  task.kernel = &first_.kernel();
  task.input = gate.mean;
  task.output = gate.hidden;
  task.last_row = first_.kernel().row_count;
  kernels_->multiply_vector(task);
  task.kernel = &second_.kernel();
  task.input = gate.hidden;
  task.output = gate.gate;
  task.last_row = second_.kernel().row_count;
  kernels_->multiply_vector(task);
  for (int c = 0; c < channels_; ++c) gate.gate[c] *= spec_.squeeze.scale;
}

// The gate goes into the projection's few weights instead of the many pixels.
PackedKernel BlockPlan::Scaled(const Gate& gate) const {
  const Bsr& bsr = project_.bsr();
  for (int z = 0; z < bsr.blocks(); ++z) {
    const float scale = gate.gate[bsr.indices[z]];
    const float* from = bsr.data + int64_t{1} * z * bsr.n;
    float* to = gate.values + int64_t{1} * z * bsr.n;
    for (int o = 0; o < bsr.n; ++o) to[o] = from[o] * scale;
  }
  PackedKernel kernel = project_.kernel();
  for (int r = 0; r < kernel.row_count; ++r) {
    gate.rows[r] = kernel.rows[r];
    gate.rows[r].data = gate.values + (kernel.rows[r].data - bsr.data);
  }
  kernel.rows = gate.rows;
  return kernel;
}

void BlockPlan::ProjectSqueezed(const Job& job, ThreadPool* pool) const {
  const int pixels = output_.height * output_.width;
  const int threads = pool == nullptr ? 1 : pool->threads();
  Job here = job;
  if (threads > 1) {
    here.item_pixels =
        Divide(Divide(pixels, job.ranges), project_layout_.tile) * project_layout_.tile;
  } else if (project_layout_.chunked()) {
    here.item_pixels = pixels;
  } else {
    here.item_pixels = static_cast<int>(job.range_floats / project_layout_.pitch) *
                       project_layout_.tile;
  }
  RunItems(
      pool, Divide(pixels, here.item_pixels),
      [](void* context, int item) {
        const Job& job = *static_cast<const Job*>(context);
        job.plan->ProjectItem(job, item);
      },
      &here);
}

void BlockPlan::ProjectItem(const Job& job, int item) const {
  const int first = item * job.item_pixels;
  const int pixels = Least(output_.height * output_.width - first, job.item_pixels);
  const float* image = job.image + int64_t{1} * first * kChunk;
  if (project_layout_.chunked()) {
    Project(job, *job.kernel, image, first, pixels);
    return;
  }
  // items of one range run one after the other
  float* panel = job.scratch + (job.ranges > 1 ? item * job.range_floats : 0);
  for (int chunk = 0; chunk < chunks_; ++chunk) {
    PackTask pack;
    pack.input = image + chunk * image_layout_.pitch;
    pack.pitch = kChunk;
    pack.channels = kChunk;
    pack.pixels = pixels;
    pack.panel = panel + project_layout_.offset(chunk * kChunk);
    pack.layout = project_layout_;
    kernels_->pack(pack);
  }
  Project(job, *job.kernel, panel, first, pixels);
}

}  // namespace onexn
