// The table of an ISA. An ISA file names its namespace, sets how many vectors of sums
// fit its registers, and includes its simd_*.h and this file.
//
// A namespace for each ISA keeps the linker from merging their templates.

#include "depthwise.h"
#include "kernels.h"
#include "panel.h"
#include "product.h"
#include "scale.h"
#include "vector_product.h"

#define ONEXN_TABLE(name)        \
  {name,                         \
   ONEXN_ISA::kLanes,            \
   ONEXN_ISA::kPlanarWidth,      \
   ONEXN_ISA::kRegisters,        \
   ONEXN_ISA::Multiply,          \
   ONEXN_ISA::Pack,              \
   ONEXN_ISA::ConvolveDepthwise, \
   ONEXN_ISA::Sum,               \
   ONEXN_ISA::MultiplyVector,    \
   ONEXN_ISA::Scale}
