// What kernels ask of TVM's runtime while they run: threads, memory, and a place for
// an error.

#ifndef ONEXN_BACKEND_H_
#define ONEXN_BACKEND_H_

#include <pthread.h>
#include <stddef.h>

#include "thread_pool.h"
#include "workspace.h"

typedef struct onexn_backend onexn_backend;

typedef struct {
  onexn_backend* backend;
  onexn_workspace workspace;
} onexn_thread;

struct onexn_backend {
  int num_threads;
  onexn_thread_pool* pool;
  onexn_thread threads[ONEXN_MOST_THREADS];
  pthread_mutex_t mutex;
  char message[512];  // the first error since it was cleared
};

// Returns 0, or -1 if there are not so many threads.
int onexn_backend_open(onexn_backend* backend, int num_threads);
void onexn_backend_close(onexn_backend* backend);

// Between these, kernels of the calling thread are served by this backend.
void onexn_backend_enter(onexn_backend* backend);
void onexn_backend_leave(void);

#endif  // ONEXN_BACKEND_H_
