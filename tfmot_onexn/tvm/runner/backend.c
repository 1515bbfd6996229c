#include "backend.h"

#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

// who serves the kernels of this thread; null outside of a run
static _Thread_local onexn_thread* current;
// whether this thread does an item of a parallel loop
static _Thread_local int in_job;

int onexn_backend_open(onexn_backend* backend, int num_threads) {
  memset(backend, 0, sizeof(*backend));
  pthread_mutex_init(&backend->mutex, NULL);
  backend->num_threads = num_threads;
  for (int i = 0; i < num_threads; ++i) backend->threads[i].backend = backend;
  backend->pool = onexn_thread_pool_new(num_threads);
  return backend->pool == NULL ? -1 : 0;
}

void onexn_backend_close(onexn_backend* backend) {
  onexn_thread_pool_free(backend->pool);
  for (int i = 0; i < backend->num_threads; ++i) {
    onexn_workspace_free(&backend->threads[i].workspace);
  }
  pthread_mutex_destroy(&backend->mutex);
}

void onexn_backend_enter(onexn_backend* backend) {
  backend->message[0] = '\0';
  // a kernel that failed may not have given back what it took
  for (int i = 0; i < backend->num_threads; ++i) {
    onexn_workspace_reset(&backend->threads[i].workspace);
  }
  current = &backend->threads[0];
}

void onexn_backend_leave(void) { current = NULL; }

// TVM's structures and names from here on

typedef struct {
  void* sync_handle;
  int32_t num_task;
} TVMParallelGroupEnv;

typedef int (*FTVMParallelLambda)(int task, TVMParallelGroupEnv* environment,
                                  void* data);

typedef struct {
  onexn_backend* backend;
  FTVMParallelLambda lambda;
  void* data;
  int tasks;
  atomic_int failed;
} Job;

static void DoTask(void* context, int task, int thread) {
  Job* job = context;
  onexn_thread* const before = current;
  current = &job->backend->threads[thread];
  in_job = 1;
  TVMParallelGroupEnv environment = {NULL, job->tasks};
  if (job->lambda(task, &environment, job->data) != 0) atomic_store(&job->failed, 1);
  in_job = 0;
  current = before;
}

static int ParallelLaunch(FTVMParallelLambda lambda, void* data, int tasks) {
  if (in_job) {
    // a loop inside of a parallel loop is not divided again
    TVMParallelGroupEnv environment = {NULL, 1};
    return lambda(0, &environment, data);
  }
  onexn_backend* backend = current->backend;
  Job job = {backend, lambda, data, tasks > 0 ? tasks : backend->num_threads, 0};
  onexn_thread_pool_run(backend->pool, job.tasks, DoTask, &job);
  return atomic_load(&job.failed) ? -1 : 0;
}

static void* AllocWorkspace(int device_type, int device_id, uint64_t bytes,
                            int type_code, int type_bits) {
  (void)device_type;
  (void)device_id;
  (void)type_code;
  (void)type_bits;
  if (bytes > SIZE_MAX) return NULL;
  return onexn_workspace_take(&current->workspace, (size_t)bytes);
}

static int FreeWorkspace(int device_type, int device_id, void* memory) {
  (void)device_type;
  (void)device_id;
  return onexn_workspace_give(&current->workspace, memory);
}

// Kernels call through these pointers, which they declare weakly.
int (*__TVMBackendParallelLaunch)(FTVMParallelLambda, void*, int) = ParallelLaunch;
void* (*__TVMBackendAllocWorkspace)(int, int, uint64_t, int, int) = AllocWorkspace;
int (*__TVMBackendFreeWorkspace)(int, int, void*) = FreeWorkspace;

void TVMFFIErrorSetRaisedFromCStrParts(const char* kind, const char** parts,
                                       int32_t count);
void TVMFFIErrorSetRaisedFromCStrParts(const char* kind, const char** parts,
                                       int32_t count) {
  onexn_backend* backend = current->backend;
  pthread_mutex_lock(&backend->mutex);
  char* message = backend->message;
  const size_t size = sizeof(backend->message);
  if (message[0] == '\0') {
    snprintf(message, size, "%s: ", kind);
    for (int32_t i = 0; i < count; ++i) {
      const size_t length = strlen(message);
      if (parts[i] != NULL) snprintf(message + length, size - length, "%s", parts[i]);
    }
  }
  pthread_mutex_unlock(&backend->mutex);
}
