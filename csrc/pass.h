/* A reverse pass: the nodes it has reached and not yet run, as a set of bits. */
#ifndef PYGRAD_PASS_H
#define PYGRAD_PASS_H

#include "arena.h"

struct pg_pass {
    pg_arena *arena;
    pg_bits marks;          /* reached, not yet run; empty between passes */
    uint64_t word;          /* where a waiting pass goes on: this word of level 0, */
    uint64_t rest;          /* of which these nodes are left */
    pg_node root;
    int holds_root;         /* while it waits, as the host may let go of the root then */
    pg_result node;         /* whose step the host is to run, or a negative status */
};

pg_pass *pg_pass_new(pg_arena *arena);
void pg_pass_free(pg_pass *pass);
int pg_pass_reserve(pg_pass *pass, uint64_t slots);
const pg_bits *pg_pass_marks(const pg_pass *pass);

/* The unlocked halves of pg_backward and its companions. */
pg_pass *pg_start_pass(pg_arena *arena, pg_node root);
pg_pass *pg_run_pass(pg_pass *pass);
void pg_end_pass(pg_pass *pass);
void pg_run_step(pg_arena *arena, pg_node node);

#endif
