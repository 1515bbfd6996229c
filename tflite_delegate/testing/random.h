// Random numbers that are the same with every compiler and library.

#ifndef ONEXN_TESTING_RANDOM_H_
#define ONEXN_TESTING_RANDOM_H_

#include <stdint.h>

#include <initializer_list>
#include <vector>

namespace onexn {

class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}

  // SplitMix64.
  uint64_t Bits() {
    uint64_t z = state_ += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }

  // From low to high, both included.
  int Between(int low, int high) {
    const uint64_t count = static_cast<uint64_t>(int64_t{1} * high - low + 1);
    return static_cast<int>(low + static_cast<int64_t>(Bits() % count));
  }

  bool Chance(double probability) { return Uniform() < probability; }
  double Uniform() { return static_cast<double>(Bits() >> 11) * 0x1p-53; }

  template <typename T>
  T Of(std::initializer_list<T> values) {
    return *(values.begin() + Between(0, static_cast<int>(values.size()) - 1));
  }

  // From -scale to scale.
  std::vector<float> Floats(size_t count, double scale = 1) {
    std::vector<float> values(count);
    for (float& value : values) value = static_cast<float>((2 * Uniform() - 1) * scale);
    return values;
  }

 private:
  uint64_t state_;
};

}  // namespace onexn

#endif  // ONEXN_TESTING_RANDOM_H_
