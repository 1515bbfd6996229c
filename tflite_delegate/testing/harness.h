// Counts what a harness checks.

#ifndef ONEXN_TESTING_HARNESS_H_
#define ONEXN_TESTING_HARNESS_H_

#include <stdio.h>
#include <stdlib.h>

#include <atomic>
#include <vector>

#include "../kernels/kernels.h"
#include "../kernels/select.h"

namespace onexn {

extern std::atomic<int> harness_checks;

// Ends the program with what was checked where it does not hold.
#define ONEXN_CHECK(holds)                                                       \
  do {                                                                           \
    ++::onexn::harness_checks;                                                   \
    if (!(holds)) {                                                              \
      fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #holds); \
      abort();                                                                   \
    }                                                                            \
  } while (false)

// Those of all ISAs that this processor has.
inline std::vector<const Kernels*> AllKernels() {
  std::vector<const Kernels*> all;
  for (const char* isa : {"portable", "avx2", "avx512", "neon"}) {
    if (KernelsFor(isa) != nullptr) all.push_back(KernelsFor(isa));
  }
  return all;
}

void CheckChains(int cases);
void CheckThreads(int cases);
void CheckGraphs(int cases);
void CheckDelegates(int cases);
void CheckDamage(int cases);

}  // namespace onexn

#endif  // ONEXN_TESTING_HARNESS_H_
