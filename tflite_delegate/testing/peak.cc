#include "peak.h"

#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__ARM_NEON)
#include <arm_neon.h>
#endif

namespace onexn {
namespace {

// more sums than a multiply-add takes cycles on all units together
constexpr int kSums = 12;

#if defined(__x86_64__)

__attribute__((target("avx512f"))) int64_t Avx512(int64_t rounds) {
  __m512 sums[kSums];
  for (auto& sum : sums) sum = _mm512_setzero_ps();
  const __m512 x = _mm512_set1_ps(0.5f);
  for (int64_t i = 0; i < rounds; ++i) {
    for (auto& sum : sums) {
      sum = _mm512_fmadd_ps(sum, x, x);
      __asm__ volatile("" : "+v"(sum));
    }
  }
  return rounds * kSums * 16;
}

__attribute__((target("avx2,fma"))) int64_t Avx2(int64_t rounds) {
  __m256 sums[kSums];
  for (auto& sum : sums) sum = _mm256_setzero_ps();
  const __m256 x = _mm256_set1_ps(0.5f);
  for (int64_t i = 0; i < rounds; ++i) {
    for (auto& sum : sums) {
      sum = _mm256_fmadd_ps(sum, x, x);
      __asm__ volatile("" : "+x"(sum));
    }
  }
  return rounds * kSums * 8;
}

#elif defined(__ARM_NEON)

int64_t Neon(int64_t rounds) {
  float32x4_t sums[kSums];
  for (auto& sum : sums) sum = vdupq_n_f32(0.0f);
  const float32x4_t x = vdupq_n_f32(0.5f);
  for (int64_t i = 0; i < rounds; ++i) {
    for (auto& sum : sums) {
      sum = vfmaq_f32(x, sum, x);
      __asm__ volatile("" : "+w"(sum));
    }
  }
  return rounds * kSums * 4;
}

#endif

}  // namespace

PeakFunction PeakOf(const char* isa) {
#if defined(__x86_64__)
  if (strcmp(isa, "avx512") == 0) return Avx512;
  if (strcmp(isa, "avx2") == 0) return Avx2;
#elif defined(__ARM_NEON)
  if (strcmp(isa, "neon") == 0) return Neon;
#endif
  return nullptr;
}

}  // namespace onexn
