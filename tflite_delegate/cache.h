// What the plans assume of the processor's caches.

#ifndef ONEXN_CACHE_H_
#define ONEXN_CACHE_H_

#include <stdint.h>

namespace onexn {

// Of one core, as the operating system tells; 32 KB and 512 KB if it does not.
int64_t L1CacheBytes();
int64_t L2CacheBytes();

// Lets tests see many strips on small feature maps: an L2 cache of so many bytes and an
// L1 cache of an eighth. 0 asks the system again.
void SetCacheBytesForTest(int64_t bytes);

}  // namespace onexn

#endif  // ONEXN_CACHE_H_
