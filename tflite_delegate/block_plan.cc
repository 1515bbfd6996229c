#include "block_plan.h"

#include "cache.h"
#include "divider.h"
#include "scratch.h"
#include "shared_work.h"
#include "thread_pool.h"

namespace onexn {
namespace {

// by channels rather than by rows if 1/4 of the rows or more were repeated
constexpr int kMostRepeated = 4;

int Least(int a, int b) { return a < b ? a : b; }
int Most(int a, int b) { return a > b ? a : b; }
int Divide(int value, int by) { return static_cast<int>(DivideUp(value, by)); }

}  // namespace

// One image on its way.
struct BlockPlan::Job {
  const BlockPlan* plan;
  const float* input;
  const float* residual;
  float* output;
  PackedKernel kernel;  // of the projection
  int ranges;
  int range_rows;
  int range_chunks;
  // what threads share, null if they do not
  float* input_panel;  // of the expansion
  float* panel;        // of the projection
  float* image;        // all pixels before squeeze and excite, in chunks
  float* sums;         // [parts, chunks, 16] for squeeze and excite
  float* gate;         // memory of squeeze and excite
  float* scratch;      // of all threads
  int64_t thread_floats;
  int item_pixels;
};

// Rows and channels of the output that one thread does, and its memory.
struct BlockPlan::Range {
  int first;
  int last;
  int first_chunk;
  int last_chunk;
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
  if (spec.has_squeeze && !squeeze_.Pack(spec.squeeze, project_)) return false;
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
  if (!spec_.has_expand || by_channels_) return 0;
  const int64_t pixels =
      int64_t{1} * Least(InputRows(rows), input_.height) * input_.width;
  return PanelFloats(input_layout_, pixels, input_.channels);
}

int64_t BlockPlan::StripPanelFloats(int rows) const {
  if (spec_.has_squeeze || by_channels_) return 0;
  return PanelFloats(project_layout_, int64_t{1} * rows * output_.width, channels_);
}

int64_t BlockPlan::DivideRange(float* memory, int rows, Range* range) const {
  const int input_rows = InputRows(rows);
  const int kept = range->keeps ? chunks_ * KeptRows() : 0;
  Divider divider(memory);
  range->zeros = divider.Take<float>(RowFloats());
  range->rows = divider.Take<const float*>(input_rows);
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

int64_t BlockPlan::DivideShared(float* memory, Job* job) const {
  const int64_t image = int64_t{1} * output_.height * output_.width;
  const bool has_image = spec_.has_squeeze && !by_channels_;
  Divider divider(memory);
  if (by_channels_) {
    job->input_panel = divider.Take<float>(
        spec_.has_expand ? PanelFloats(input_layout_, input_.pixels() / input_.batch,
                                       input_.channels)
                         : 0);
    job->panel = divider.Take<float>(PanelFloats(project_layout_, image, channels_));
  }
  if (has_image) {
    job->image = divider.Take<float>(PanelFloats(image_layout_, image, channels_));
  }
  if (spec_.has_squeeze) {
    job->sums =
        divider.Take<float>((by_channels_ ? 1 : job->ranges) * chunks_ * kChunk);
    job->gate = divider.Take<float>(squeeze_.Floats());
  }
  return divider.floats();
}

bool BlockPlan::Resize(const Shape& input, const Shape& output, int threads) {
  if (input.size() > INT32_MAX || output.size() > INT32_MAX ||
      output.pixels() * channels_ > INT32_MAX) {
    return false;
  }
  input_ = input;
  output_ = output;
  const Window& window = spec_.depthwise.window;
  row_pixels_ = Most(window.pad_left + input.width,
                     (output.width - 1) * window.stride_x + window.width);
  by_channels_ = false;
  ChooseStrip();
  if (PrefersChannels(threads)) {
    by_channels_ = true;
    strip_rows_ = output.height;
    ChooseLayouts();
  }
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
  for (int strips = 1;; ++strips) {
    strip_rows_ = Divide(output_.height, strips);
    ChooseLayouts();
    // the rest is for what goes by: weights, and outputs on their way
    const bool fits = InputRows(strip_rows_) * RowFloats() <= l1_floats * 3 / 4 &&
                      RangeFloats(strip_rows_, strips > 1) <= l2_floats * 5 / 8;
    if (strip_rows_ == 1 || fits) return;
  }
}

void BlockPlan::ChooseLayouts() {
  const int64_t image = int64_t{1} * output_.height * output_.width;
  const int64_t pixels =
      spec_.has_squeeze ? image : int64_t{1} * strip_rows_ * output_.width;
  image_layout_ = ChunkedPanel(*kernels_, image, channels_);
  project_layout_ =
      BestPanel(*kernels_, project_.kernel().width, project_.uses(), pixels, channels_);
  if (!spec_.has_expand) return;
  const int64_t input_pixels =
      int64_t{1} * Least(InputRows(strip_rows_), input_.height) * input_.width;
  input_layout_ =
      TiledPanel(*kernels_, expand_.kernel().width, input_pixels, input_.channels);
}

bool BlockPlan::PrefersChannels(int threads) const {
  // only what passes through the L1 cache
  if (threads == 1 || strip_rows_ < output_.height) return false;
  const int rows = Divide(output_.height, kItemsPerThread * threads / 2);
  const int new_rows = rows * spec_.depthwise.window.stride_y;
  return KeptRows() * kMostRepeated >= new_rows;
}

void BlockPlan::ShareOut(int threads, Job* job) const {
  job->range_rows = output_.height;
  job->range_chunks = chunks_;
  if (threads > 1 && by_channels_) {
    job->range_chunks = Divide(chunks_, kItemsPerThread * threads);
  } else if (threads > 1) {
    // each range repeats rows of its neighbours
    job->range_rows = Divide(output_.height, kItemsPerThread * threads / 2);
  }
  job->ranges =
      Divide(output_.height, job->range_rows) * Divide(chunks_, job->range_chunks);
  const int rows = Least(job->range_rows, strip_rows_);
  job->thread_floats = RangeFloats(rows, job->range_rows > strip_rows_);
  if (!spec_.has_squeeze || by_channels_) return;
  // it is the memory of the projection's items too
  const int pixels = output_.height * output_.width;
  const PanelLayout& layout = project_layout_;
  int tiles = Divide(Divide(pixels, kItemsPerThread * threads), layout.tile);
  if (!layout.chunked()) {
    const int64_t fitting = job->thread_floats / layout.pitch;
    if (threads == 1) tiles = fitting < 1 ? 1 : static_cast<int>(fitting);
    const int64_t floats = DivideUp(tiles * layout.pitch, kChunk) * kChunk;
    if (job->thread_floats < floats) job->thread_floats = floats;
  }
  job->item_pixels = threads == 1 && layout.chunked() ? pixels : tiles * layout.tile;
}

bool BlockPlan::Run(const float* input, const float* residual, float* output,
                    ThreadPool* pool, ScratchPool* scratch) const {
  const int threads = pool == nullptr ? 1 : pool->threads();
  Job job = {};
  job.plan = this;
  ShareOut(threads, &job);
  const int64_t shared = DivideShared(nullptr, &job);
  const int64_t floats = shared + threads * job.thread_floats;
  auto* memory = static_cast<float*>(scratch->Take(floats * sizeof(float)));
  if (memory == nullptr) return false;
  DivideShared(memory, &job);
  job.scratch = memory + shared;
  const int64_t input_step = input_.size() / input_.batch;
  const int64_t output_step = output_.size() / output_.batch;
  for (int i = 0; i < input_.batch; ++i) {
    job.input = input + i * input_step;
    job.output = output + i * output_step;
    job.residual = residual == nullptr ? nullptr : residual + i * output_step;
    job.kernel = project_.kernel();
    if (by_channels_ && spec_.has_expand) {
      PackInItems(*kernels_, InputPacking(job, 0, input_.height, job.input_panel),
                  pool);
    }
    RunItems(
        pool, job.ranges,
        [](void* context, int range, int thread) {
          const Job& job = *static_cast<const Job*>(context);
          job.plan->RunRange(job, range, thread);
        },
        &job);
    const int pixels = output_.height * output_.width;
    if (spec_.has_squeeze) {
      job.kernel = squeeze_.Run(*kernels_, job.sums, by_channels_ ? 1 : job.ranges,
                                pixels, job.gate);
    }
    if (by_channels_) {
      MultiplyInItems(*kernels_, Projection(job, job.panel, 0, pixels), pool);
    } else if (spec_.has_squeeze) {
      ProjectImage(&job, pool);
    }
  }
  scratch->Give(memory);
  return true;
}

BlockPlan::Range BlockPlan::RangeOf(const Job& job, int index, int thread) const {
  const int parts = Divide(chunks_, job.range_chunks);
  Range range = {};
  range.first = index / parts * job.range_rows;
  range.last = Least(range.first + job.range_rows, output_.height);
  range.first_chunk = index % parts * job.range_chunks;
  range.last_chunk = Least(range.first_chunk + job.range_chunks, chunks_);
  range.keeps = job.range_rows > strip_rows_;
  DivideRange(job.scratch + thread * job.thread_floats,
              Least(job.range_rows, strip_rows_), &range);
  if (job.sums != nullptr) {
    range.sums = job.sums + index / parts * int64_t{1} * chunks_ * kChunk;
  }
  if (by_channels_) {
    range.input = job.input_panel;
    range.panel = job.panel;
  }
  return range;
}

void BlockPlan::RunRange(const Job& job, int index, int thread) const {
  const Window& window = spec_.depthwise.window;
  const Range range = RangeOf(job, index, thread);
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
    if (spec_.has_expand && !by_channels_) {
      kernels_->pack(InputPacking(job, strip.first_new, strip.last_new, range.input));
    }
    for (int chunk = range.first_chunk; chunk < range.last_chunk; ++chunk) {
      if (row > range.first) Recall(range, chunk);
      Expand(job, range, strip, chunk);
      Convolve(job, range, strip, chunk);
      if (strip.last_output < range.last) Keep(range, strip, chunk);
    }
    if (!by_channels_ && !spec_.has_squeeze) {
      kernels_->multiply(
          Projection(job, range.panel, strip.first_output * output_.width,
                     (strip.last_output - strip.first_output) * output_.width));
    }
  }
}

void BlockPlan::ClearPadding(const Range& range) const {
  const Window& window = spec_.depthwise.window;
  memset(range.zeros, 0, RowFloats() * sizeof(float));
  if (range.sums != nullptr) {
    memset(range.sums + range.first_chunk * kChunk, 0,
           (range.last_chunk - range.first_chunk) * kChunk * sizeof(float));
  }
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

PackTask BlockPlan::InputPacking(const Job& job, int first_row, int last_row,
                                 float* panel) const {
  PackTask pack;
  pack.input = job.input + int64_t{1} * first_row * input_.width * input_.channels;
  pack.pitch = input_.channels;
  pack.channels = input_.channels;
  pack.pixels = (last_row - first_row) * input_.width;
  pack.panel = panel;
  pack.layout = input_layout_;
  return pack;
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
  float* to = range.chunk;
  if (job.image != nullptr) {
    to = job.image + chunk * image_layout_.pitch +
         int64_t{1} * strip.first_output * output_.width * kChunk;
  } else if (project_layout_.chunked()) {
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
  if (range.sums != nullptr) {
    kernels_->sum(to, pixels, range.sums + chunk * kChunk);
  }
  if (to != range.chunk) return;
  PackTask pack;
  pack.input = to;
  pack.pitch = kChunk;
  pack.channels = kChunk;
  pack.pixels = pixels;
  pack.panel = range.panel + project_layout_.offset(chunk * kChunk);
  pack.layout = project_layout_;
  kernels_->pack(pack);
}

ProductTask BlockPlan::Projection(const Job& job, const float* panel, int first_pixel,
                                  int pixels) const {
  ProductTask product;
  product.kernel = &job.kernel;
  product.panel = panel;
  product.layout = project_layout_;
  product.last_row = job.kernel.row_count;
  product.last_pixel = pixels;
  product.pitch = output_.channels;
  product.output = job.output + int64_t{1} * first_pixel * output_.channels;
  if (job.residual != nullptr) {
    product.residual = job.residual + int64_t{1} * first_pixel * output_.channels;
  }
  return product;
}

void BlockPlan::ProjectImage(Job* job, ThreadPool* pool) const {
  RunItems(
      pool, Divide(output_.height * output_.width, job->item_pixels),
      [](void* context, int item, int thread) {
        const Job& job = *static_cast<const Job*>(context);
        job.plan->ProjectItem(job, item, thread);
      },
      job);
}

void BlockPlan::ProjectItem(const Job& job, int item, int thread) const {
  const int first = item * job.item_pixels;
  const int pixels = Least(output_.height * output_.width - first, job.item_pixels);
  const float* image = job.image + int64_t{1} * first * kChunk;
  if (project_layout_.chunked()) {
    return kernels_->multiply(Projection(job, image, first, pixels));
  }
  float* panel = job.scratch + thread * job.thread_floats;
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
  kernels_->multiply(Projection(job, panel, first, pixels));
}

}  // namespace onexn
