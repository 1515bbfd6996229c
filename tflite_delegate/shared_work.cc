#include "shared_work.h"

#include "layout.h"
#include "thread_pool.h"

namespace onexn {
namespace {

int Least(int a, int b) { return a < b ? a : b; }
int Divide(int value, int by) { return static_cast<int>(DivideUp(value, by)); }

// Divides `count` things into at most `parts`.
struct Parts {
  int size;
  int count;

  Parts(int things, int parts)
      : size(Divide(things, parts < 1 ? 1 : parts)), count(Divide(things, size)) {}
};

struct PackJob {
  const Kernels* kernels;
  const PackTask* task;
  int pixels;  // of an item
};

struct ProductJob {
  const Kernels* kernels;
  const ProductTask* task;
  int rows;  // of an item
  int row_items;
  int pixels;
};

int ItemsFor(const ThreadPool* pool) {
  return pool == nullptr ? 1 : kItemsPerThread * pool->threads();
}

}  // namespace

void PackInItems(const Kernels& kernels, const PackTask& task, ThreadPool* pool) {
  if (task.pixels == 0) return;
  const int tile = task.layout.tile;
  const Parts tiles(Divide(task.pixels, tile), ItemsFor(pool));
  PackJob job = {&kernels, &task, tiles.size * tile};
  RunItems(
      pool, tiles.count,
      [](void* context, int item, int) {
        const PackJob& job = *static_cast<const PackJob*>(context);
        PackTask part = *job.task;
        const int first = item * job.pixels;
        if (part.offsets == nullptr) {
          part.input += first * part.pitch;
        } else {
          part.offsets += first;
        }
        part.pixels = Least(job.pixels, part.pixels - first);
        part.panel += part.layout.chunked()
                          ? int64_t{1} * first * kChunk
                          : first / part.layout.tile * part.layout.pitch;
        job.kernels->pack(part);
      },
      &job);
}

void MultiplyInItems(const Kernels& kernels, const ProductTask& task,
                     ThreadPool* pool) {
  const int all_rows = task.last_row - task.first_row;
  if (all_rows == 0 || task.last_pixel == task.first_pixel) return;
  const int tile = task.layout.tile;
  const Parts rows(all_rows, ItemsFor(pool));
  const Parts tiles(Divide(task.last_pixel - task.first_pixel, tile),
                    Divide(ItemsFor(pool), rows.count));
  ProductJob job = {&kernels, &task, rows.size, rows.count, tiles.size * tile};
  RunItems(
      pool, rows.count * tiles.count,
      [](void* context, int item, int) {
        const ProductJob& job = *static_cast<const ProductJob*>(context);
        ProductTask part = *job.task;
        const int skipped = item % job.row_items * job.rows;
        const int64_t channels = int64_t{1} * skipped * part.kernel->width;
        part.output += channels;
        if (part.residual != nullptr) part.residual += channels;
        part.first_row += skipped;
        part.last_row = Least(part.last_row, part.first_row + job.rows);
        part.first_pixel += item / job.row_items * job.pixels;
        part.last_pixel = Least(part.last_pixel, part.first_pixel + job.pixels);
        job.kernels->multiply(part);
      },
      &job);
}

}  // namespace onexn
