// What is said of each layer with a kernel: one line of JSON.

#ifndef ONEXN_VERDICT_H_
#define ONEXN_VERDICT_H_

#include "memory.h"

namespace onexn {

enum class Reason {
  // claimed
  kAlone,
  kWithNeighbours,
  kExpansion,
  kProjection,
  kSqueezeExcite,
  // not claimed
  kDenseKernel,
  kComputedKernel,
  kOtherLayout,
  kNotFloat,
  kBias,
  kActivation,
  kGroups,
  kShapes,
  kWeightsFormat,
  kTooWide,
  kCost,
  kPartition,
};

struct Verdict {
  int node = -1;
  const char* op = "";
  const char* output = "";  // a tensor's name
  bool claimed = false;
  const char* kernel = "";  // what computes it, if it is claimed
  int n = 0;                // 0 where its kernel is not stored in blocks
  Reason reason = Reason::kDenseKernel;
  int operators = 1;  // in the chain, for reasons that name them
  double gain = 0;    // expected, for reasons that name it
};

// Appends a verdict as a line of JSON. Returns whether there is memory.
bool AppendVerdict(const Verdict& verdict, Array<char>* text);

// Writes a file as a whole or not at all. Returns whether it was written.
bool ReplaceFile(const char* path, const Array<char>& text);

}  // namespace onexn

#endif  // ONEXN_VERDICT_H_
