// Kernels with a mistake each, which shows that checks of kernels can fail.

#ifndef ONEXN_TESTING_FAULTS_H_
#define ONEXN_TESTING_FAULTS_H_

#include "../kernels/kernels.h"

namespace onexn {

// The portable kernels with one of the mistakes in faults.cc; null for another name.
const Kernels* FaultyKernels(const char* name);

}  // namespace onexn

#endif  // ONEXN_TESTING_FAULTS_H_
