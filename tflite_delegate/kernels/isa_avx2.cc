#define ONEXN_ISA avx2

namespace onexn {
namespace ONEXN_ISA {
constexpr int kRegisters = 16;
constexpr int kPlanarWidth = 2;
}  // namespace ONEXN_ISA
}  // namespace onexn

#include "unroll.h"

// its functions come first
#include "simd_avx2.h"

#include "isa_table.h"

namespace onexn {
extern const Kernels kAvx2Kernels;
const Kernels kAvx2Kernels = ONEXN_TABLE("avx2");
}  // namespace onexn
