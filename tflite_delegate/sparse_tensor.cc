#include "sparse_tensor.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "float16.h"

namespace onexn {
namespace {

constexpr int kMostAxes = 8;
// more than any file holds, and far from overflow
constexpr int64_t kMostEntries = int64_t{1} << 40;

// The levels of a sparse tensor in the order of its values.
class Levels {
 public:
  Levels(const TfLiteTensor& tensor, char* message, size_t message_size)
      : tensor_(tensor),
        sparsity_(*tensor.sparsity),
        message_(message),
        message_size_(message_size) {}

  bool Check() {
    if (!CheckShape() || !CheckOrder() || !CheckBlockMap()) return false;
    int64_t entries = 1;
    for (int i = 0; i < count(); ++i) {
      if (!CheckLevel(i, &entries)) return false;
    }
    return CheckValues(entries);
  }

  int count() const { return sparsity_.dim_metadata_size; }
  int rank() const { return tensor_.dims->size; }
  const TfLiteDimensionMetadata& level(int i) const {
    return sparsity_.dim_metadata[i];
  }
  bool is_block(int i) const { return place(i) >= rank(); }
  // Which axis of the tensor a level, or a level of blocks, runs along.
  int axis(int i) const {
    return is_block(i) ? sparsity_.block_map->data[place(i) - rank()] : place(i);
  }

 private:
  int place(int i) const { return sparsity_.traversal_order->data[i]; }

  int block_count() const {
    return sparsity_.block_map == nullptr ? 0 : sparsity_.block_map->size;
  }

