// TVM divides on 32-bit ARM by the names that other processors have for it.

#if defined(__arm__)

#include <stdint.h>

int32_t __divsi3(int32_t a, int32_t b);
uint32_t __udivsi3(uint32_t a, uint32_t b);

// weak, since some compilers bring them
__attribute__((weak)) int32_t __divsi3(int32_t a, int32_t b) { return a / b; }
__attribute__((weak)) uint32_t __udivsi3(uint32_t a, uint32_t b) { return a / b; }

#else

typedef int onexn_nothing_to_divide;  // a file must have something in it

#endif
