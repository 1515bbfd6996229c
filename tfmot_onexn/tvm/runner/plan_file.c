#include "plan_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char kMagic[8] = "1xNplan";
enum { kHeaderBytes = 64, kChecksummedFrom = 16 };
enum { kTensorBytes = 24, kCallBytes = 12, kPortBytes = 8 };

typedef struct {
  const uint8_t* next;
  size_t left;
  int failed;
} Reader;

static uint32_t ReadU32(Reader* reader) {
  if (reader->left < 4) {
    reader->failed = 1;
    return 0;
  }
  const uint8_t* at = reader->next;
  reader->next += 4;
  reader->left -= 4;
  return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 |
         (uint32_t)at[3] << 24;
}

static uint64_t ReadU64(Reader* reader) {
  const uint64_t low = ReadU32(reader);
  return low | (uint64_t)ReadU32(reader) << 32;
}

uint32_t onexn_crc32(const uint8_t* content, size_t size) {
  uint32_t table[256];
  for (uint32_t i = 0; i < 256; ++i) {
    uint32_t value = i;
    for (int bit = 0; bit < 8; ++bit) {
      value = (value >> 1) ^ (value & 1 ? 0xEDB88320u : 0u);
    }
    table[i] = value;
  }
  uint32_t sum = 0xFFFFFFFFu;
  for (size_t i = 0; i < size; ++i) {
    sum = (sum >> 8) ^ table[(sum ^ content[i]) & 0xFF];
  }
  return ~sum;
}

// Memory for so many records that each take some of what is left in the file.
static void* New(Reader* reader, uint32_t count, size_t bytes_in_file, size_t size) {
  if (count > reader->left / bytes_in_file) {
    reader->failed = 1;
    return NULL;
  }
  void* memory = calloc((size_t)count + 1, size);
  if (memory == NULL) reader->failed = 1;
  return memory;
}

static int ReadTensor(Reader* reader, const onexn_plan_file* file,
                      onexn_tensor_record* tensor) {
  tensor->storage = ReadU32(reader);
  tensor->code = ReadU32(reader);
  tensor->bits = ReadU32(reader);
  tensor->ndim = ReadU32(reader);
  tensor->offset = ReadU64(reader);
  if (tensor->storage > ONEXN_WEIGHTS || tensor->code > 6 || tensor->bits == 0 ||
      tensor->bits > 64 || tensor->bits % 8 != 0 ||
      tensor->ndim > ONEXN_MOST_DIMENSIONS) {
    return -1;
  }
  const uint64_t room =
      tensor->storage == ONEXN_ARENA ? file->arena_bytes : file->weights_bytes;
  if (tensor->offset > room || tensor->offset % ONEXN_ALIGNMENT != 0) return -1;
  uint64_t bytes = tensor->bits / 8;
  for (uint32_t i = 0; i < tensor->ndim; ++i) {
    const uint64_t dimension = ReadU64(reader);
    if (dimension == 0 || dimension > (room - tensor->offset) / bytes) return -1;
    tensor->shape[i] = (int64_t)dimension;
    bytes *= dimension;
  }
  tensor->bytes = bytes;
  return bytes > room - tensor->offset ? -1 : 0;
}

static int ReadTensors(Reader* reader, onexn_plan_file* file) {
  file->tensors = New(reader, file->tensor_count, kTensorBytes, sizeof(*file->tensors));
  if (reader->failed) return -1;
  for (uint32_t i = 0; i < file->tensor_count; ++i) {
    if (ReadTensor(reader, file, &file->tensors[i]) != 0) return -1;
  }
  return 0;
}

static int ReadCall(Reader* reader, onexn_plan_file* file, uint32_t kernels,
                    onexn_call_record* call) {
  call->kernel = ReadU32(reader);
  call->outputs = ReadU32(reader);
  call->count = ReadU32(reader);
  call->first = file->argument_count;
  if (reader->failed || call->kernel >= kernels || call->outputs > call->count ||
      call->count > reader->left / 4) {
    return -1;
  }
  for (uint32_t i = 0; i < call->count; ++i) {
    const uint32_t tensor = ReadU32(reader);
    if (tensor >= file->tensor_count) return -1;
    const int output = i >= call->count - call->outputs;
    if (output && file->tensors[tensor].storage != ONEXN_ARENA) return -1;
    file->arguments[file->argument_count++] = tensor;
  }
  return 0;
}