  __attribute__((format(printf, 2, 3))) bool Fail(const char* format, ...) {
    char fault[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(fault, sizeof(fault), format, arguments);
    va_end(arguments);
    snprintf(message_, message_size_, "sparse tensor \"%.200s\" has %s",
             tensor_.name == nullptr ? "" : tensor_.name, fault);
    return false;
  }

  bool CheckShape() {
    if (tensor_.dims == nullptr) return Fail("no shape");
    if (rank() < 1 || rank() > kMostAxes) {
      return Fail("%d dimensions, expected 1 to %d", rank(), kMostAxes);
    }
    for (int i = 0; i < rank(); ++i) {
      if (tensor_.dims->data[i] < 1) {
        return Fail("size %d in dimension %d, expected at least 1",
                    tensor_.dims->data[i], i);
      }
    }
    return true;
  }

  // A permutation of the axes, then the blocks in their order.
  bool CheckOrder() {
    const TfLiteIntArray* order = sparsity_.traversal_order;
    const int expected = rank() + block_count();
    if (order == nullptr || order->size != expected || count() != expected ||
        sparsity_.dim_metadata == nullptr || block_count() > rank()) {
      return Fail(
          "a traversal order of %d, %d levels and a block map of %d, expected %d of "
          "each but for the block map",
          order == nullptr ? 0 : order->size, count(), block_count(), expected);
    }
    unsigned seen = 0;
    for (int i = 0; i < expected; ++i) {
      const int at = order->data[i];
      const bool fits = i < rank() ? at >= 0 && at < rank() : at == i;
      if (!fits || (seen >> at & 1u) != 0) {
        return Fail("%d at place %d of its traversal order, expected %s", at, i,
                    i < rank() ? "each dimension once" : "the blocks in their order");
      }
      seen |= 1u << at;
    }
    return true;
  }

  bool CheckBlockMap() {
    for (int i = 0; i < block_count(); ++i) {
      const int along = sparsity_.block_map->data[i];
      const int before = i == 0 ? -1 : sparsity_.block_map->data[i - 1];
      if (along <= before || along >= rank()) {
        return Fail("dimension %d in its block map, expected one from %d to %d", along,
                    before + 1, rank() - 1);
      }
    }
    return true;
  }

  // The size of the blocks along an axis.
  int BlockSize(int along) const {
    for (int i = 0; i < count(); ++i) {
      if (is_block(i) && axis(i) == along) return level(i).dense_size;
    }
    return 1;
  }

  bool CheckLevel(int i, int64_t* entries) {
    const int along = axis(i);
    const int whole = tensor_.dims->data[along];
    const int block = BlockSize(along);
    if (block < 1 || whole % block != 0) {
      return Fail("blocks of %d along dimension %d, expected a divisor of %d", block,
                  along, whole);
    }
    const int size = is_block(i) ? block : whole / block;
    if (level(i).format == kTfLiteDimSparseCSR && !is_block(i)) {
      return CheckIndices(i, size, entries);
    }
    if (level(i).format != kTfLiteDimDense || level(i).dense_size != size) {
      return Fail("a level %d of format %d and size %d, expected a dense one of %d", i,
                  level(i).format, level(i).dense_size, size);
    }
    if (*entries > kMostEntries / size) {
      return Fail("more values than a file can hold");
    }
    *entries *= size;
    return true;
  }

  bool CheckIndices(int i, int size, int64_t* entries) {
    const TfLiteIntArray* segments = level(i).array_segments;
    const TfLiteIntArray* indices = level(i).array_indices;
    if (segments == nullptr || indices == nullptr) {
      return Fail("no %s at level %d", segments == nullptr ? "segments" : "indices", i);
    }
    if (segments->size < 1 || segments->size - 1 != *entries) {
      return Fail("%d segments at level %d, expected %lld", segments->size, i,
                  static_cast<long long>(*entries + 1));
    }
    const int last = segments->data[segments->size - 1];
    if (segments->data[0] != 0 || last != indices->size) {
      return Fail("segments from %d to %d, expected 0 to its %d indices",
                  segments->data[0], last, indices->size);
    }
    for (int s = 1; s < segments->size; ++s) {
      if (segments->data[s] < segments->data[s - 1]) {
        return Fail("segment %d that ends at %d, before its start at %d", s - 1,
                    segments->data[s], segments->data[s - 1]);
      }
    }
    for (int s = 1; s < segments->size; ++s) {
      int before = -1;
      for (int z = segments->data[s - 1]; z < segments->data[s]; ++z) {
        const int index = indices->data[z];
        if (index < 0 || index >= size) {
          return Fail("the index %d, expected 0 to %d", index, size - 1);
        }
        if (index <= before) {
          return Fail("the index %d after %d, expected rising ones", index, before);
        }
        before = index;
      }
    }
    *entries = indices->size;
    return true;
  }

  bool CheckValues(int64_t entries) {
    int64_t bytes = 0;
    switch (tensor_.type) {
      case kTfLiteFloat32:
        bytes = 4;
        break;
      case kTfLiteFloat16:
        bytes = 2;
        break;
      case kTfLiteInt8:
      case kTfLiteUInt8:
        bytes = 1;
        break;
      default:
        return Fail("the type %d, expected float32, float16 or 8-bit integers",
                    tensor_.type);
    }
    const bool stored =
        tensor_.allocation_type == kTfLiteMmapRo && tensor_.data.raw != nullptr;
    const unsigned long long found = stored ? tensor_.bytes : 0;
    const auto expected = static_cast<unsigned long long>(entries * bytes);
    if (found != expected || found == 0) {
      return Fail("%llu bytes of values, expected %llu", found, expected);
    }
    return true;
  }

  const TfLiteTensor& tensor_;
  const TfLiteSparsity& sparsity_;
  char* message_;
  size_t message_size_;
};

// The places of a kernel's levels in the order of its values.
enum Place { kOutputs, kInputs, kHeight, kWidth, kBlock, kNowhere };

Place PlaceOf(const Levels& levels, int i) {
  const int along = levels.axis(i);
  if (levels.is_block(i)) return along == 0 ? kBlock : kNowhere;
  if (along == 0) return kOutputs;
  if (along == levels.rank() - 1) return kInputs;
  return along == 1 ? kHeight : kWidth;
}

bool FindBlocks(const TfLiteTensor& tensor, const Levels& levels,
                SparseKernel* kernel) {
  if (levels.rank() != 2 && levels.rank() != 4) return false;
  if (tensor.type != kTfLiteFloat32 && tensor.type != kTfLiteFloat16) return false;
  int last = -1;
  const TfLiteDimensionMetadata* inputs = nullptr;
  int n = 1;
  for (int i = 0; i < levels.count(); ++i) {
    const TfLiteDimensionMetadata& level = levels.level(i);
    const Place place = PlaceOf(levels, i);
    const bool sparse = level.format == kTfLiteDimSparseCSR;
    if (!sparse && level.dense_size == 1) continue;
    if (sparse != (place == kInputs) || place == kNowhere || place < last) return false;
    last = place;
    if (place == kInputs) inputs = &level;
    if (place == kBlock) n = level.dense_size;
  }
  if (inputs == nullptr) return false;
  const int* dims = tensor.dims->data;
  if (levels.rank() == 4) {
    kernel->height = dims[1];
    kernel->width = dims[2];
  }
  // the dense levels behind the sparse one multiplied to a number of values in the file
  kernel->blocks.window = kernel->height * kernel->width;
  kernel->blocks.rows = dims[0];
  kernel->blocks.columns = dims[levels.rank() - 1];
  kernel->blocks.n = n;
  kernel->blocks.indptr = inputs->array_segments->data;
  kernel->blocks.indices = inputs->array_indices->data;
  kernel->type = tensor.type;
  kernel->values = tensor.data.raw;
  return true;
}

}  // namespace

SparseLayout ReadSparseTensor(const TfLiteTensor& tensor, SparseKernel* kernel,
                              char* message, size_t message_size) {
  Levels levels(tensor, message, message_size);
  if (!levels.Check()) return SparseLayout::kMalformed;
  return FindBlocks(tensor, levels, kernel) ? SparseLayout::kBlocks
                                            : SparseLayout::kOther;
}

bool LoadValues(const SparseKernel& kernel, Storage* storage, Bsr* blocks) {
  *blocks = kernel.blocks;
  const size_t count =
      static_cast<size_t>(blocks->blocks()) * blocks->window * blocks->n;
  blocks->data = LoadFloats(kernel.values, kernel.type, count, storage);
  return blocks->data != nullptr;
}

const float* LoadFloats(const void* values, int type, size_t count, Storage* storage) {
  const bool aligned = reinterpret_cast<uintptr_t>(values) % alignof(float) == 0;
  if (type == kTfLiteFloat32 && aligned) return static_cast<const float*>(values);
  float* copy = storage->Allocate<float>(count);
  if (copy == nullptr) return nullptr;
  if (type == kTfLiteFloat32) {
    memcpy(copy, values, count * sizeof(float));
    return copy;
  }
  const char* halves = static_cast<const char*>(values);
  for (size_t i = 0; i < count; ++i) {
    uint16_t half;
    memcpy(&half, halves + i * sizeof(half), sizeof(half));
    copy[i] = FromFloat16(half);
  }
  return copy;
}

}  // namespace onexn
