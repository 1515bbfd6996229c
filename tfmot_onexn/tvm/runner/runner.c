#include "runner.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "abi.h"
#include "backend.h"
#include "plan_file.h"
#include "processor.h"
#include "workspace.h"

struct onexn_plan {
  onexn_plan_file file;
  uint8_t* weights;
  uint8_t* arena;
  DLTensor* tensors;
  int64_t (*strides)[ONEXN_MOST_DIMENSIONS];
  TVMFFIAny* arguments;
  onexn_tensor* ports;
  onexn_backend backend;
  int backend_opened;
  atomic_flag running;
  char message[768];
};

typedef struct {
  char* text;
  size_t size;
} Message;

static int Fail(Message message, const char* format, ...) {
  va_list values;
  va_start(values, format);
  vsnprintf(message.text, message.size, format, values);
  va_end(values);
  return -1;
}

// Reads a whole file into aligned memory.
static int ReadFile(const char* path, uint8_t** content, size_t* size,
                    Message message) {
  FILE* file = fopen(path, "rb");
  if (file == NULL) return Fail(message, "Cannot open %s.", path);
  long length = -1;
  if (fseek(file, 0, SEEK_END) == 0) length = ftell(file);
  if (length < 0 || fseek(file, 0, SEEK_SET) != 0) {
    fclose(file);
    return Fail(message, "Cannot read %s.", path);
  }
  *size = (size_t)length;
  *content = onexn_aligned(*size);
  if (*content == NULL) {
    fclose(file);
    return Fail(message, "%s has %ld bytes, more than there is memory.", path, length);
  }
  const size_t got = fread(*content, 1, *size, file);
  fclose(file);
  return got == *size ? 0 : Fail(message, "Cannot read %s.", path);
}

static char* PathIn(const char* folder, const char* name) {
  const size_t size = strlen(folder) + strlen(name) + 2;
  char* path = malloc(size);
  if (path != NULL) snprintf(path, size, "%s/%s", folder, name);
  return path;
}

static int ReadPlan(onexn_plan* plan, const char* path, Message message) {
  uint8_t* content = NULL;
  size_t size = 0;
  char reason[128];
  int status = ReadFile(path, &content, &size, message);
  if (status == 0) {
    status = onexn_read_plan_file(&plan->file, content, size, onexn_kernel_count,
                                  reason, sizeof(reason));
    if (status != 0) Fail(message, "%s cannot be run: %s.", path, reason);
  }
  free(content);
  if (status != 0) return -1;
  if (plan->file.kernels_checksum != onexn_kernels_checksum) {
    return Fail(message,
                "%s does not belong to these kernels: it comes from another build.",
                path);
  }
  return 0;
}

static int ReadWeights(onexn_plan* plan, const char* path, Message message) {
  size_t size = 0;
  if (ReadFile(path, &plan->weights, &size, message) != 0) return -1;
  if (size != plan->file.weights_bytes) {
    return Fail(message, "%s has %llu bytes and should have %llu.", path,
                (unsigned long long)size, (unsigned long long)plan->file.weights_bytes);
  }
  if (onexn_crc32(plan->weights, size) != plan->file.weights_checksum) {
    return Fail(message, "The checksum of %s is wrong: it was damaged.", path);
  }
  return 0;
}

static void FillTensor(onexn_plan* plan, uint32_t index) {
  const onexn_tensor_record* record = &plan->file.tensors[index];
  int64_t* strides = plan->strides[index];
  int64_t stride = 1;
  for (uint32_t i = record->ndim; i-- > 0;) {
    strides[i] = stride;
    stride *= record->shape[i];
  }
  uint8_t* storage = record->storage == ONEXN_ARENA ? plan->arena : plan->weights;
  plan->tensors[index] = (DLTensor){
      .data = storage + record->offset,
      .device = {kDLCPU, 0},
      .ndim = (int32_t)record->ndim,
      .dtype = {(uint8_t)record->code, (uint8_t)record->bits, 1},
      .shape = record->shape,
      .strides = strides,
      .byte_offset = 0,
  };
}

static void FillPort(onexn_plan* plan, uint32_t index) {
  const onexn_port_record* port = &plan->file.ports[index];
  const onexn_tensor_record* record = &plan->file.tensors[port->tensor];
  plan->ports[index] = (onexn_tensor){
      .name = port->name,
      .data = plan->tensors[port->tensor].data,
      .bytes = (size_t)record->bytes,
      .shape = record->shape,
      .ndim = (int32_t)record->ndim,
      .code = (uint8_t)record->code,
      .bits = (uint8_t)record->bits,
  };
}

