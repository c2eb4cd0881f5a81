/* Inside the library: the arena's layout, and the paths hot enough to inline into a caller. Nothing
 * here locks; pygrad.h's functions do, and so does the CPython module where there is no GIL. */
#ifndef PYGRAD_ARENA_H
#define PYGRAD_ARENA_H

#include "bits.h"
#include "compiler.h"
#include "ops.h"
#include "pygrad.h"

#define PG_KEPT ((pg_result)1 << 32)    /* see pg_keep */

enum {                                  /* flags of a node */
    PG_SKIP_X = 1,                      /* operand x (or the first list) needs no visit: leaves, or none */
    PG_SKIP_Y = 2,
    PG_KEEP = 4,
    PG_LABELLED = 8,
    PG_INTEGRAL = 16,                   /* PG_SCALAR: the number was an integer */
    PG_LIST = 32,                       /* the operands are in a side block */
    PG_HOOKED = 64,                     /* a leaf with a host step */
    PG_UNUSUAL = PG_LABELLED | PG_LIST | PG_HOOKED  /* freeing it takes more than letting go of x and y */
};
enum { PG_HOST_STEP = 255 };            /* a step that the host runs */

/* The side block of a node with a list of operands. */
typedef struct pg_edges {
    size_t count;                       /* operands, both lists together */
    double *local;                      /* PG_OP_custom: local gradients, or NULL */
    char *symbol;                       /* PG_OP_custom: or NULL */
    size_t bytes;
    pg_node operand[];
} pg_edges;

typedef struct pg_record {
    union {
        struct { pg_node x, y; } at;    /* 0: none */
        pg_edges *edges;
    } of;
    uint32_t refs;                      /* of a dead node: the next in a list of dead nodes */
    uint8_t op;
    uint8_t step;                       /* what the reverse pass runs: op, or PG_HOST_STEP */
    uint8_t flags;
    uint8_t unused;
} pg_record;

struct pg_arena {
    double *data, *grad;
    pg_record *rec;
    void **host;                        /* for each node, a pointer of the host's; NULL without hosts */
    uint64_t top;                       /* slots from here on were never used, or are free again */
    uint64_t capacity;
    uint64_t open;                      /* slots that recording may use: all, or as many as pg_pace says */
    uint64_t pace;
    uint64_t run_next, run_end;         /* free slots in a row, taken out of `free` to be used next; */
    uint64_t run_begin;                 /* from here on, up to run_next, they are used */
    uint64_t free_end;                  /* no slot in `free` at or above this one */
    uint64_t free_count;
    pg_bits free;                       /* the other free slots below top */
    pg_pass *idle;                      /* a reverse pass ready for use */
    uint64_t hooked_leaves;             /* leaves with a host step: passes must visit leaves */
    uint64_t limit;
    size_t edge_bytes;
    pg_node freed;                      /* labelled nodes that died: a list linked through refs */
    int hosts;
    pg_resize resize;
    void *context;
    int lock;
};

/* The unlocked halves of what pygrad.h declares, and the library's own allocation. */
void *pg_allocate(pg_arena *arena, void *block, uint64_t size);
void pg_deallocate(pg_arena *arena, void *block);
int pg_reserve_bits(pg_arena *arena, pg_bits *bits, uint64_t indices);
int pg_make_room(pg_arena *arena, uint64_t nodes);
int pg_make_more_room(pg_arena *arena);
void pg_free_nodes(pg_arena *arena, pg_node node);  /* its last reference is gone: it, and what only it reached */
pg_node pg_take_free_slot(pg_arena *arena, pg_node floor);
pg_node pg_pop_freed(pg_arena *arena);     /* 0: none. It is the caller's until one of these: */
void pg_forgotten(pg_arena *arena, pg_node freed);
void pg_not_forgotten(pg_arena *arena, pg_node freed);
pg_result pg_record_list(pg_arena *arena, int op, size_t count, const pg_node *operands);
pg_result pg_record_custom(pg_arena *arena, double data, size_t count, const pg_node *operands,
                           const double *local, const char *symbol);
pg_result pg_record_copy(pg_arena *arena, int op, double data, double grad, size_t count, const pg_node *operands,
                         double k, int integral, const double *local, const char *symbol);
int pg_clear_graph(pg_arena *arena, pg_node root);
void pg_set_host_step(pg_arena *arena, pg_node node, int on);
/* A node's operands, in place or written to `room`. A scalar's number is not among them. */
const pg_node *pg_operand_list(pg_arena *arena, pg_node node, pg_node room[2], size_t *count);

static inline void pg_unref(pg_arena *arena, pg_node node)
{
    if (--arena->rec[node].refs == 0) pg_free_nodes(arena, node);
}