static int ReadCalls(Reader* reader, onexn_plan_file* file, uint32_t kernels) {
  file->calls = New(reader, file->call_count, kCallBytes, sizeof(*file->calls));
  // as many as could be left in the file
  const uint32_t most = (uint32_t)(reader->left / 4);
  file->arguments = New(reader, most, 4, sizeof(*file->arguments));
  if (reader->failed) return -1;
  for (uint32_t i = 0; i < file->call_count; ++i) {
    if (ReadCall(reader, file, kernels, &file->calls[i]) != 0) return -1;
  }
  return 0;
}

static int ReadPort(Reader* reader, const onexn_plan_file* file,
                    onexn_port_record* port) {
  port->tensor = ReadU32(reader);
  const uint32_t length = ReadU32(reader);
  if (reader->failed || port->tensor >= file->tensor_count || length > reader->left) {
    return -1;
  }
  port->name = calloc((size_t)length + 1, 1);
  if (port->name == NULL) return -1;
  memcpy(port->name, reader->next, length);
  reader->next += length;
  reader->left -= length;
  return 0;
}

static int ReadPorts(Reader* reader, onexn_plan_file* file) {
  const uint64_t count = (uint64_t)file->input_count + file->output_count;
  if (count > UINT32_MAX) return -1;
  file->ports = New(reader, (uint32_t)count, kPortBytes, sizeof(*file->ports));
  if (reader->failed) return -1;
  for (uint32_t i = 0; i < count; ++i) {
    onexn_port_record* port = &file->ports[i];
    if (ReadPort(reader, file, port) != 0) return -1;
    // written to from outside
    if (i < file->input_count && file->tensors[port->tensor].storage != ONEXN_ARENA) {
      return -1;
    }
  }
  return 0;
}

static int ReadBody(Reader* reader, onexn_plan_file* file, uint32_t kernels) {
  if (ReadTensors(reader, file) != 0 || ReadCalls(reader, file, kernels) != 0 ||
      ReadPorts(reader, file) != 0) {
    return -1;
  }
  return reader->failed || reader->left != 0 ? -1 : 0;
}

int onexn_read_plan_file(onexn_plan_file* file, const uint8_t* content, size_t size,
                         uint32_t kernels, char* message, size_t message_size) {
  memset(file, 0, sizeof(*file));
  Reader reader = {content, size, 0};
  if (size < kHeaderBytes || memcmp(content, kMagic, sizeof(kMagic)) != 0) {
    snprintf(message, message_size, "it is not a plan, or it was cut off");
    return -1;
  }
  reader.next += sizeof(kMagic);
  reader.left -= sizeof(kMagic);
  const uint32_t version = ReadU32(&reader);
  if (version != ONEXN_PLAN_VERSION) {
    snprintf(message, message_size,
             "it has version %lu and this runner reads version %d; build it anew",
             (unsigned long)version, ONEXN_PLAN_VERSION);
    return -1;
  }
  const uint32_t checksum = ReadU32(&reader);
  const uint64_t whole = ReadU64(&reader);
  if (whole != size) {
    snprintf(message, message_size, "it has %llu bytes and should have %llu",
             (unsigned long long)size, (unsigned long long)whole);
    return -1;
  }
  if (onexn_crc32(content + kChecksummedFrom, size - kChecksummedFrom) != checksum) {
    snprintf(message, message_size, "its checksum is wrong: it was damaged");
    return -1;
  }
  file->weights_bytes = ReadU64(&reader);
  file->arena_bytes = ReadU64(&reader);
  file->weights_checksum = ReadU32(&reader);
  file->kernels_checksum = ReadU32(&reader);
  file->tensor_count = ReadU32(&reader);
  file->call_count = ReadU32(&reader);
  file->input_count = ReadU32(&reader);
  file->output_count = ReadU32(&reader);
  if (ReadBody(&reader, file, kernels) != 0) {
    onexn_free_plan_file(file);
    snprintf(message, message_size, "its content makes no sense");
    return -1;
  }
  return 0;
}

void onexn_free_plan_file(onexn_plan_file* file) {
  if (file->ports != NULL) {
    const size_t count = (size_t)file->input_count + file->output_count;
    for (size_t i = 0; i < count; ++i) free(file->ports[i].name);
  }
  free(file->tensors);
  free(file->calls);
  free(file->arguments);
  free(file->ports);
  memset(file, 0, sizeof(*file));
}
