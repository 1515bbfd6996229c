// The plug-in: two functions that a TFLite runtime looks up by name.

#include <new>

#include <stdlib.h>

#include "options.h"
#include "tflite_abi.h"

namespace onexn {
namespace {

struct Delegate {
  TfLiteDelegate interface = {};
  Options options;
};

int Prepare(TfLiteContext*, TfLiteDelegate*) { return kTfLiteOk; }

}  // namespace
}  // namespace onexn

#define ONEXN_EXPORT extern "C" __attribute__((visibility("default")))

ONEXN_EXPORT TfLiteDelegate* tflite_plugin_create_delegate(
    const char* const* keys, const char* const* values, size_t count,
    void (*report_error)(const char*)) {
  void* memory = malloc(sizeof(onexn::Delegate));
  if (memory == nullptr) return nullptr;
  auto* created = new (memory) onexn::Delegate();
  char message[512];
  if (!onexn::ParseOptions(keys, values, count, &created->options, message,
                           sizeof(message))) {
    if (report_error != nullptr) report_error(message);
    created->~Delegate();
    free(memory);
    return nullptr;
  }
  created->interface.data = created;
  created->interface.Prepare = onexn::Prepare;
  return &created->interface;
}

ONEXN_EXPORT void tflite_plugin_destroy_delegate(TfLiteDelegate* delegate) {
  if (delegate == nullptr) return;
  auto* created = static_cast<onexn::Delegate*>(delegate->data);
  created->~Delegate();
  free(created);
}
