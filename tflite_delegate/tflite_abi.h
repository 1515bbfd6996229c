// The part of TensorFlow Lite's C interface that a delegate touches.
//
// Declared here so that the delegate needs no headers of a particular runtime. Only
// members up to the last one in use are declared; runtimes append new ones at the end.

#ifndef ONEXN_TFLITE_ABI_H_
#define ONEXN_TFLITE_ABI_H_

#include <stddef.h>
#include <stdint.h>

extern "C" {

enum TfLiteStatus { kTfLiteOk = 0, kTfLiteError = 1 };

enum TfLiteDelegateFlags { kTfLiteDelegateFlagsAllowDynamicTensors = 1 };

enum TfLiteType {
  kTfLiteFloat32 = 1,
  kTfLiteInt32 = 2,
  kTfLiteUInt8 = 3,
  kTfLiteInt8 = 9,
  kTfLiteFloat16 = 10,
};

enum TfLiteAllocationType {
  kTfLiteMmapRo = 1,
  kTfLiteArenaRw = 2,
  kTfLitePersistentRo = 5,
};

enum TfLiteDimensionType { kTfLiteDimDense = 0, kTfLiteDimSparseCSR = 1 };

enum TfLiteBuiltinOperator {
  kTfLiteBuiltinAdd = 0,
  kTfLiteBuiltinConv2d = 3,
  kTfLiteBuiltinDepthwiseConv2d = 4,
  kTfLiteBuiltinDequantize = 6,
  kTfLiteBuiltinFullyConnected = 9,
  kTfLiteBuiltinMul = 18,
  kTfLiteBuiltinPad = 34,
  kTfLiteBuiltinMean = 40,
  kTfLiteBuiltinDelegate = 51,
  kTfLiteBuiltinHardSwish = 117,
  kTfLiteBuiltinDensify = 124,
};

enum TfLitePadding { kTfLitePaddingSame = 1, kTfLitePaddingValid = 2 };

enum TfLiteFusedActivation {
  kTfLiteActNone = 0,
  kTfLiteActRelu = 1,
  kTfLiteActReluN1To1 = 2,
  kTfLiteActRelu6 = 3,
};

struct TfLiteIntArray {
  int size;
  int data[];
};

struct TfLiteDimensionMetadata {
  int format;
  int dense_size;
  TfLiteIntArray* array_segments;
  TfLiteIntArray* array_indices;
};

struct TfLiteSparsity {
  TfLiteIntArray* traversal_order;
  TfLiteIntArray* block_map;
  TfLiteDimensionMetadata* dim_metadata;
  int dim_metadata_size;
};

struct TfLiteDelegate;
struct TfLiteContext;
struct TfLiteDelegateParams;

struct TfLiteTensor {
  int type;
  union {
    void* raw;
    float* f32;
    uint16_t* f16;
    int32_t* i32;
  } data;
  TfLiteIntArray* dims;
  struct {
    float scale;
    int32_t zero_point;
  } params;
  int allocation_type;
  size_t bytes;
  const void* allocation;
  const char* name;
  TfLiteDelegate* delegate;
  int buffer_handle;
  bool data_is_stale;
  bool is_variable;
  struct {
    int type;
    void* params;
  } quantization;
  TfLiteSparsity* sparsity;
  const TfLiteIntArray* dims_signature;
};

struct TfLiteNode {
  TfLiteIntArray* inputs;
  TfLiteIntArray* outputs;
  TfLiteIntArray* intermediates;
  TfLiteIntArray* temporaries;
  void* user_data;
  void* builtin_data;
  const void* custom_initial_data;
  int custom_initial_data_size;
  TfLiteDelegate* delegate;
  bool might_have_side_effect;
};

struct TfLiteRegistration {
  void* (*init)(TfLiteContext*, const char* buffer, size_t length);
  void (*free)(TfLiteContext*, void* user_data);
  int (*prepare)(TfLiteContext*, TfLiteNode*);
  int (*invoke)(TfLiteContext*, TfLiteNode*);
  const char* (*profiling_string)(const TfLiteContext*, const TfLiteNode*);
  int32_t builtin_code;
  const char* custom_name;
  int version;
  void* registration_external;
  void* async_kernel;
  uint64_t inplace_operator;
  // it is passed by value: room for what a later runtime may read behind the end
  uint64_t reserved[8];
};

struct TfLiteContext {
  size_t tensors_size;
  int (*GetExecutionPlan)(TfLiteContext*, TfLiteIntArray** plan);
  TfLiteTensor* tensors;
  void* impl;
  // takes the array, which it frees with free()
  int (*ResizeTensor)(TfLiteContext*, TfLiteTensor*, TfLiteIntArray* size);
  void (*ReportError)(TfLiteContext*, const char* format, ...);
  int (*AddTensors)(TfLiteContext*, int count, int* first);
  int (*GetNodeAndRegistration)(TfLiteContext*, int index, TfLiteNode**,
                                TfLiteRegistration**);
  int (*ReplaceNodeSubsetsWithDelegateKernels)(TfLiteContext*, TfLiteRegistration,
                                               const TfLiteIntArray* nodes,
                                               TfLiteDelegate*);
  int recommended_num_threads;
  void* GetExternalContext;
  void* SetExternalContext;
  bool allow_fp32_relax_to_fp16;
  void* profiler;
  void* AllocatePersistentBuffer;
  void* AllocateBufferForEval;
  void* RequestScratchBufferInArena;
  void* GetScratchBuffer;
  void* ResizeTensorExplicit;
  // What ReplaceNodeSubsetsWithDelegateKernels would make; valid until the next call.
  int (*PreviewDelegatePartitioning)(TfLiteContext*, const TfLiteIntArray* nodes,
                                     TfLiteDelegateParams** partitions, int* count);
};

struct TfLiteDelegateParams {
  TfLiteDelegate* delegate;
  TfLiteIntArray* nodes_to_replace;
  TfLiteIntArray* input_tensors;
  TfLiteIntArray* output_tensors;
};

struct TfLiteConvParams {
  int padding;
  int stride_width;
  int stride_height;
  int activation;
  int dilation_width_factor;
  int dilation_height_factor;
};

struct TfLiteDepthwiseConvParams {
  int padding;
  int stride_width;
  int stride_height;
  int depth_multiplier;
  int activation;
  int dilation_width_factor;
  int dilation_height_factor;
};

struct TfLiteFullyConnectedParams {
  int activation;
  int weights_format;
  bool keep_num_dims;
};

struct TfLiteAddParams {
  int activation;
};

struct TfLiteMulParams {
  int activation;
};

struct TfLiteReducerParams {
  bool keep_dims;
};

struct TfLiteDelegate {
  void* data;
  int (*Prepare)(TfLiteContext*, TfLiteDelegate*);
  void* copy_from_buffer_handle;
  void* copy_to_buffer_handle;
  void* free_buffer_handle;
  int64_t flags;
  void* opaque_delegate_builder;
};

}  // extern "C"

#endif  // ONEXN_TFLITE_ABI_H_
