#define _POSIX_C_SOURCE 200809L
#include "workspace.h"

#include <stdint.h>
#include <stdlib.h>

#include "plan_file.h"

void* onexn_aligned(size_t bytes) {
  void* memory = NULL;
  if (bytes > SIZE_MAX - ONEXN_ALIGNMENT) return NULL;
  // at least one byte, so that null means failure
  const size_t size = bytes == 0 ? 1 : bytes;
  return posix_memalign(&memory, ONEXN_ALIGNMENT, size) == 0 ? memory : NULL;
}

// The smallest free block that is large enough; else the largest, which then grows.
static onexn_block* Choose(const onexn_workspace* workspace, size_t bytes) {
  onexn_block* best = NULL;
  for (size_t i = 0; i < workspace->count; ++i) {
    onexn_block* block = &workspace->blocks[i];
    if (block->taken) continue;
    if (best == NULL) {
      best = block;
    } else if (best->bytes < bytes
                   ? block->bytes > best->bytes
                   : block->bytes >= bytes && block->bytes < best->bytes) {
      best = block;
    }
  }
  return best;
}

void* onexn_workspace_take(onexn_workspace* workspace, size_t bytes) {
  onexn_block* block = Choose(workspace, bytes);
  if (block == NULL) {
    const size_t count = workspace->count + 1;
    onexn_block* blocks = realloc(workspace->blocks, count * sizeof(*blocks));
    if (blocks == NULL) return NULL;
    workspace->blocks = blocks;
    block = &blocks[workspace->count++];
    *block = (onexn_block){NULL, 0, 0};
  }
  if (block->memory == NULL || block->bytes < bytes) {
    free(block->memory);
    block->memory = onexn_aligned(bytes);
    block->bytes = block->memory == NULL ? 0 : bytes;
  }
  block->taken = block->memory != NULL;
  return block->memory;
}

int onexn_workspace_give(onexn_workspace* workspace, void* memory) {
  for (size_t i = 0; i < workspace->count; ++i) {
    onexn_block* block = &workspace->blocks[i];
    if (block->taken && block->memory == memory) {
      block->taken = 0;
      return 0;
    }
  }
  return -1;
}

void onexn_workspace_reset(onexn_workspace* workspace) {
  for (size_t i = 0; i < workspace->count; ++i) workspace->blocks[i].taken = 0;
}

void onexn_workspace_free(onexn_workspace* workspace) {
  for (size_t i = 0; i < workspace->count; ++i) free(workspace->blocks[i].memory);
  free(workspace->blocks);
  *workspace = (onexn_workspace){NULL, 0};
}
