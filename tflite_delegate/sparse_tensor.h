// Sparse tensors of the TFLite schema, checked before anything follows their indices.

#ifndef ONEXN_SPARSE_TENSOR_H_
#define ONEXN_SPARSE_TENSOR_H_

#include <stddef.h>

#include "kernels/types.h"
#include "memory.h"
#include "tflite_abi.h"

namespace onexn {

enum class SparseLayout {
  kBlocks,     // 1×n blocks: see SparseKernel
  kOther,      // well-formed, but not ours
  kMalformed,  // runtimes would read what is not there
};

// A kernel [O, kh, kw, I] or [O, I] of 1×n blocks. Its levels, in the order of the
// values, are
//
//   O/n dense, I compressed, kh dense, kw dense, n dense
//
// where levels of size 1 may be missing or stand elsewhere.
struct SparseKernel {
  Bsr blocks;  // its `data` is null: see LoadValues
  int height = 1;
  int width = 1;
  int type = 0;                  // kTfLiteFloat32 or kTfLiteFloat16
  const void* values = nullptr;  // maybe unaligned
};

// Checks a tensor with sparsity, and finds its 1×n blocks. `message` says what is wrong
// where it is malformed.
SparseLayout ReadSparseTensor(const TfLiteTensor& tensor, SparseKernel* kernel,
                              char* message, size_t message_size);

// Points the blocks to their values: in the file where they are aligned floats, else to
// a copy. Returns whether there is memory.
bool LoadValues(const SparseKernel& kernel, Storage* storage, Bsr* blocks);

// Floats as they are stored, or a copy as float32; null if there is no memory.
const float* LoadFloats(const void* values, int type, size_t count, Storage* storage);

}  // namespace onexn

#endif  // ONEXN_SPARSE_TENSOR_H_
