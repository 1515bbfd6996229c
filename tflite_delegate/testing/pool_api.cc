#include "pool_api.h"

#include "../thread_pool.h"

using onexn::ThreadPool;

namespace {

struct Count {
  int32_t work;
  int32_t* counts;
  int32_t* thread_counts;
};

}  // namespace

ThreadPool* onexn_pool_create(int32_t threads) { return ThreadPool::Create(threads); }

void onexn_pool_destroy(ThreadPool* pool) { ThreadPool::Destroy(pool); }

int32_t onexn_pool_threads(const ThreadPool* pool) { return pool->threads(); }

void onexn_pool_count(ThreadPool* pool, int32_t jobs, int32_t items, int32_t work,
                      int32_t* counts, int32_t* thread_counts) {
  Count count = {work, counts, thread_counts};
  for (int32_t job = 0; job < jobs; ++job) {
    pool->Run(
        items,
        [](void* context, int item, int thread) {
          const Count& count = *static_cast<const Count*>(context);
          for (int32_t i = 0; i < count.work; ++i) __asm__ volatile("");
          ++count.counts[item];
          ++count.thread_counts[thread];
        },
        &count);
  }
}
