// Puts a delegate's node in the place of operators, whichever runtime it is.

#ifndef ONEXN_REPLACE_H_
#define ONEXN_REPLACE_H_

#include "tflite_abi.h"

namespace onexn {

// Calls the context's ReplaceNodeSubsetsWithDelegateKernels and returns its status.
int ReplaceNodes(TfLiteContext* context, const TfLiteRegistration& registration,
                 const TfLiteIntArray* nodes, TfLiteDelegate* delegate);

}  // namespace onexn

#endif  // ONEXN_REPLACE_H_
