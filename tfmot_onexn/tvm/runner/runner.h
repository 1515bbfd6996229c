// Runs a plan: a network's kernels, weights and static memory, without TVM.
//
// A plan is a folder with plan.bin, weights.bin and the library that this is part of.
// It is read once; running it allocates nothing after the first time.

#ifndef ONEXN_RUNNER_H_
#define ONEXN_RUNNER_H_

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct onexn_plan onexn_plan;

// An input or an output. Its memory belongs to the plan, is aligned to 64 bytes and is
// valid until the plan is closed. An input is zero at first and keeps its content; an
// output has that of the last run.
typedef struct {
  const char* name;
  void* data;
  size_t bytes;
  const int64_t* shape;
  int32_t ndim;
  // as in DLPack: 0 signed, 1 unsigned, 2 floating point, 6 boolean
  uint8_t code;
  uint8_t bits;
} onexn_tensor;

// The machine that the kernels were compiled for, as `onexn build --target` takes it.
const char* onexn_plan_target(void);

// Opens the plan in a folder, to be run by so many threads, the caller's among them.
// Returns null if it cannot, and writes why to `message`.
onexn_plan* onexn_plan_open(const char* folder, int num_threads, char* message,
                            size_t message_size);
void onexn_plan_close(onexn_plan* plan);

// Returns how many there are, and points at the first.
int onexn_plan_inputs(const onexn_plan* plan, const onexn_tensor** tensors);
int onexn_plan_outputs(const onexn_plan* plan, const onexn_tensor** tensors);

enum { ONEXN_BUSY = -2 };

// Computes the outputs from the inputs, in any thread. Returns 0; -1 if a kernel
// failed, and the message tells why; or ONEXN_BUSY if another thread is running the
// plan.
int onexn_plan_run(onexn_plan* plan);
const char* onexn_plan_message(const onexn_plan* plan);

// The kernels that a run calls, in order; to measure each alone. A call reads what the
// ones before it have written.
int onexn_plan_calls(const onexn_plan* plan);
const char* onexn_plan_call_name(const onexn_plan* plan, int call);
int onexn_plan_run_call(onexn_plan* plan, int call);

#ifdef __cplusplus
}
#endif

#endif  // ONEXN_RUNNER_H_
