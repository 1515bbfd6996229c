// Runs chains and whole graphs on all ISAs, for sanitizers and emulators.
//
//   onexn_harness [cases]

#include "harness.h"

#include <stdlib.h>

namespace onexn {

std::atomic<int> harness_checks{0};

}  // namespace onexn

int main(int count, char** arguments) {
  using namespace onexn;
  const int cases = count > 1 ? atoi(arguments[1]) : 100;
  struct {
    const char* name;
    void (*check)(int cases);
  } const parts[] = {{"chains", CheckChains},
                     {"threads", CheckThreads},
                     {"graphs", CheckGraphs},
                     {"delegates", CheckDelegates},
                     {"damage", CheckDamage}};
  printf("kernels:");
  for (const Kernels* kernels : AllKernels()) printf(" %s", kernels->isa);
  printf("\n");
  for (const auto& part : parts) {
    const int before = harness_checks;
    part.check(cases);
    printf("%s: %d checks\n", part.name, harness_checks - before);
    fflush(stdout);
  }
  return 0;
}
