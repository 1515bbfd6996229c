#include "faults.h"

#include <string.h>

#include <type_traits>

#include "../kernels/select.h"
#include "../memory.h"

namespace onexn {
namespace {

const Kernels& Portable() { return *KernelsFor("portable"); }

// Runs with one kernel instead of the other.
template <typename Task>
void RunWith(const PackedKernel& kernel, Task task, void (*run)(const Task&)) {
  task.kernel = &kernel;
  run(task);
}

// The last row of a task lacks its last block.
template <typename Task>
void LoseBlock(Task task, void (*run)(const Task&)) {
  const int last = task.last_row - 1;
  // where a task writes its first row, if that is not row 0
  const int first = std::is_same<Task, ProductTask>::value ? task.first_row : 0;
  const PackedKernel& whole = *task.kernel;
  BlockRow row = whole.rows[last];
  if (row.end > row.begin) --row.end;
  PackedKernel kernel = whole;
  kernel.rows = &row;
  kernel.bias += last * whole.width;
  Task one = task;
  one.first_row = 0;
  one.last_row = 1;
  one.output += (last - first) * whole.width;
  if (one.residual != nullptr) one.residual += (last - first) * whole.width;
  RunWith(kernel, one, run);
  task.last_row = last;
  run(task);
}

template <typename Task>
void LoseActivation(const Task& task, void (*run)(const Task&)) {
  PackedKernel kernel = *task.kernel;
  kernel.activation = Activation();
  RunWith(kernel, task, run);
}

template <typename Task>
void LoseResidual(Task task, void (*run)(const Task&)) {
  task.residual = nullptr;
  run(task);
}

void ProductBlock(const ProductTask& task) { LoseBlock(task, Portable().multiply); }
void ProductPixel(const ProductTask& task) {
  ProductTask fewer = task;
  --fewer.last_pixel;
  Portable().multiply(fewer);
}
void ProductResidual(const ProductTask& task) {
  LoseResidual(task, Portable().multiply);
}
void ProductActivation(const ProductTask& task) {
  LoseActivation(task, Portable().multiply);
}

void PackChannel(const PackTask& task) {
  PackTask fewer = task;
  --fewer.channels;
  Portable().pack(fewer);
}
// Each pixel gets what belongs to the one before.
void PackPixel(const PackTask& task) {
  Array<int32_t> offsets;
  if (!offsets.Resize(static_cast<size_t>(task.pixels))) return;
  for (int p = 1; p < task.pixels; ++p) {
    offsets[p] = task.offsets != nullptr ? task.offsets[p - 1]
                                         : static_cast<int32_t>((p - 1) * task.pitch);
  }
  PackTask shifted = task;
  shifted.offsets = offsets.data();
  Portable().pack(shifted);
}

void DepthwiseTap(const DepthwiseTask& task) {
  DepthwiseTask fewer = task;
  --fewer.height;
  Portable().depthwise(fewer);
}
void DepthwiseStride(const DepthwiseTask& task) {
  DepthwiseTask slower = task;
  slower.stride_x = 1;
  Portable().depthwise(slower);
}
void DepthwiseActivation(const DepthwiseTask& task) {
  DepthwiseTask plain = task;
  plain.activation = Activation();
  Portable().depthwise(plain);
}

void SumPixel(const float* chunk, int pixels, float* sums) {
  Portable().sum(chunk, pixels - 1, sums);
}

void VectorBlock(const VectorTask& task) {
  LoseBlock(task, Portable().multiply_vector);
}
void VectorRow(const VectorTask& task) {
  VectorTask fewer = task;
  --fewer.last_row;
  Portable().multiply_vector(fewer);
}
void VectorResidual(const VectorTask& task) {
  LoseResidual(task, Portable().multiply_vector);
}
void VectorActivation(const VectorTask& task) {
  LoseActivation(task, Portable().multiply_vector);
}

void ScaleBlock(const ScaleTask& task) {
  ScaleTask fewer = task;
  --fewer.blocks;
  memcpy(task.scaled, task.data, sizeof(float) * task.blocks * task.n);
  Portable().scale(fewer);
}

struct Fault {
  const char* name;
  void (*make)(Kernels* kernels);
};

const Fault kFaults[] = {
    {"product block", [](Kernels* k) { k->multiply = ProductBlock; }},
    {"product pixel", [](Kernels* k) { k->multiply = ProductPixel; }},
    {"product residual", [](Kernels* k) { k->multiply = ProductResidual; }},
    {"product activation", [](Kernels* k) { k->multiply = ProductActivation; }},
    {"pack channel", [](Kernels* k) { k->pack = PackChannel; }},
    {"pack pixel", [](Kernels* k) { k->pack = PackPixel; }},
    {"depthwise tap", [](Kernels* k) { k->depthwise = DepthwiseTap; }},
    {"depthwise stride", [](Kernels* k) { k->depthwise = DepthwiseStride; }},
    {"depthwise activation", [](Kernels* k) { k->depthwise = DepthwiseActivation; }},
    {"sum pixel", [](Kernels* k) { k->sum = SumPixel; }},
    {"vector block", [](Kernels* k) { k->multiply_vector = VectorBlock; }},
    {"vector row", [](Kernels* k) { k->multiply_vector = VectorRow; }},
    {"vector residual", [](Kernels* k) { k->multiply_vector = VectorResidual; }},
    {"vector activation", [](Kernels* k) { k->multiply_vector = VectorActivation; }},
    {"scale block", [](Kernels* k) { k->scale = ScaleBlock; }},
};

constexpr int kFaultCount = sizeof(kFaults) / sizeof(kFaults[0]);

}  // namespace

const Kernels* FaultyKernels(const char* name) {
  static Kernels tables[kFaultCount];
  for (int i = 0; i < kFaultCount; ++i) {
    if (strcmp(name, kFaults[i].name) != 0) continue;
    tables[i] = Portable();
    tables[i].isa = "faulty";
    kFaults[i].make(&tables[i]);
    return &tables[i];
  }
  return nullptr;
}

}  // namespace onexn
