#include "select.h"

#include <stdlib.h>
#include <string.h>

#include "kernels.h"

namespace onexn {

extern const Kernels kPortableKernels;
#if defined(__x86_64__)
extern const Kernels kAvx2Kernels;
extern const Kernels kAvx512Kernels;
#elif defined(__ARM_NEON)
extern const Kernels kNeonKernels;
#endif

namespace {

// asks for the oracle: it has no kernels of its own, see reference.h
constexpr Kernels kReferenceKernels = {"reference", 1,       0,       0,      nullptr,
                                       nullptr,     nullptr, nullptr, nullptr};

#if defined(__x86_64__)
bool HasAvx2() {
  __builtin_cpu_init();
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

bool HasAvx512() {
  return HasAvx2() && __builtin_cpu_supports("avx512f") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
         __builtin_cpu_supports("avx512bw");
}
#endif

const Kernels& Fastest() {
#if defined(__x86_64__)
  if (HasAvx512()) return kAvx512Kernels;
  if (HasAvx2()) return kAvx2Kernels;
#elif defined(__ARM_NEON)
  return kNeonKernels;
#endif
  return kPortableKernels;
}

}  // namespace

const Kernels* KernelsFor(const char* isa) {
  if (strcmp(isa, "reference") == 0) return &kReferenceKernels;
  if (strcmp(isa, "portable") == 0) return &kPortableKernels;
#if defined(__x86_64__)
  if (strcmp(isa, "avx2") == 0 && HasAvx2()) return &kAvx2Kernels;
  if (strcmp(isa, "avx512") == 0 && HasAvx512()) return &kAvx512Kernels;
#elif defined(__ARM_NEON)
  if (strcmp(isa, "neon") == 0) return &kNeonKernels;
#endif
  return nullptr;
}

const Kernels& SelectKernels(bool reference) {
  if (reference) return kReferenceKernels;
  const char* wanted = getenv("ONEXN_ISA");
  const Kernels* named = wanted == nullptr ? nullptr : KernelsFor(wanted);
  return named == nullptr ? Fastest() : *named;
}

}  // namespace onexn
