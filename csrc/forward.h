/* A graph's values as instructions. */
#ifndef PYGRAD_FORWARD_H
#define PYGRAD_FORWARD_H

#include "emit.h"

/* Emits what the outputs need; `at` gets the instruction of each node of that. Returns 0 without memory. */
int pgi_emit_graph(pg_emitter *e, const pg_graph *graph, pg_id *at);

#endif
