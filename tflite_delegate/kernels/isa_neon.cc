#define ONEXN_ISA neon

namespace onexn {
namespace ONEXN_ISA {
constexpr int kRegisters = 32;
constexpr int kPlanarWidth = 2;
}  // namespace ONEXN_ISA
}  // namespace onexn

#include "unroll.h"

// its functions come first
#include "simd_neon.h"

#include "isa_table.h"

namespace onexn {
extern const Kernels kNeonKernels;
const Kernels kNeonKernels = ONEXN_TABLE("neon");
}  // namespace onexn
