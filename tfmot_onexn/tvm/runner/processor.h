// What a processor must have for kernels to run on it.

#ifndef ONEXN_PROCESSOR_H_
#define ONEXN_PROCESSOR_H_

#include "abi.h"

// Returns null if it is there, else what is missing.
const char* onexn_processor_lacks(onexn_isa isa);

#endif  // ONEXN_PROCESSOR_H_
