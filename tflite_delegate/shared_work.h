// Packing and multiplying, shared out between threads.

#ifndef ONEXN_SHARED_WORK_H_
#define ONEXN_SHARED_WORK_H_

#include "kernels/kernels.h"

namespace onexn {

class ThreadPool;

// Some items for each thread, so that one which comes late is not waited for.
constexpr int kItemsPerThread = 4;

// Tiles of pixels are the items.
void PackInItems(const Kernels& kernels, const PackTask& task, ThreadPool* pool);

// Rows of blocks are the items, and tiles of pixels where there are few rows.
void MultiplyInItems(const Kernels& kernels, const ProductTask& task, ThreadPool* pool);

}  // namespace onexn

#endif  // ONEXN_SHARED_WORK_H_
