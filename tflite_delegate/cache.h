// What the plans assume of the processor's caches.

#ifndef ONEXN_CACHE_H_
#define ONEXN_CACHE_H_

#include <stdint.h>

namespace onexn {

// Of one core, as the operating system tells; 512 KB if it does not.
int64_t L2CacheBytes();

// Lets tests see many strips on small feature maps; 0 asks the system again.
void SetL2CacheBytesForTest(int64_t bytes);

}  // namespace onexn

#endif  // ONEXN_CACHE_H_
