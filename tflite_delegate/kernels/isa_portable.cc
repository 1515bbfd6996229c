#define ONEXN_ISA portable

namespace onexn {
namespace ONEXN_ISA {
constexpr int kAccumulators = 8;
}
}  // namespace onexn

#include "simd_portable.h"
// its functions come first
#include "isa_table.h"

namespace onexn {
extern const Kernels kPortableKernels;
const Kernels kPortableKernels = ONEXN_TABLE("portable");
}  // namespace onexn
