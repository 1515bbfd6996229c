// A few threads that share out the items of one job at a time.
//
// A job is over when its items are done: nobody waits for a thread that came too late
// to get one. Threads without work sleep after half a millisecond.

#ifndef ONEXN_THREAD_POOL_H_
#define ONEXN_THREAD_POOL_H_

#include <pthread.h>
#include <stdint.h>

#include <atomic>

namespace onexn {

class ThreadPool {
 public:
  using Function = void (*)(void* context, int item, int thread);

  // A pool of so many threads, the caller's among them. Returns null if there is no
  // memory or no thread to be had.
  static ThreadPool* Create(int threads);
  static void Destroy(ThreadPool* pool);

  int threads() const { return threads_; }

  // Calls function(context, i, thread) for i in [0, items) and returns when all are
  // done. The caller is thread 0; where another job is running, it does all items.
  void Run(int items, Function function, void* context);

 private:
  struct Worker {
    ThreadPool* pool;
    int thread;
  };

  static void* Work(void* worker);
  // Does items of the job that `state_` shows, until none is left.
  void DoItems(int thread);
  // Whether a job other than the one seen last comes soon.
  bool ComesSoon(uint64_t seen) const;
  void Sleep(uint64_t seen);

  int threads_ = 1;
  int started_ = 0;
  pthread_t handles_[64];
  Worker workers_[64];
  pthread_mutex_t job_mutex_ = PTHREAD_MUTEX_INITIALIZER;
  pthread_mutex_t sleep_mutex_ = PTHREAD_MUTEX_INITIALIZER;
  pthread_cond_t awake_ = PTHREAD_COND_INITIALIZER;
  // job number, items and the next item; while items are left, the job below is valid
  std::atomic<uint64_t> state_{0};
  std::atomic<Function> function_{nullptr};
  std::atomic<void*> context_{nullptr};
  std::atomic<int> done_{0};
  std::atomic<int> sleeping_{0};
  std::atomic<bool> stop_{false};
};

// Runs a job on a pool, or in this thread if there is none.
inline void RunItems(ThreadPool* pool, int items, ThreadPool::Function function,
                     void* context) {
  if (pool != nullptr && items > 1) return pool->Run(items, function, context);
  for (int i = 0; i < items; ++i) function(context, i, 0);
}

}  // namespace onexn

#endif  // ONEXN_THREAD_POOL_H_
