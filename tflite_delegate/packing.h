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

  // Sets where a product finds input channel k of window position t: in chunk
  // t·chunks + k/16 of a panel with so many floats from chunk to chunk.
  bool ReadFromPanel(int64_t panel_pitch, int group);
  // … in an array of channels. The window is a single pixel.
  bool ReadFromVector();

  const PackedKernel& kernel() const { return kernel_; }
  int input_chunks() const { return (bsr_.columns + kChunk - 1) / kChunk; }
  int panel_chunks() const { return bsr_.window * input_chunks(); }
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
