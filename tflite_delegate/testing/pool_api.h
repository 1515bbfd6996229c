// Thread pools through a C interface, for tests in Python.

#ifndef ONEXN_TESTING_POOL_API_H_
#define ONEXN_TESTING_POOL_API_H_

#include <stdint.h>

namespace onexn {
class ThreadPool;
}

#pragma GCC visibility push(default)
extern "C" {

onexn::ThreadPool* onexn_pool_create(int32_t threads);
void onexn_pool_destroy(onexn::ThreadPool* pool);
int32_t onexn_pool_threads(const onexn::ThreadPool* pool);

// Runs a job so many times; each of its items adds 1 to its count and to its thread's,
// and `work` times does next to nothing.
void onexn_pool_count(onexn::ThreadPool* pool, int32_t jobs, int32_t items,
                      int32_t work, int32_t* counts, int32_t* thread_counts);

}  // extern "C"
#pragma GCC visibility pop

#endif  // ONEXN_TESTING_POOL_API_H_
