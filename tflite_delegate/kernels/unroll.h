// Loops over vectors that have to stay in registers.

#ifndef ONEXN_KERNELS_UNROLL_H_
#define ONEXN_KERNELS_UNROLL_H_

#if defined(ONEXN_SANITIZE)
#define ONEXN_UNROLL  // it would take minutes to compile
#elif defined(__clang__)
#define ONEXN_UNROLL _Pragma("clang loop unroll(full)")
#else
#define ONEXN_UNROLL _Pragma("GCC unroll 64")
#endif

#endif  // ONEXN_KERNELS_UNROLL_H_
