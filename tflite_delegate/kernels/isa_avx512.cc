#define ONEXN_ISA avx512

namespace onexn {
namespace ONEXN_ISA {
constexpr int kAccumulators = 14;
}
}  // namespace onexn

#include "simd_avx512.h"
// its functions come first
#include "isa_table.h"

namespace onexn {
extern const Kernels kAvx512Kernels;
const Kernels kAvx512Kernels = ONEXN_TABLE("avx512");
}  // namespace onexn
