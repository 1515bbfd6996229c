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

  // Joins neighbouring block rows to rows of 16 channels, with zeros where only some of
  // them have a block. It pays where the inputs are used so rarely that laying them out
  // for narrow rows costs more than the zeros. Returns whether there was memory.
  bool JoinRowsIfUseful(const Kernels& kernels);

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
  // Without a bias, the one that is there stays.
  bool FillRows(const float* bias, int channels);
  int JoinedBlocks(int first, int last) const;
  void JoinRows(int first, int last, int32_t* end);

  Array<BlockRow> rows_;
  Array<int32_t> offsets_;
  Array<float> bias_;
  // of joined rows
  Array<float> joined_data_;
  Array<int32_t> joined_indices_;
  Array<int32_t> joined_indptr_;
};

}  // namespace onexn

#endif  // ONEXN_PACKING_H_
