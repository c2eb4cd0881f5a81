/* Derivatives as a graph. */
#ifndef PYGRAD_DERIVE_H
#define PYGRAD_DERIVE_H

#include "graph.h"

/* A copy of the graph with more outputs: for each output k, and each of the `wanted` inputs i, the derivative of k in i,
 * the number 0 where it does not depend on it. NULL without memory. */
pg_graph *pgi_derive(const pg_graph *graph, size_t count, const uint32_t *wanted);

#endif
