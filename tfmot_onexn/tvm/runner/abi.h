// What kernels that TVM compiled expect of a caller: DLPack's tensor, the packed
// argument of TVM's foreign function interface, and the table of kernels in a plan.

#ifndef ONEXN_ABI_H_
#define ONEXN_ABI_H_

#include <stdint.h>

typedef struct {
  int32_t device_type;
  int32_t device_id;
} DLDevice;

typedef struct {
  uint8_t code;
  uint8_t bits;
  uint16_t lanes;
} DLDataType;

typedef struct {
  void* data;
  DLDevice device;
  int32_t ndim;
  DLDataType dtype;
  const int64_t* shape;
  const int64_t* strides;
  uint64_t byte_offset;
} DLTensor;

typedef struct {
  int32_t type_index;
  uint32_t zero_padding;
  union {
    int64_t v_int64;
    void* v_ptr;
  };
} TVMFFIAny;

enum { kDLCPU = 1 };
enum { kTVMFFINone = 0, kTVMFFIDLTensorPtr = 7 };

typedef int32_t (*onexn_kernel_function)(void* self, const TVMFFIAny* arguments,
                                         int32_t count, TVMFFIAny* result);

typedef struct {
  const char* name;
  onexn_kernel_function function;
} onexn_kernel;

typedef enum { ONEXN_ANY = 0, ONEXN_AVX2 = 1, ONEXN_AVX512 = 2 } onexn_isa;

// written for each plan: its kernels, what tells them from another plan's, and what
// they were compiled for
extern const onexn_kernel onexn_kernels[];
extern const uint32_t onexn_kernel_count;
extern const uint32_t onexn_kernels_checksum;
extern const char onexn_target[];
extern const onexn_isa onexn_needed_isa;

#endif  // ONEXN_ABI_H_
