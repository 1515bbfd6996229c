// Interleaves vectors. Included once per ISA, after its simd_*.h.

#ifndef ONEXN_KERNELS_INTERLEAVE_H_
#define ONEXN_KERNELS_INTERLEAVE_H_

namespace onexn {
namespace ONEXN_ISA {

// Interleaves kCount vectors: v0[0] v1[0] … v0[1] v1[1] …
template <int kCount>
inline void Interleave(const Vector* from, int step, Vector* to) {
  if constexpr (kCount == 1) {
    to[0] = from[0];
  } else {
    Vector even[kCount / 2], odd[kCount / 2];
    Interleave<kCount / 2>(from, 2 * step, even);
    Interleave<kCount / 2>(from + step, 2 * step, odd);
    for (int i = 0; i < kCount / 2; ++i) {
      Zip(even[i], odd[i], &to[2 * i], &to[2 * i + 1]);
    }
  }
}

}  // namespace ONEXN_ISA
}  // namespace onexn

#endif  // ONEXN_KERNELS_INTERLEAVE_H_
