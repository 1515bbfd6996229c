// Memory that kernels ask for while they run, kept for the next time.
//
// Each thread has its own, so that nobody waits.

#ifndef ONEXN_WORKSPACE_H_
#define ONEXN_WORKSPACE_H_

#include <stddef.h>

typedef struct {
  void* memory;
  size_t bytes;
  int taken;
} onexn_block;

typedef struct {
  onexn_block* blocks;
  size_t count;
} onexn_workspace;

// Aligned memory, freed with `free`; null if there is none.
void* onexn_aligned(size_t bytes);

// Returns null if there is no memory.
void* onexn_workspace_take(onexn_workspace* workspace, size_t bytes);
// Returns 0, or -1 for what was not taken from this workspace.
int onexn_workspace_give(onexn_workspace* workspace, void* memory);
// Takes everything back.
void onexn_workspace_reset(onexn_workspace* workspace);
void onexn_workspace_free(onexn_workspace* workspace);

#endif  // ONEXN_WORKSPACE_H_
