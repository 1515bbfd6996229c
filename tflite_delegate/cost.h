// Whether a chain is worth claiming.

#ifndef ONEXN_COST_H_
#define ONEXN_COST_H_

#include "chain.h"

namespace onexn {

// Chains below this stay with the runtime.
constexpr double kLeastGain = 1.05;

// The runtime's expected time for a chain, dense, divided by ours.
double ExpectedGain(const ChainSpec& spec, const Shape& input, const Shape& output);

}  // namespace onexn

#endif  // ONEXN_COST_H_
