/* A libFuzzer target: the bytes are a program of an arena's life, and the invariants are checked as it goes.
 *
 *     clang -fsanitize=fuzzer,address,undefined -Icsrc tests/c/fuzz_library.c csrc/{arena,graph,pass,optim}.c -lm */
#include "arena.h"

#include <stdio.h>
#include <stdlib.h>

enum { HELD = 64 };

typedef struct life {
    pg_arena *arena;
    pg_node held[HELD];         /* one reference each; 0: none */
    const uint8_t *at, *end;
} life;

static int byte(life *l) { return l->at < l->end ? *l->at++ : 0; }

static void drop(life *l, int i)
{
    if (l->held[i]) pg_release(l->arena, 1, &l->held[i]);
    l->held[i] = 0;
}

static void keep(life *l, int i, pg_result node)
{
    if (node <= 0) return;      /* refused, or no room within the limit */
    drop(l, i);
    l->held[i] = (pg_node)(node & (PG_KEPT - 1));
}

/* Some held node, or 0. */
static pg_node some(life *l)
{
    int from = byte(l) % HELD;
    for (int i = 0; i < HELD; i++)
        if (l->held[(from + i) % HELD]) return l->held[(from + i) % HELD];
    return 0;
}

static void run_pass(life *l, pg_node root)
{
    int steps = 0;
    for (pg_pass *pass = pg_backward(l->arena, root); pass; pass = pg_pass_resume(pass)) {
        if (pg_pass_node(pass) < 0 || ++steps % 5 == 0) {
            pg_pass_abandon(pass);
            return;
        }
        keep(l, byte(l) % HELD, pg_leaf(l->arena, 1.0));    /* hosts record in their steps */
    }
}

static void one_step(life *l)
{
    int what = byte(l), i = byte(l) % HELD;
    pg_arena *arena = l->arena;
    pg_node x = some(l), y = some(l), list[8];
    double local[8];
    size_t count = 0;
    if (what % 4 == 0) {
        keep(l, i, pg_leaf(arena, what - 100.0));
        return;
    }
    if (!x) return;
    switch (what % 20) {
    case 1: keep(l, i, pg_unary(arena, PG_OP_neg + what / 20, x)); break;
    case 2: keep(l, i, pg_binary(arena, PG_OP_add + what / 26 % 5, x, y)); break;
    case 3: keep(l, i, pg_binary_right(arena, PG_OP_mul, x, what)); break;
    case 5: keep(l, i, pg_binary_left(arena, PG_OP_sub, what, x)); break;
    case 6: keep(l, i, pg_scalar(arena, PG_OP_pow_scalar, x, what % 5, what & 1)); break;
    case 7:
        for (count = 0; count < (size_t)(what / 20 % 4) * 2; count++) list[count] = some(l);
        keep(l, i, pg_nary(arena, what & 1 ? PG_OP_dot : PG_OP_logsumexp, count, list));
        break;
    case 9:
        for (count = 0; count < (size_t)(what / 20 % 8); count++) list[count] = some(l), local[count] = what;
        keep(l, i, pg_custom(arena, what, count, list, what & 1 ? local : NULL, what & 1 ? NULL : "f"));
        break;
    case 10: pg_grow(arena, 0); break;
    case 11: pg_label(arena, x); break;
    case 13: pg_host_step(arena, x, what & 1); break;
    case 14:
        for (pg_node freed = 0; (freed = pg_next_freed(arena, freed));) {}
        break;
    case 15: run_pass(l, x); break;
    case 17: pg_zero_graph(arena, x); break;
    case 18: keep(l, i, pg_restore(arena, PG_OP_add, 1.0, 2.0, 2, (pg_node[]){x, y}, 0.0, 0, NULL, NULL)); break;
    default: drop(l, i);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    life l = {.arena = NULL, .held = {0}, .at = data, .end = data + size};
    int fault;
    l.arena = pg_arena_new(200, NULL, NULL, 1);
    if (!l.arena) return 0;
    if (size && *data % 2) pg_pace(l.arena, 16);
    while (l.at < l.end) {
        one_step(&l);
        fault = pg_check(l.arena);
        if (fault) {
            fprintf(stderr, "invariant %d is broken\n", fault);
            abort();
        }
    }
    for (int i = 0; i < HELD; i++) drop(&l, i);
    for (pg_node freed = 0; (freed = pg_next_freed(l.arena, freed));) {}
    if (pg_live_nodes(l.arena) != 0) {
        fprintf(stderr, "%llu nodes are left\n", (unsigned long long)pg_live_nodes(l.arena));
        abort();
    }
    pg_arena_free(l.arena);
    return 0;
}
