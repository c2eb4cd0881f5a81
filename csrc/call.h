/* Recorded functions called: the unlocked half of pg_call. */
#ifndef PYGRAD_CALL_H
#define PYGRAD_CALL_H

#include "arena.h"

pg_result pgi_call(pg_arena *arena, const pg_function *function, const double *numbers, const pg_node *nodes);

#endif
