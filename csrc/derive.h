/* A graph's derivatives as instructions. */
#ifndef PYGRAD_DERIVE_H
#define PYGRAD_DERIVE_H

#include "emit.h"

/* Emits the derivative of each output k in each of the `wanted` inputs i, and adds its instruction to `outputs`: the
 * number 0 where k does not depend on i. `forward`: that in one direction, whose components are the inputs that come
 * after the graph's. `at` has the instructions of the graph's nodes. Returns 0 without memory. */
int pgi_derive(pg_emitter *e, const pg_graph *graph, const pg_id *at, size_t count, const uint32_t *wanted, int forward,
               pg_vector *outputs);

#endif
