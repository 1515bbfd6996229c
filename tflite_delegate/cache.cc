#include "cache.h"

#include <unistd.h>

namespace onexn {

namespace {

int64_t bytes_for_test = 0;

}  // namespace

void SetCacheBytesForTest(int64_t bytes) { bytes_for_test = bytes; }

int64_t L1CacheBytes() {
  if (bytes_for_test > 0) return bytes_for_test / 8;
#if defined(_SC_LEVEL1_DCACHE_SIZE)
  const long bytes = sysconf(_SC_LEVEL1_DCACHE_SIZE);
  if (bytes > 0) return bytes;
#endif
  return 32 * 1024;
}

int64_t L2CacheBytes() {
  if (bytes_for_test > 0) return bytes_for_test;
#if defined(_SC_LEVEL2_CACHE_SIZE)
  const long bytes = sysconf(_SC_LEVEL2_CACHE_SIZE);
  if (bytes > 0) return bytes;
#endif
  return 512 * 1024;
}

}  // namespace onexn
