// The plug-in: two functions that a TFLite runtime looks up by name.

#include <pthread.h>
#include <stdio.h>

#include "claim.h"
#include "claimed_node.h"
#include "memory.h"
#include "options.h"
#include "tflite_abi.h"
#include "verdict.h"

namespace onexn {
namespace {

// What was said of one graph. A file has several where it has control flow or several
// signatures.
struct GraphVerdicts {
  const TfLiteContext* graph = nullptr;
  Array<char> text;
  Owned<GraphVerdicts> next;
};

// Interpreters may share one, and prepare it at the same time.
struct Delegate {
  TfLiteDelegate interface = {};
  Options options;
  pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  ClaimedNode* pending = nullptr;  // while the runtime replaces operators
  Owned<GraphVerdicts> verdicts;   // in the order in which graphs came first
};

// The node itself was made before: see Claimer.
void* Init(TfLiteContext*, const char* buffer, size_t) {
  const auto* params = reinterpret_cast<const TfLiteDelegateParams*>(buffer);
  auto* delegate = static_cast<Delegate*>(params->delegate->data);
  ClaimedNode* node = delegate->pending;
  delegate->pending = nullptr;
  return node;
}

bool Keep(const TfLiteContext* graph, const Array<char>& text, Delegate* delegate) {
  Owned<GraphVerdicts>* at = &delegate->verdicts;
  while (*at && (*at)->graph != graph) at = &(*at)->next;
  if (!*at) *at = Owned<GraphVerdicts>(New<GraphVerdicts>());
  if (!*at) return false;
  (*at)->graph = graph;
  (*at)->text.Clear();
  return (*at)->text.Append(text.data(), text.size());
}

bool WriteFile(const Delegate& delegate) {
  Array<char> all;
  for (const GraphVerdicts* of = delegate.verdicts.get(); of != nullptr;
       of = of->next.get()) {
    if (!all.Append(of->text.data(), of->text.size())) return false;
  }
  return ReplaceFile(delegate.options.verdicts, all);
}

int Claim(TfLiteContext* context, Delegate* delegate) {
  TfLiteRegistration registration = ClaimedNodeRegistration();
  registration.init = Init;
  Claimer claimer(context, &delegate->interface, delegate->options, registration,
                  &delegate->pending);
  const int status = claimer.Run();
  if (status != kTfLiteOk) return status;
  const Array<char>& text = claimer.verdicts();
  if (delegate->options.verbose && !text.empty()) {
    fwrite(text.data(), text.size(), 1, stderr);
  }
  if (delegate->options.verdicts == nullptr) return kTfLiteOk;
  if (!Keep(context, text, delegate) || !WriteFile(*delegate)) {
    context->ReportError(context, "onexn delegate: could not write \"%s\".",
                         delegate->options.verdicts);
    return kTfLiteError;
  }
  return kTfLiteOk;
}

int Prepare(TfLiteContext* context, TfLiteDelegate* interface) {
  auto* delegate = static_cast<Delegate*>(interface->data);
  pthread_mutex_lock(&delegate->mutex);
  const int status = Claim(context, delegate);
  pthread_mutex_unlock(&delegate->mutex);
  return status;
}

}  // namespace
}  // namespace onexn

#define ONEXN_EXPORT extern "C" __attribute__((visibility("default")))

ONEXN_EXPORT TfLiteDelegate* tflite_plugin_create_delegate(
    const char* const* keys, const char* const* values, size_t count,
    void (*report_error)(const char*)) {
  onexn::Owned<onexn::Delegate> created(onexn::New<onexn::Delegate>());
  if (!created) return nullptr;
  char message[512];
  if (!onexn::ParseOptions(keys, values, count, &created->options, message,
                           sizeof(message))) {
    if (report_error != nullptr) report_error(message);
    return nullptr;
  }
  created->interface.data = created.get();
  created->interface.Prepare = onexn::Prepare;
  created->interface.flags = kTfLiteDelegateFlagsAllowDynamicTensors;
  return &created.release()->interface;
}

ONEXN_EXPORT void tflite_plugin_destroy_delegate(TfLiteDelegate* delegate) {
  if (delegate == nullptr) return;
  onexn::Delete(static_cast<onexn::Delegate*>(delegate->data));
}
