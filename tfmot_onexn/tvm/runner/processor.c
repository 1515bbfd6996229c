#include "processor.h"

#include <stddef.h>

#if defined(__x86_64__)

#include <cpuid.h>

// __builtin_cpu_supports would need a part of libgcc that zig does not have.
static int Has(unsigned of_leaf1, unsigned of_leaf7, unsigned saved_registers) {
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0, leaf1 = 0, saved = 0;
  if (!__get_cpuid(1, &eax, &ebx, &leaf1, &edx)) return 0;
  if (!__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx)) return 0;
  if (leaf1 & bit_OSXSAVE) __asm__("xgetbv" : "=a"(saved), "=d"(edx) : "c"(0));
  return (leaf1 & of_leaf1) == of_leaf1 && (ebx & of_leaf7) == of_leaf7 &&
         (saved & saved_registers) == saved_registers;
}

const char* onexn_processor_lacks(onexn_isa isa) {
  const unsigned avx512 = bit_AVX512F | bit_AVX512DQ | bit_AVX512BW | bit_AVX512VL;
  if (isa >= ONEXN_AVX512 && !Has(0, avx512, 0xe6)) return "AVX-512";
  if (isa >= ONEXN_AVX2 && !Has(bit_AVX | bit_FMA, bit_AVX2, 0x06)) {
    return "AVX2 and FMA";
  }
  return NULL;
}

#else

const char* onexn_processor_lacks(onexn_isa isa) {
  (void)isa;
  return NULL;
}

#endif
