// Random chains of all kinds, with what they point to.

#ifndef ONEXN_TESTING_RANDOM_CHAIN_H_
#define ONEXN_TESTING_RANDOM_CHAIN_H_

#include <deque>
#include <vector>

#include "../chain.h"
#include "random.h"

namespace onexn {

class RandomChain {
 public:
  explicit RandomChain(Random* random);
  RandomChain(const RandomChain&) = delete;
  RandomChain& operator=(const RandomChain&) = delete;

  const ChainSpec& spec() const { return spec_; }
  // Of some feature map; another one at each call.
  void NextShapes(Random* random, Shape* input, Shape* output) const;

 private:
  Bsr RandomKernel(Random* random, int rows, int columns, int n, int window);
  Convolution RandomConvolution(Random* random, int rows, int columns, int n,
                                const Window& window);
  Window RandomWindow(Random* random, bool dilated);
  const float* Keep(std::vector<float> values);
  const int32_t* Keep(std::vector<int32_t> values);

  ChainSpec spec_;
  std::deque<std::vector<float>> floats_;
  std::deque<std::vector<int32_t>> integers_;
};

// The largest difference over the largest value.
double Difference(const std::vector<float>& found, const std::vector<float>& expected);

}  // namespace onexn

#endif  // ONEXN_TESTING_RANDOM_CHAIN_H_