static int Prepare(onexn_plan* plan, Message message) {
  const onexn_plan_file* file = &plan->file;
  const size_t tensors = (size_t)file->tensor_count + 1;
  const size_t ports = (size_t)file->input_count + file->output_count + 1;
  if (file->arena_bytes <= SIZE_MAX) {
    plan->arena = onexn_aligned((size_t)file->arena_bytes);
  }
  plan->tensors = calloc(tensors, sizeof(*plan->tensors));
  plan->strides = calloc(tensors, sizeof(*plan->strides));
  plan->arguments = calloc((size_t)file->argument_count + 1, sizeof(*plan->arguments));
  plan->ports = calloc(ports, sizeof(*plan->ports));
  if (plan->arena == NULL || plan->tensors == NULL || plan->strides == NULL ||
      plan->arguments == NULL || plan->ports == NULL) {
    return Fail(message, "The plan needs %llu bytes, more than there is memory.",
                (unsigned long long)file->arena_bytes);
  }
  for (uint32_t i = 0; i < file->tensor_count; ++i) FillTensor(plan, i);
  for (uint32_t i = 0; i + 1 < ports; ++i) FillPort(plan, i);
  for (uint32_t i = 0; i < file->input_count; ++i) {
    memset(plan->ports[i].data, 0, plan->ports[i].bytes);
  }
  for (uint32_t i = 0; i < file->argument_count; ++i) {
    plan->arguments[i].type_index = kTVMFFIDLTensorPtr;
    plan->arguments[i].v_ptr = &plan->tensors[file->arguments[i]];
  }
  return 0;
}

static int Open(onexn_plan* plan, const char* folder, int num_threads,
                Message message) {
  char* plan_path = PathIn(folder, "plan.bin");
  char* weights_path = PathIn(folder, "weights.bin");
  int status = -1;
  if (plan_path == NULL || weights_path == NULL) {
    Fail(message, "There is no memory.");
  } else if (ReadPlan(plan, plan_path, message) == 0 &&
             ReadWeights(plan, weights_path, message) == 0) {
    status = Prepare(plan, message);
  }
  free(plan_path);
  free(weights_path);
  if (status != 0) return -1;
  plan->backend_opened = 1;
  if (onexn_backend_open(&plan->backend, num_threads) != 0) {
    return Fail(message, "The system does not give %d threads.", num_threads);
  }
  return 0;
}

onexn_plan* onexn_plan_open(const char* folder, int num_threads, char* message,
                            size_t message_size) {
  const Message where = {message, message_size};
  if (num_threads < 1 || num_threads > ONEXN_MOST_THREADS) {
    Fail(where, "num_threads is %d; it must be between 1 and %d.", num_threads,
         ONEXN_MOST_THREADS);
    return NULL;
  }
  const char* lacking = onexn_processor_lacks(onexn_needed_isa);
  if (lacking != NULL) {
    Fail(where, "This plan, built for %s, needs %s, which this processor lacks.",
         onexn_target, lacking);
    return NULL;
  }
  onexn_plan* plan = calloc(1, sizeof(*plan));
  if (plan == NULL) {
    Fail(where, "There is no memory.");
    return NULL;
  }
  atomic_flag_clear(&plan->running);
  if (Open(plan, folder, num_threads, where) != 0) {
    onexn_plan_close(plan);
    return NULL;
  }
  return plan;
}

void onexn_plan_close(onexn_plan* plan) {
  if (plan == NULL) return;
  if (plan->backend_opened) onexn_backend_close(&plan->backend);
  onexn_free_plan_file(&plan->file);
  free(plan->weights);
  free(plan->arena);
  free(plan->tensors);
  free(plan->strides);
  free(plan->arguments);
  free(plan->ports);
  free(plan);
}

const char* onexn_plan_target(void) { return onexn_target; }

int onexn_plan_inputs(const onexn_plan* plan, const onexn_tensor** tensors) {
  *tensors = plan->ports;
  return (int)plan->file.input_count;
}

int onexn_plan_outputs(const onexn_plan* plan, const onexn_tensor** tensors) {
  *tensors = plan->ports + plan->file.input_count;
  return (int)plan->file.output_count;
}

const char* onexn_plan_message(const onexn_plan* plan) { return plan->message; }

int onexn_plan_calls(const onexn_plan* plan) { return (int)plan->file.call_count; }

const char* onexn_plan_call_name(const onexn_plan* plan, int call) {
  return onexn_kernels[plan->file.calls[call].kernel].name;
}

static int Call(onexn_plan* plan, const onexn_call_record* call) {
  const onexn_kernel* kernel = &onexn_kernels[call->kernel];
  TVMFFIAny result = {.type_index = kTVMFFINone};
  if (kernel->function(NULL, plan->arguments + call->first, (int32_t)call->count,
                       &result) == 0) {
    return 0;
  }
  const char* reason = plan->backend.message;
  snprintf(plan->message, sizeof(plan->message), "The kernel %s failed: %s",
           kernel->name, reason[0] != '\0' ? reason : "there is no memory.");
  return -1;
}

static int RunCalls(onexn_plan* plan, uint32_t first, uint32_t end) {
  if (atomic_flag_test_and_set(&plan->running)) return ONEXN_BUSY;
  plan->message[0] = '\0';
  onexn_backend_enter(&plan->backend);
  int status = 0;
  for (uint32_t i = first; status == 0 && i < end; ++i) {
    status = Call(plan, &plan->file.calls[i]);
  }
  onexn_backend_leave();
  atomic_flag_clear(&plan->running);
  return status;
}

int onexn_plan_run(onexn_plan* plan) {
  return RunCalls(plan, 0, plan->file.call_count);
}

int onexn_plan_run_call(onexn_plan* plan, int call) {
  return RunCalls(plan, (uint32_t)call, (uint32_t)call + 1);
}
