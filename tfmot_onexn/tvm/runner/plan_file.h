// plan.bin, read and checked: nothing in it is believed.
//
// Numbers are little-endian. The header, then tensors, calls, inputs and outputs:
//   header  "1xNplan\0", u32 version, u32 CRC-32 of all after it, u64 bytes of the
//           file, of the weights and of the arena, u32 CRC-32 of the weights and of the
//           kernels, u32 number of tensors, calls, inputs and outputs
//   tensor  u32 storage, type code, bits and dimensions, u64 offset, u64 each dimension
//   call    u32 kernel, number of outputs and of tensors, u32 each tensor, outputs last
//   port    u32 tensor, u32 length of its name, the name

#ifndef ONEXN_PLAN_FILE_H_
#define ONEXN_PLAN_FILE_H_

#include <stddef.h>
#include <stdint.h>

enum { ONEXN_PLAN_VERSION = 1, ONEXN_ALIGNMENT = 64, ONEXN_MOST_DIMENSIONS = 8 };

typedef enum { ONEXN_ARENA = 0, ONEXN_WEIGHTS = 1 } onexn_storage;

typedef struct {
  uint32_t storage;
  uint32_t code;
  uint32_t bits;
  uint32_t ndim;
  uint64_t offset;
  uint64_t bytes;
  int64_t shape[ONEXN_MOST_DIMENSIONS];
} onexn_tensor_record;

typedef struct {
  uint32_t kernel;
  uint32_t outputs;
  uint32_t count;
  uint32_t first;  // in `arguments`
} onexn_call_record;

typedef struct {
  uint32_t tensor;
  char* name;
} onexn_port_record;

typedef struct {
  uint64_t weights_bytes;
  uint64_t arena_bytes;
  uint32_t weights_checksum;
  uint32_t kernels_checksum;
  uint32_t tensor_count;
  uint32_t call_count;
  uint32_t input_count;
  uint32_t output_count;
  onexn_tensor_record* tensors;
  onexn_call_record* calls;
  onexn_port_record* ports;  // inputs, then outputs
  uint32_t* arguments;       // of all calls
  uint32_t argument_count;
} onexn_plan_file;

// Reads the bytes of a plan. Returns 0, or -1 with what is wrong.
int onexn_read_plan_file(onexn_plan_file* file, const uint8_t* content, size_t size,
                         uint32_t kernels, char* message, size_t message_size);
void onexn_free_plan_file(onexn_plan_file* file);

uint32_t onexn_crc32(const uint8_t* content, size_t size);

#endif  // ONEXN_PLAN_FILE_H_
