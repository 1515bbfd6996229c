// Half precision, as files store it.

#ifndef ONEXN_FLOAT16_H_
#define ONEXN_FLOAT16_H_

#include <stdint.h>
#include <string.h>

namespace onexn {

inline float FromFloat16(uint16_t half) {
  const uint32_t sign = (half & 0x8000u) << 16;
  const uint32_t exponent = (half >> 10) & 0x1fu;
  const uint32_t fraction = half & 0x3ffu;
  uint32_t bits = 0;
  if (exponent == 0) {  // zero, or a fraction of 2^-14
    const float magnitude = static_cast<float>(fraction) * 0x1p-24f;
    memcpy(&bits, &magnitude, sizeof(bits));
  } else if (exponent == 0x1fu) {  // infinite, or no number
    bits = 0x7f800000u | fraction << 13;
  } else {
    bits = (exponent + 112) << 23 | fraction << 13;
  }
  bits |= sign;
  float value;
  memcpy(&value, &bits, sizeof(value));
  return value;
}

}  // namespace onexn

#endif  // ONEXN_FLOAT16_H_
