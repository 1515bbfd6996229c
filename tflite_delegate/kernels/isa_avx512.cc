#define ONEXN_ISA avx512

namespace onexn {
namespace ONEXN_ISA {
constexpr int kRegisters = 32;
constexpr int kPlanarWidth = 4;
}  // namespace ONEXN_ISA
}  // namespace onexn

#include "unroll.h"

// its functions come first
#include "simd_avx512.h"

#include "isa_table.h"

namespace onexn {
extern const Kernels kAvx512Kernels;
const Kernels kAvx512Kernels = ONEXN_TABLE("avx512");
}  // namespace onexn
