#include "packing.h"

namespace onexn {
namespace {

// The widest row that block rows of n channels divide into.
int RowWidth(int n) {
  int width = 1;
  while (width < kChunk && n % (2 * width) == 0) width *= 2;
  return width;
}

}  // namespace

bool Packing::Pack(const Convolution& convolution) {
  bsr_ = convolution.kernel;
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
  if (convolution.bias != nullptr) {
    memcpy(bias_.data(), convolution.bias, bias_.size() * sizeof(float));
  }
  kernel_.width = width;
  kernel_.stride = bsr_.n;
  kernel_.row_count = bsr_.rows / width;
  kernel_.rows = rows_.data();
  kernel_.offsets = offsets_.data();
  kernel_.bias = bias_.data();
  kernel_.activation = convolution.activation;
  return true;
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
