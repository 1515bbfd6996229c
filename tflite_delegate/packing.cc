#include "packing.h"

namespace onexn {
namespace {

// The widest row that block rows of n channels divide into.
int RowWidth(int n) {
  int width = 1;
  while (width < kChunk && n % (2 * width) == 0) width *= 2;
  return width;
}

// What narrow rows cost: they reach less of the peak, and their inputs have to be
// transposed, in cycles for each. Measured on AVX-512 (Zen 5).
constexpr double kNarrowCost = 1.2;
constexpr double kTransposition = 0.25;

// Returns where the block of a block row at an input channel is, or -1.
int FindBlock(const Bsr& bsr, int row, int channel) {
  int first = bsr.indptr[row], last = bsr.indptr[row + 1];
  while (first < last) {
    const int middle = first + (last - first) / 2;
    if (bsr.indices[middle] < channel) {
      first = middle + 1;
    } else {
      last = middle;
    }
  }
  return first < bsr.indptr[row + 1] && bsr.indices[first] == channel ? first : -1;
}

}  // namespace

bool Packing::Pack(const Convolution& convolution) {
  bsr_ = convolution.kernel;
  kernel_.activation = convolution.activation;
  return FillRows(convolution.bias, bsr_.rows);
}

bool Packing::FillRows(const float* bias, int channels) {
  const int width = RowWidth(bsr_.n);
  const int parts = bsr_.n / width;
  if (!rows_.Resize(static_cast<size_t>(bsr_.rows / width)) ||
      // one more, since products read ahead
      !offsets_.Resize(static_cast<size_t>(bsr_.blocks()) * bsr_.window + 1) ||
      !bias_.Resize(static_cast<size_t>(bsr_.rows))) {
    return false;
  }
  for (int r = 0; r < bsr_.block_rows(); ++r) {
    const int32_t first = bsr_.indptr[r] * bsr_.window;
    for (int part = 0; part < parts; ++part) {
      rows_[r * parts + part] = {bsr_.data + int64_t{1} * first * bsr_.n + part * width,
                                 first, bsr_.indptr[r + 1] * bsr_.window};
    }
  }
  if (bias != nullptr) {
    memcpy(bias_.data(), bias, channels * sizeof(float));
  }
  kernel_.width = width;
  kernel_.stride = bsr_.n;
  kernel_.channels = channels;
  kernel_.row_count = bsr_.rows / width;
  kernel_.rows = rows_.data();
  kernel_.offsets = offsets_.data();
  kernel_.bias = bias_.data();
  return true;
}

bool Packing::JoinRowsIfUseful(const Kernels& kernels) {
  const int n = bsr_.n;
  if (n >= kernels.lanes || kChunk % n != 0) return true;
  const int together = kChunk / n;
  const int block_rows = bsr_.block_rows();
  const int joined_rows = (block_rows + together - 1) / together;
  int64_t blocks = 0;
  for (int r = 0; r < block_rows; r += together) {
    blocks += JoinedBlocks(r, r + together < block_rows ? r + together : block_rows);
  }
  // cycles for each input, of a processor with two multiply-adds in each
  const double per_cycle = 2.0 * kernels.lanes * bsr_.columns * bsr_.window;
  const double narrow =
      static_cast<double>(value_count()) / per_cycle * kNarrowCost + kTransposition;
  const double joined = static_cast<double>(blocks * bsr_.window * kChunk) / per_cycle;
  if (joined >= narrow) return true;

  if (!joined_data_.Resize(static_cast<size_t>(blocks) * bsr_.window * kChunk) ||
      !joined_indices_.Resize(static_cast<size_t>(blocks)) ||
      !joined_indptr_.Resize(static_cast<size_t>(joined_rows) + 1)) {
    return false;
  }
  int32_t end = 0;
  for (int j = 0; j < joined_rows; ++j) {
    const int first = j * together;
    JoinRows(first, first + together < block_rows ? first + together : block_rows,
             &end);
    joined_indptr_[j + 1] = end;
  }
  const int channels = bsr_.rows;
  bsr_.rows = joined_rows * kChunk;
  bsr_.n = kChunk;
  bsr_.data = joined_data_.data();
  bsr_.indices = joined_indices_.data();
  bsr_.indptr = joined_indptr_.data();
  return FillRows(nullptr, channels);
}

int Packing::JoinedBlocks(int first, int last) const {
  int blocks = 0;
  for (int k = 0; k < bsr_.columns; ++k) {
    bool any = false;
    for (int r = first; r < last && !any; ++r) any = FindBlock(bsr_, r, k) >= 0;
    blocks += any;
  }
  return blocks;
}

void Packing::JoinRows(int first, int last, int32_t* end) {
  const int n = bsr_.n;
  for (int k = 0; k < bsr_.columns; ++k) {
    bool any = false;
    for (int r = first; r < last; ++r) {
      const int z = FindBlock(bsr_, r, k);
      if (z < 0) continue;
      any = true;
      for (int t = 0; t < bsr_.window; ++t) {
        const int64_t from = (int64_t{1} * z * bsr_.window + t) * n;
        const int64_t to = (int64_t{1} * *end * bsr_.window + t) * kChunk;
        memcpy(joined_data_.data() + to + (r - first) * n, bsr_.data + from,
               n * sizeof(float));
      }
    }
    if (any) joined_indices_[(*end)++] = k;
  }
}

bool Packing::ReadFromPanel(const PanelLayout& layout) {
  if (layout.offset(panel_channels() - 1) > INT32_MAX) return false;
  int32_t* to = offsets_.data();
  for (int z = 0; z < bsr_.blocks(); ++z) {
    for (int t = 0; t < bsr_.window; ++t) {
      const int channel = t * input_chunks() * kChunk + bsr_.indices[z];
      *to++ = static_cast<int32_t>(layout.offset(channel));
    }
  }
  return true;
}

bool Packing::ReadFromVector() {
  for (int z = 0; z < bsr_.blocks(); ++z) offsets_[z] = bsr_.indices[z];
  return true;
}

}  // namespace onexn
