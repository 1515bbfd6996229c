#include "scratch.h"

#include <stdlib.h>

#include "memory.h"

namespace onexn {
// stands before the memory that is lent
struct alignas(kAlignment) ScratchPool::Block {
  Block* next;
  size_t bytes;
};

ScratchPool* ScratchPool::Create() { return New<ScratchPool>(); }

void ScratchPool::Destroy(ScratchPool* pool) {
  if (pool == nullptr) return;
  while (pool->free_ != nullptr) {
    Block* next = pool->free_->next;
    free(pool->free_);
    pool->free_ = next;
  }
  pthread_mutex_destroy(&pool->mutex_);
  Delete(pool);
}

void* ScratchPool::Take(size_t bytes) {
  pthread_mutex_lock(&mutex_);
  Block* block = free_;
  if (block != nullptr) free_ = block->next;
  pthread_mutex_unlock(&mutex_);
  if (block != nullptr && block->bytes >= bytes) return block + 1;
  free(block);
  void* memory = nullptr;
  if (posix_memalign(&memory, kAlignment, sizeof(Block) + bytes) != 0) return nullptr;
  block = static_cast<Block*>(memory);
  block->bytes = bytes;
  return block + 1;
}

void ScratchPool::Give(void* memory) {
  if (memory == nullptr) return;
  Block* block = static_cast<Block*>(memory) - 1;
  pthread_mutex_lock(&mutex_);
  block->next = free_;
  free_ = block;
  pthread_mutex_unlock(&mutex_);
}

}  // namespace onexn
