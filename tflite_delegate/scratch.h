// Working memory that chains borrow while they run.
//
// All chains of a graph share it, so that it stays in the cache from one chain to
// the next; chains that run at the same time get a block each.

#ifndef ONEXN_SCRATCH_H_
#define ONEXN_SCRATCH_H_

#include <pthread.h>
#include <stddef.h>

namespace onexn {

class ScratchPool {
 public:
  // Returns null if there is no memory.
  static ScratchPool* Create();
  // No block may be lent out any more.
  static void Destroy(ScratchPool* pool);

  // Returns 64-byte aligned memory, null if there is none.
  void* Take(size_t bytes);
  void Give(void* memory);

 private:
  struct Block;

  pthread_mutex_t mutex_ = PTHREAD_MUTEX_INITIALIZER;
  Block* free_ = nullptr;
};

}  // namespace onexn

#endif  // ONEXN_SCRATCH_H_
