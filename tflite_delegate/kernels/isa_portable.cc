#define ONEXN_ISA portable

namespace onexn {
namespace ONEXN_ISA {
constexpr int kRegisters = 16;
constexpr int kPlanarWidth = 2;
}  // namespace ONEXN_ISA
}  // namespace onexn

#include "unroll.h"

// its functions come first
#include "simd_portable.h"

#include "isa_table.h"

namespace onexn {
extern const Kernels kPortableKernels;
const Kernels kPortableKernels = ONEXN_TABLE("portable");
}  // namespace onexn