/* A slot above `floor`: of the run at hand, or the lowest free one, or the top. 0 when the arena is full. */
PG_INLINE pg_node pg_take_slot(pg_arena *arena, pg_node floor)
{
    uint64_t slot = arena->run_next;
    if (slot > floor && slot < arena->run_end) {
        arena->run_next = slot + 1;
        return (pg_node)slot;
    }
    slot = arena->top;
    if ((uint64_t)floor + 1 < arena->free_end || PG_UNLIKELY(slot >= arena->open))
        return pg_take_free_slot(arena, floor);
    arena->top = slot + 1;
    return (pg_node)slot;
}

/* Fills a slot. Its first reference is the caller's. */
PG_INLINE void pg_fill_slot(pg_arena *arena, pg_node node, double data, pg_record record)
{
    record.refs = 1;
    record.step = record.op;
    arena->data[node] = data;
    arena->grad[node] = 0.0;
    arena->rec[node] = record;
}

PG_INLINE pg_result pg_record_leaf(pg_arena *arena, double data)
{
    pg_node node = pg_take_slot(arena, 0);
    pg_record record = {{{0, 0}}, 0, PG_OP_leaf, 0, PG_SKIP_X | PG_SKIP_Y, 0};
    if (PG_UNLIKELY(!node)) return PG_FULL;
    pg_fill_slot(arena, node, data, record);
    return node;
}

/* An operand that is there already, the value z known. */
PG_INLINE pg_result pg_record_single(pg_arena *arena, int op, pg_node x, double z)
{
    pg_record *rec = arena->rec;
    pg_record record = {{{x, 0}}, 0, (uint8_t)op, 0, PG_SKIP_Y, 0};
    pg_node node = pg_take_slot(arena, x);
    if (PG_UNLIKELY(!node)) return PG_FULL;
    if (rec[x].op == PG_OP_leaf) record.flags |= PG_SKIP_X;
    record.flags |= rec[x].flags & PG_KEEP;
    rec[x].refs++;
    pg_fill_slot(arena, node, z, record);
    return record.flags & PG_KEEP ? node | PG_KEPT : node;
}

PG_INLINE pg_result pg_record_unary(pg_arena *arena, int op, pg_node x)
{
    double z;
    int error = pg_forward_unary(op, arena->data[x], &z);
    if (PG_UNLIKELY(error)) return error;
    return pg_record_single(arena, op, x, z);
}

/* Two operands that are there already, the value z known. */
PG_INLINE pg_result pg_record_pair(pg_arena *arena, int op, pg_node x, pg_node y, double z, int flags)
{
    pg_record *rec = arena->rec;
    pg_record record = {{{x, y}}, 0, (uint8_t)op, 0, (uint8_t)flags, 0};
    pg_node node = pg_take_slot(arena, x > y ? x : y);
    if (PG_UNLIKELY(!node)) return PG_FULL;
    if (rec[x].op == PG_OP_leaf) record.flags |= PG_SKIP_X;
    if (rec[y].op == PG_OP_leaf) record.flags |= PG_SKIP_Y;
    record.flags |= (rec[x].flags | rec[y].flags) & PG_KEEP;
    rec[x].refs++;
    rec[y].refs++;
    pg_fill_slot(arena, node, z, record);
    return record.flags & PG_KEEP ? node | PG_KEPT : node;
}

PG_INLINE pg_result pg_record_binary(pg_arena *arena, int op, pg_node x, pg_node y)
{
    double z;
    int error = pg_forward_binary(op, arena->data[x], arena->data[y], &z);
    if (PG_UNLIKELY(error)) return error;
    return pg_record_pair(arena, op, x, y, z, 0);
}

/* One operand is a number: it becomes a leaf that only the result refers to. */
PG_INLINE pg_result pg_record_with_number(pg_arena *arena, int op, pg_node node, double number, int number_is_x,
                                          double z, int flags)
{
    pg_result leaf = pg_record_leaf(arena, number), result;
    if (PG_UNLIKELY(leaf < 0)) return leaf;
    arena->rec[leaf].refs = 0;          /* the result's will be the only reference */
    result = number_is_x ? pg_record_pair(arena, op, (pg_node)leaf, node, z, flags)
                         : pg_record_pair(arena, op, node, (pg_node)leaf, z, flags);
    if (PG_UNLIKELY(result < 0)) pg_free_nodes(arena, (pg_node)leaf);
    return result;
}

PG_INLINE pg_result pg_record_constant(pg_arena *arena, int op, pg_node node, double number, int number_is_x,
                                       int flags)
{
    double data = arena->data[node], z;
    int error = pg_forward_binary(op, number_is_x ? number : data, number_is_x ? data : number, &z);
    if (PG_UNLIKELY(error)) return error;
    return pg_record_with_number(arena, op, node, number, number_is_x, z, flags);
}

#endif
