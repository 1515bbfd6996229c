// A few threads that share out the items of one job at a time.
//
// Nobody waits for a thread that came too late to get an item. Threads without work
// stay awake for a while, then sleep.

#ifndef ONEXN_THREAD_POOL_H_
#define ONEXN_THREAD_POOL_H_

typedef struct onexn_thread_pool onexn_thread_pool;

// Does item i of a job in a thread; the caller's is 0.
typedef void (*onexn_item_function)(void* context, int item, int thread);

enum { ONEXN_MOST_THREADS = 64 };

// Returns null if there is no memory or not so many threads.
onexn_thread_pool* onexn_thread_pool_new(int threads);
void onexn_thread_pool_free(onexn_thread_pool* pool);
// Returns when all items are done. One caller at a time.
void onexn_thread_pool_run(onexn_thread_pool* pool, int items,
                           onexn_item_function function, void* context);

#endif  // ONEXN_THREAD_POOL_H_
