// Bytes that stand for a sparse tensor, well-formed or not.

#ifndef ONEXN_TESTING_FUZZ_INPUT_H_
#define ONEXN_TESTING_FUZZ_INPUT_H_

#include <stdint.h>

#include <vector>

#include "fake_graph.h"

namespace onexn {

// Any bytes are some tensor. Its values are small numbers.
FakeTensor TensorOf(const uint8_t* bytes, size_t size);

// Bytes that stand for a tensor, but for its values.
std::vector<uint8_t> InputOf(const FakeTensor& tensor);

// What became of the inputs so far.
struct FuzzCounts {
  int malformed = 0;
  int other = 0;   // well-formed, but no 1×n blocks
  int blocks = 0;  // 1×n blocks, of which
  int run = 0;     // were small enough to run
};
extern FuzzCounts fuzz_counts;

}  // namespace onexn

#endif  // ONEXN_TESTING_FUZZ_INPUT_H_
