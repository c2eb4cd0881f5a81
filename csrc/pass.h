/* The reverse pass. */
#ifndef PYGRAD_PASS_H
#define PYGRAD_PASS_H

#include "arena.h"

/* The unlocked halves of pg_backward and its companions. */
pg_result pgi_backward(pg_arena *arena, pg_node root, pg_pass **pass);
pg_result pgi_resume(pg_pass **pass);
void pgi_end_pass(pg_pass *pass);
void pgi_reverse_node(pg_arena *arena, pg_node node);
int pgi_zero_graph(pg_arena *arena, pg_node root);
pg_result pgi_nonzero_grads(pg_arena *arena, pg_node root, size_t room, pg_node *nodes);

#endif
