// How many fused multiply-adds an ISA does from registers alone.

#ifndef ONEXN_TESTING_PEAK_H_
#define ONEXN_TESTING_PEAK_H_

#include <stdint.h>

namespace onexn {

// Does so many rounds and returns the number of multiply-adds of floats.
using PeakFunction = int64_t (*)(int64_t rounds);

// Null for an ISA without such a function.
PeakFunction PeakOf(const char* isa);

}  // namespace onexn

#endif  // ONEXN_TESTING_PEAK_H_
