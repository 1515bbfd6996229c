// A kernel in the order in which products read it. The values stay where they are.

#ifndef ONEXN_PACKING_H_
#define ONEXN_PACKING_H_

#include <stdint.h>

#include "chain.h"
#include "kernels/kernels.h"
#include "memory.h"

namespace onexn {

class Packing {
 public:
  // The convolution's arrays outlive the packing. Returns whether there was memory.
  bool Pack(const Convolution& convolution);

  // Sets where a product finds its inputs: channel k of window position t is channel
  // t·16·chunks + k of a panel.
  bool ReadFromPanel(const PanelLayout& layout);
  // … in an array of channels. The window is a single pixel.
  bool ReadFromVector();

  const PackedKernel& kernel() const { return kernel_; }
  int input_chunks() const { return (bsr_.columns + kChunk - 1) / kChunk; }
  // Of a panel, with those that fill its chunks.
  int panel_channels() const { return bsr_.window * input_chunks() * kChunk; }
  // How often an input is used, on average.
  int uses() const { return bsr_.blocks() * bsr_.n / bsr_.columns; }
  int64_t value_count() const {
    return int64_t{1} * bsr_.blocks() * bsr_.window * bsr_.n;
  }
  const Bsr& bsr() const { return bsr_; }

 private:
  Bsr bsr_;
  PackedKernel kernel_;
  Array<BlockRow> rows_;
  Array<int32_t> offsets_;
  Array<float> bias_;
};

}  // namespace onexn

#endif  // ONEXN_PACKING_H_
