// Divides one block of memory into aligned parts.

#ifndef ONEXN_DIVIDER_H_
#define ONEXN_DIVIDER_H_

#include <stdint.h>

#include "layout.h"

namespace onexn {

// Without memory, it only counts.
class Divider {
 public:
  explicit Divider(float* memory) : memory_(memory) {}

  template <typename T>
  T* Take(int64_t count) {
    float* part = memory_ == nullptr ? nullptr : memory_ + floats_;
    const int64_t floats = DivideUp(count * sizeof(T), sizeof(float));
    floats_ += DivideUp(floats, kChunk) * kChunk;
    return reinterpret_cast<T*>(part);
  }

  int64_t floats() const { return floats_; }

 private:
  float* memory_;
  int64_t floats_ = 0;
};

}  // namespace onexn

#endif  // ONEXN_DIVIDER_H_
