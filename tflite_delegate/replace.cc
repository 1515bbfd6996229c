#include "replace.h"

#include <string.h>

namespace onexn {
namespace {

// Runtimes keep nodes and registrations in pairs, one behind the other, so the distance
// of two tells the size of a registration. 0 where there is only one: a layer that is
// stored sparse has a DENSIFY beside it.
size_t RegistrationSize(TfLiteContext* context) {
  TfLiteNode* node = nullptr;
  TfLiteNode* next = nullptr;
  TfLiteRegistration* registration = nullptr;
  TfLiteRegistration* of_next = nullptr;
  if (context->GetNodeAndRegistration(context, 1, &next, &of_next) != kTfLiteOk ||
      context->GetNodeAndRegistration(context, 0, &node, &registration) != kTfLiteOk) {
    return 0;
  }
  return reinterpret_cast<const char*>(next) -
         reinterpret_cast<const char*>(registration);
}

// The first bytes of a registration, aligned as one of that size is.
template <size_t kWords>
struct Prefix {
  uint64_t words[kWords];
};
// before `inplace_operator`
struct Short {
  uint32_t words[10];
};

template <typename Passed>
bool Replace(size_t size, TfLiteContext* context,
             const TfLiteRegistration& registration, const TfLiteIntArray* nodes,
             TfLiteDelegate* delegate, int* status) {
  static_assert(sizeof(Passed) <= sizeof(TfLiteRegistration), "reads behind the end");
  if (size != sizeof(Passed)) return false;
  Passed passed;
  memcpy(&passed, &registration, sizeof(passed));
  int (*call)(TfLiteContext*, Passed, const TfLiteIntArray*, TfLiteDelegate*);
  memcpy(&call, &context->ReplaceNodeSubsetsWithDelegateKernels, sizeof(call));
  *status = call(context, passed, nodes, delegate);
  return true;
}

template <typename... Passed>
bool ReplaceAny(size_t size, TfLiteContext* context,
                const TfLiteRegistration& registration, const TfLiteIntArray* nodes,
                TfLiteDelegate* delegate, int* status) {
  return (Replace<Passed>(size, context, registration, nodes, delegate, status) || ...);
}

}  // namespace

int ReplaceNodes(TfLiteContext* context, const TfLiteRegistration& registration,
                 const TfLiteIntArray* nodes, TfLiteDelegate* delegate) {
  // The registration goes by value. Where pointers have 64 bits, what follows it goes
  // in registers, so a longer one does no harm; else it moves all that follows.
  if (sizeof(void*) == 8) {
    return context->ReplaceNodeSubsetsWithDelegateKernels(context, registration, nodes,
                                                          delegate);
  }
  const size_t size = RegistrationSize(context);
  int status = kTfLiteError;
  // TFLite 2.14 has six words, a runtime that knows all of ours has fourteen
  if (!ReplaceAny<Short, Prefix<6>, Prefix<7>, Prefix<8>, Prefix<9>, Prefix<10>,
                  Prefix<14>>(size, context, registration, nodes, delegate, &status)) {
    context->ReportError(context,
                         "onexn delegate: this runtime's registrations have %d bytes, "
                         "as of no runtime that the delegate knows.",
                         static_cast<int>(size));
  }
  return status;
}

}  // namespace onexn
