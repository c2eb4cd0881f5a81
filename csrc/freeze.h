/* From the arena to a graph: the unlocked halves of pg_begin_trace and its companions. */
#ifndef PYGRAD_FREEZE_H
#define PYGRAD_FREEZE_H

#include "arena.h"
#include "graph.h"

int pgi_begin_trace(pg_arena *arena);
void pgi_end_trace(pg_arena *arena);
int pgi_depends(pg_arena *arena, pg_node node, int era);
int pgi_freeze(pg_arena *arena, size_t outputs, const pg_node *output, size_t inputs, const pg_node *input, int era,
               pg_graph **graph);
void pgi_gather(const pg_arena *arena, size_t count, const pg_node *nodes, double *data);
void pgi_scatter(pg_arena *arena, size_t count, const pg_node *nodes, const double *grads);

#endif
