// Picks the kernels for this processor.

#ifndef ONEXN_KERNELS_SELECT_H_
#define ONEXN_KERNELS_SELECT_H_

namespace onexn {

struct Kernels;

// The fastest that this processor runs, or what ONEXN_ISA in the environment names.
// `reference` asks for the oracle instead.
const Kernels& SelectKernels(bool reference);

// The kernels of one ISA: "reference", "portable", "avx2", "avx512", "neon". Null if it
// is not compiled in or this processor does not have it.
const Kernels* KernelsFor(const char* isa);

}  // namespace onexn

#endif  // ONEXN_KERNELS_SELECT_H_
