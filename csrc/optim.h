/* Optimizers' updates, in place. */
#ifndef PYGRAD_OPTIM_H
#define PYGRAD_OPTIM_H

#include "arena.h"

void pgi_sgd(pg_arena *arena, size_t count, const pg_node *nodes, const pg_sgd_options *options, double *velocity,
             int first);
void pgi_adam(pg_arena *arena, size_t count, const pg_node *nodes, const pg_adam_options *options, double *mean,
              double *square, double *top, double step);
void pgi_zero_grads(pg_arena *arena, size_t count, const pg_node *nodes);

#endif
