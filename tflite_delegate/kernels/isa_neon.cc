#define ONEXN_ISA neon

namespace onexn {
namespace ONEXN_ISA {
constexpr int kAccumulators = 24;
}
}  // namespace onexn

#include "simd_neon.h"
// its functions come first
#include "isa_table.h"

namespace onexn {
extern const Kernels kNeonKernels;
const Kernels kNeonKernels = ONEXN_TABLE("neon");
}  // namespace onexn
