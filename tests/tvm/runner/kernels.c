// A kernel that touches all that it is given, instead of those of a network.

#include <stdint.h>

#include "abi.h"

typedef struct {
  void* sync_handle;
  int32_t num_task;
} Environment;

typedef int (*Lambda)(int task, Environment* environment, void* data);

extern int (*__TVMBackendParallelLaunch)(Lambda, void*, int);
extern void* (*__TVMBackendAllocWorkspace)(int, int, uint64_t, int, int);
extern int (*__TVMBackendFreeWorkspace)(int, int, void*);
void TVMFFIErrorSetRaisedFromCStrParts(const char*, const char**, int32_t);

typedef struct {
  const TVMFFIAny* arguments;
  int32_t count;
} Arguments;

static uint64_t BytesOf(const DLTensor* tensor) {
  uint64_t bytes = tensor->dtype.bits / 8;
  for (int32_t i = 0; i < tensor->ndim; ++i) bytes *= (uint64_t)tensor->shape[i];
  return bytes;
}

static int Touch(int task, Environment* environment, void* data) {
  const Arguments* given = data;
  enum { kScratch = 3000 };
  uint8_t* outer = __TVMBackendAllocWorkspace(1, 0, kScratch, 2, 32);
  uint8_t* inner = __TVMBackendAllocWorkspace(1, 0, 2 * kScratch, 2, 32);
  if (outer == 0 || inner == 0) return -1;
  for (int i = 0; i < kScratch; ++i) outer[i] = inner[2 * i] = (uint8_t)task;
  uint8_t sum = 0;
  for (int32_t i = 0; i + 1 < given->count; ++i) {
    const DLTensor* tensor = given->arguments[i].v_ptr;
    const uint8_t* bytes = tensor->data;
    for (uint64_t j = 0; j < BytesOf(tensor); ++j) sum = (uint8_t)(sum + bytes[j]);
  }
  const DLTensor* result = given->arguments[given->count - 1].v_ptr;
  const uint64_t bytes = BytesOf(result);
  const uint64_t first = bytes * (uint64_t)task / (uint64_t)environment->num_task;
  const uint64_t end = bytes * ((uint64_t)task + 1) / (uint64_t)environment->num_task;
  for (uint64_t j = first; j < end; ++j) ((uint8_t*)result->data)[j] = sum;
  return __TVMBackendFreeWorkspace(1, 0, inner) |
         __TVMBackendFreeWorkspace(1, 0, outer);
}

static int32_t TouchAll(void* self, const TVMFFIAny* arguments, int32_t count,
                        TVMFFIAny* result) {
  (void)self;
  (void)result;
  if (count == 0) {
    const char* parts[] = {"nothing ", "to touch"};
    TVMFFIErrorSetRaisedFromCStrParts("ValueError", parts, 2);
    return -1;
  }
  // an output that is read too would be a race, which is no fault of the runner
  for (int32_t i = 0; i + 1 < count; ++i) {
    const DLTensor* one = arguments[i].v_ptr;
    const DLTensor* last = arguments[count - 1].v_ptr;
    const uint8_t* start = one->data;
    const uint8_t* other = last->data;
    if (start < other + BytesOf(last) && other < start + BytesOf(one)) return -1;
  }
  Arguments given = {arguments, count};
  return __TVMBackendParallelLaunch(Touch, &given, 0);
}

const onexn_kernel onexn_kernels[] = {{"touch", TouchAll}, {"again", TouchAll}};
const uint32_t onexn_kernel_count = 2;
const uint32_t onexn_kernels_checksum = 77;
const char onexn_target[] = "host";
const onexn_isa onexn_needed_isa = ONEXN_ANY;
