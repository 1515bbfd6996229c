#include "select.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif
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
constexpr Kernels kReferenceKernels = {"reference", 1,       0,       0,       nullptr,
                                       nullptr,     nullptr, nullptr, nullptr, nullptr};

#if defined(__x86_64__)
// __builtin_cpu_supports would need a part of libgcc that other compilers do not have.
struct Cpu {
  unsigned leaf1_ecx = 0, leaf7_ebx = 0;
  unsigned saved = 0;  // registers that the system saves, XCR0

  Cpu() {
    unsigned eax, ebx, ecx, edx;
    if (!__get_cpuid(1, &eax, &ebx, &leaf1_ecx, &edx)) return;
    if (__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx)) leaf7_ebx = ebx;
    if (leaf1_ecx & bit_OSXSAVE) __asm__("xgetbv" : "=a"(saved), "=d"(edx) : "c"(0));
  }

  bool Has(unsigned of_leaf1, unsigned of_leaf7, unsigned registers) const {
    return (leaf1_ecx & of_leaf1) == of_leaf1 && (leaf7_ebx & of_leaf7) == of_leaf7 &&
           (saved & registers) == registers;
  }
};

bool HasAvx2() { return Cpu().Has(bit_AVX | bit_FMA, bit_AVX2, 0x06); }

bool HasAvx512() {
  constexpr unsigned kLeaf7 = bit_AVX512F | bit_AVX512DQ | bit_AVX512BW | bit_AVX512VL;
  return HasAvx2() && Cpu().Has(0, kLeaf7, 0xe6);
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
