#define _POSIX_C_SOURCE 200809L
#include "thread_pool.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

// state: 24 bits of a job's number, 20 of its items, 20 of the next item
enum { kItemBits = 20, kMostItems = (1 << kItemBits) - 1 };
// before the processor is given to others, and before looking at the clock
enum { kPauses = 1000, kPausesPerLook = 32 };
// longer than a plan's serial kernels take, and than it takes to wake a thread
static const int64_t kAwakeNanoseconds = 500 * 1000;

typedef struct {
  onexn_thread_pool* pool;
  int thread;
  pthread_t handle;
} Worker;

struct onexn_thread_pool {
  Worker workers[ONEXN_MOST_THREADS];
  int started;
  pthread_mutex_t mutex;
  pthread_cond_t awake;
  // job number, items and the next item; while items are left, the job is valid
  _Atomic uint64_t state;
  _Atomic(onexn_item_function) function;
  _Atomic(void*) context;
  atomic_int done;
  atomic_int sleeping;
  atomic_bool stop;
};

static uint64_t JobOf(uint64_t state) { return state >> (2 * kItemBits); }
static int ItemsOf(uint64_t state) { return (int)(state >> kItemBits) & kMostItems; }
static int NextOf(uint64_t state) { return (int)state & kMostItems; }

static int64_t Now(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)1000000000 * now.tv_sec + now.tv_nsec;
}

static void Pause(void) {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__) || defined(__arm__)
  __asm__ __volatile__("yield");
#endif
}

static void DoItems(onexn_thread_pool* pool, int thread) {
  uint64_t state = atomic_load(&pool->state);
  while (NextOf(state) < ItemsOf(state)) {
    // valid if the exchange succeeds: then the job was not over when they were read
    const onexn_item_function function =
        atomic_load_explicit(&pool->function, memory_order_relaxed);
    void* context = atomic_load_explicit(&pool->context, memory_order_relaxed);
    if (!atomic_compare_exchange_weak(&pool->state, &state, state + 1)) continue;
    function(context, NextOf(state), thread);
    atomic_fetch_add_explicit(&pool->done, 1, memory_order_release);
    state = atomic_load(&pool->state);
  }
}

static int ComesSoon(onexn_thread_pool* pool, uint64_t seen) {
  const int64_t end = Now() + kAwakeNanoseconds;
  for (int pauses = 0; pauses % kPausesPerLook != 0 || Now() < end; ++pauses) {
    if (JobOf(atomic_load(&pool->state)) != seen || atomic_load(&pool->stop)) return 1;
    Pause();
  }
  return 0;
}

static void Sleep(onexn_thread_pool* pool, uint64_t seen) {
  pthread_mutex_lock(&pool->mutex);
  atomic_fetch_add(&pool->sleeping, 1);
  while (JobOf(atomic_load(&pool->state)) == seen && !atomic_load(&pool->stop)) {
    pthread_cond_wait(&pool->awake, &pool->mutex);
  }
  atomic_fetch_sub(&pool->sleeping, 1);
  pthread_mutex_unlock(&pool->mutex);
}

static void WakeAll(onexn_thread_pool* pool) {
  pthread_mutex_lock(&pool->mutex);
  pthread_cond_broadcast(&pool->awake);
  pthread_mutex_unlock(&pool->mutex);
}

static void* Work(void* argument) {
  const Worker* worker = argument;
  onexn_thread_pool* pool = worker->pool;
  uint64_t seen = 0;
  while (!atomic_load(&pool->stop)) {
    if (!ComesSoon(pool, seen)) Sleep(pool, seen);
    seen = JobOf(atomic_load(&pool->state));
    DoItems(pool, worker->thread);
  }
  return NULL;
}

onexn_thread_pool* onexn_thread_pool_new(int threads) {
  onexn_thread_pool* pool = calloc(1, sizeof(*pool));
  if (pool == NULL) return NULL;
  pthread_mutex_init(&pool->mutex, NULL);
  pthread_cond_init(&pool->awake, NULL);
  for (int i = 1; i < threads; ++i) {
    Worker* worker = &pool->workers[pool->started];
    worker->pool = pool;
    worker->thread = i;
    if (pthread_create(&worker->handle, NULL, Work, worker) != 0) {
      onexn_thread_pool_free(pool);
      return NULL;
    }
    ++pool->started;
  }
  return pool;
}

void onexn_thread_pool_free(onexn_thread_pool* pool) {
  if (pool == NULL) return;
  atomic_store(&pool->stop, 1);
  WakeAll(pool);
  for (int i = 0; i < pool->started; ++i) pthread_join(pool->workers[i].handle, NULL);
  pthread_cond_destroy(&pool->awake);
  pthread_mutex_destroy(&pool->mutex);
  free(pool);
}

void onexn_thread_pool_run(onexn_thread_pool* pool, int items,
                           onexn_item_function function, void* context) {
  if (items > kMostItems || pool->started == 0) {
    for (int i = 0; i < items; ++i) function(context, i, 0);
    return;
  }
  atomic_store_explicit(&pool->function, function, memory_order_relaxed);
  atomic_store_explicit(&pool->context, context, memory_order_relaxed);
  atomic_store_explicit(&pool->done, 0, memory_order_relaxed);
  const uint64_t job =
      JobOf(atomic_load_explicit(&pool->state, memory_order_relaxed)) + 1;
  atomic_store(&pool->state, job << (2 * kItemBits) | (uint64_t)items << kItemBits);
  if (atomic_load(&pool->sleeping) > 0) WakeAll(pool);
  DoItems(pool, 0);
  // what others hold is nearly done: an item is short
  for (int spins = 0; atomic_load_explicit(&pool->done, memory_order_acquire) < items;
       ++spins) {
    if (spins < kPauses) {
      Pause();
    } else {
      sched_yield();
    }
  }
}
