// Finds what would make a runtime read what is not there.

#ifndef ONEXN_DAMAGE_H_
#define ONEXN_DAMAGE_H_

#include <stddef.h>

#include "graph.h"

namespace onexn {

// Checks all sparse tensors of a graph, and that only DENSIFY reads them: the other
// operators of a runtime take them for dense. Returns whether all is well; if not,
// `message` says what is wrong.
//
// A FULLY_CONNECTED may read layouts other than 1×n blocks, some of which it knows.
bool CheckSparsity(const Graph& graph, char* message, size_t message_size);

}  // namespace onexn

#endif  // ONEXN_DAMAGE_H_
