#define ONEXN_ISA avx2

namespace onexn {
namespace ONEXN_ISA {
constexpr int kAccumulators = 12;
}
}  // namespace onexn

#include "simd_avx2.h"
// its functions come first
#include "isa_table.h"

namespace onexn {
extern const Kernels kAvx2Kernels;
const Kernels kAvx2Kernels = ONEXN_TABLE("avx2");
}  // namespace onexn
