#include "thread_pool.h"

#include <sched.h>
#include <time.h>

#include "memory.h"

namespace onexn {
namespace {

// state: 24 bits of a job's number, 20 of its items, 20 of the next item
constexpr int kItemBits = 20;
constexpr uint64_t kItemMask = (uint64_t{1} << kItemBits) - 1;
constexpr int kMostItems = static_cast<int>(kItemMask);

uint64_t JobOf(uint64_t state) { return state >> (2 * kItemBits); }
int ItemsOf(uint64_t state) { return (state >> kItemBits) & kItemMask; }
int NextOf(uint64_t state) { return state & kItemMask; }

// A thread stays awake for longer than the runtime's own operators between two chains
// take, and than it takes to wake one on a virtual machine.
constexpr int64_t kAwakeNanoseconds = 500 * 1000;
// before the processor is given to others, and before looking at the clock
constexpr int kPauses = 1000;
constexpr int kPausesPerLook = 32;

int64_t Now() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return int64_t{1000 * 1000 * 1000} * now.tv_sec + now.tv_nsec;
}

void Pause() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__) || defined(__arm__)
  __asm__ __volatile__("yield");
#endif
}

}  // namespace

ThreadPool* ThreadPool::Create(int threads) {
  ThreadPool* pool = New<ThreadPool>();
  if (pool == nullptr) return nullptr;
  for (int i = 1; i < threads && i < 64; ++i) {
    Worker* worker = &pool->workers_[pool->started_];
    *worker = {pool, i};
    if (pthread_create(&pool->handles_[pool->started_], nullptr, Work, worker) != 0) {
      break;
    }
    ++pool->started_;
  }
  pool->threads_ = pool->started_ + 1;
  return pool;
}

void ThreadPool::Destroy(ThreadPool* pool) {
  if (pool == nullptr) return;
  pthread_mutex_lock(&pool->sleep_mutex_);
  pool->stop_.store(true);
  pthread_cond_broadcast(&pool->awake_);
  pthread_mutex_unlock(&pool->sleep_mutex_);
  for (int i = 0; i < pool->started_; ++i) pthread_join(pool->handles_[i], nullptr);
  pthread_cond_destroy(&pool->awake_);
  pthread_mutex_destroy(&pool->sleep_mutex_);
  pthread_mutex_destroy(&pool->job_mutex_);
  Delete(pool);
}

void ThreadPool::Run(int items, Function function, void* context) {
  if (items > kMostItems || pthread_mutex_trylock(&job_mutex_) != 0) {
    for (int i = 0; i < items; ++i) function(context, i, 0);
    return;
  }
  function_.store(function, std::memory_order_relaxed);
  context_.store(context, std::memory_order_relaxed);
  done_.store(0, std::memory_order_relaxed);
  const uint64_t job = JobOf(state_.load(std::memory_order_relaxed)) + 1;
  state_.store(job << (2 * kItemBits) | static_cast<uint64_t>(items) << kItemBits);
  if (sleeping_.load() > 0) {
    pthread_mutex_lock(&sleep_mutex_);
    pthread_cond_broadcast(&awake_);
    pthread_mutex_unlock(&sleep_mutex_);
  }
  DoItems(0);
  // what others hold is nearly done: an item is short
  for (int spins = 0; done_.load(std::memory_order_acquire) < items; ++spins) {
    if (spins < kPauses) {
      Pause();
    } else {
      sched_yield();
    }
  }
  pthread_mutex_unlock(&job_mutex_);
}

void ThreadPool::DoItems(int thread) {
  uint64_t state = state_.load();
  while (NextOf(state) < ItemsOf(state)) {
    // valid if the exchange succeeds: then the job was not over when they were read
    const Function function = function_.load(std::memory_order_relaxed);
    void* context = context_.load(std::memory_order_relaxed);
    if (!state_.compare_exchange_weak(state, state + 1)) continue;
    function(context, NextOf(state), thread);
    done_.fetch_add(1, std::memory_order_release);
    state = state_.load();
  }
}

bool ThreadPool::ComesSoon(uint64_t seen) const {
  const int64_t end = Now() + kAwakeNanoseconds;
  for (int pauses = 0; pauses % kPausesPerLook != 0 || Now() < end; ++pauses) {
    if (JobOf(state_.load()) != seen || stop_.load()) return true;
    Pause();
  }
  return false;
}

void ThreadPool::Sleep(uint64_t seen) {
  pthread_mutex_lock(&sleep_mutex_);
  sleeping_.fetch_add(1);
  while (JobOf(state_.load()) == seen && !stop_.load()) {
    pthread_cond_wait(&awake_, &sleep_mutex_);
  }
  sleeping_.fetch_sub(1);
  pthread_mutex_unlock(&sleep_mutex_);
}

void* ThreadPool::Work(void* argument) {
  const Worker& worker = *static_cast<const Worker*>(argument);
  ThreadPool* pool = worker.pool;
  uint64_t seen = 0;
  while (!pool->stop_.load()) {
    if (!pool->ComesSoon(seen)) pool->Sleep(seen);
    seen = JobOf(pool->state_.load());
    pool->DoItems(worker.thread);
  }
  return nullptr;
}

}  // namespace onexn
