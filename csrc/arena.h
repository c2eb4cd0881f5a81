/* Where nodes live: the tape (Wengert list) as columns, a node being an index into them.
 *
 *     node          1      2      3      4      5        w = 2.0; d = w - 5; loss = d * d + w; loss.backward()
 *     data         2.0    5.0   -3.0    9.0   11.0
 *     grad        -5.0    6.0   -6.0    1.0    1.0       the adjoints
 *     nodes  x      .      .      1      3      4        a record of 16 bytes for each
 *            y      .      .      2      3      1
 *            refs   3      1      2      1      1        one for each result, and one where a host holds the node
 *            op   leaf   leaf   sub    mul    add
 *     objects       o      .      .      .      o        the host's, in an arena that has them
 *
 * Invariants, which pg_check looks at:
 * - Operands precede results: rec.x < n and rec.y < n for node n, also where slots of freed nodes are used again. So
 *   descending index is a reverse topological order.
 * - A node in use has a reference for each result that it is an operand of, and one for each that a host was given.
 *   With the last one it is freed, and so is what only it held.
 * - A node whose op takes a list of operands, and a custom one, has them in a side block, `edges`, with PG_LIST set.
 * - PG_X_IS_LEAF: operand x, or all of the first list, are leaves without an external step, or there is none. Likewise
 *   y. A leaf gets an external step before it has results, or never.
 * - PG_NEEDS_OBJECT is inherited: results of such a node have it too.
 * - Between reverse passes the idle pass has no marks.
 * - Slot 0, PG_NO_NODE, is a leaf that is never freed, with PG_NEEDS_OBJECT: an object whose __init__ never ran has
 *   node 0, what is recorded from it takes the slow path, which raises, and the fast paths need no test.
 *
 * Nothing in this header or in the files of the library below api.c locks; pygrad.h's functions do. */
#ifndef PYGRAD_ARENA_H
#define PYGRAD_ARENA_H

#include "bits.h"
#include "compiler.h"
#include "ops.h"
#include "pygrad.h"
#include "slots.h"

#define PG_HOLD_OPERANDS ((pg_result)1 << PG_HOLD_OPERANDS_BIT)

enum { PG_NO_NODE = 0 };

/* Flags of a node. */
enum {
    PG_X_IS_LEAF = 1,                   /* the reverse pass need not visit x */
    PG_Y_IS_LEAF = 2,
    PG_NEEDS_OBJECT = 4,                /* results hold the objects of their operands */
    PG_NOTIFY_FREE = 8,                 /* the host keeps data under this node's number */
    PG_EXPONENT_IS_INT = 16,            /* PG_SCALAR: the number was an integer */
    PG_LIST = 32,                       /* the operands are in a side block */
    PG_DEAD = 64,                       /* freed, and not yet recycled by the host: on the list of
                                           freed ones with PG_NOTIFY_FREE, and popped without */
    PG_NUMBER = 128,                    /* a leaf for a number that was written in an expression */
    PG_FREE_SLOW = PG_NOTIFY_FREE | PG_LIST     /* freeing it takes more than letting go of x and y */
};
enum { PG_EXTERNAL = 255 };             /* a step of the reverse pass that the host runs */
_Static_assert((int)PG_NUMBER <= UINT8_MAX, "the flags fit a byte");
_Static_assert(PG_HOLD_OPERANDS_BIT >= 8 * sizeof(pg_node), "the bit is beside the node in a result");
_Static_assert((int)PG_OP_COUNT < (int)PG_EXTERNAL, "an op code fits a byte, and none means an external step");

/* The side block of a node with a list of operands. */
typedef struct pg_edges {
    size_t count, first;                /* operands, and those of the first list where there are two */
    double *partials;                   /* PG_OP_custom: local gradients, or NULL */
    char *symbol;                       /* PG_OP_custom: or NULL */
    size_t bytes;
    pg_node operand[];
} pg_edges;

typedef struct pg_record {
    union {
        struct {
            pg_node x, y;               /* 0: none */
        };
        pg_edges *edges;
    };
    uint32_t refs;                      /* of a dead node: the next in a list of dead nodes */
    uint8_t op;
    uint8_t step;                       /* what the reverse pass runs: op, or PG_EXTERNAL */
    uint8_t flags;
    uint8_t era;                        /* the arena's when the node was recorded */
} pg_record;
_Static_assert(sizeof(pg_record) == 16, "four records to a cache line");

/* A reverse pass: the nodes it has reached and not yet run, as a set of bits. The memory is the arena's, which keeps a
 * pass ready so that backward() can't lack it; the walk is in pass.c. */
struct pg_pass {
    pg_arena *arena;
    pg_bits marks;                      /* reached, not yet run; empty between passes */
    uint64_t word_index;                /* where a waiting pass goes on: this word of level 0, */
    uint64_t word_bits;                 /* of which these nodes are left */
    pg_node root;
    int holds_root;                     /* while it waits, as the host may let go of the root then */
};

struct pg_arena {
    double *data, *grad;
    pg_record *nodes;
    void **objects;                     /* for each node, a pointer of the host's; NULL without them */
    pg_slots slots;
    pg_pass *idle;                      /* a reverse pass ready for use */
    uint64_t limit;
    size_t edge_bytes;
    pg_node freed;                      /* freed nodes with PG_NOTIFY_FREE: a list linked through refs */
    int has_objects;
    int traces;                         /* functions being traced now */
    uint8_t era;                        /* goes up with each trace: what it recorded is of its era or a later one */
    pg_resize resize;
    void *context;
    int lock;
};

void *pgi_allocate(pg_arena *arena, void *block, uint64_t size);
void pgi_deallocate(pg_arena *arena, void *block);
int pgi_grow(pg_arena *arena, uint64_t nodes);          /* 0: half as many again, or twice as many */
void pgi_free_nodes(pg_arena *arena, pg_node node);     /* its last reference is gone: it, and what only it reached */
pg_node pgi_pop_freed(pg_arena *arena);
void pgi_quarantine(pg_arena *arena, pg_node freed);    /* puts it on the list that pgi_pop_freed takes from */
void pgi_recycle(pg_arena *arena, pg_node freed);
/* A node's operands, in place or written to `pair`; the exponent of a PG_SCALAR node is the second. */
const pg_node *pgi_edges_of(const pg_arena *arena, pg_node node, pg_node pair[2], size_t *count);
/* Those that a user sees: an exponent is not among them. */
const pg_node *pgi_operands_of(const pg_arena *arena, pg_node node, pg_node pair[2], size_t *count);
pg_pass *pgi_pass_take(pg_arena *arena);                /* one with room for all nodes, or NULL */
void pgi_pass_give(pg_pass *pass);

static inline int pgi_in_use(const pg_arena *arena, pg_node node)
{ return pgi_slots_in_use(&arena->slots, node) && !(arena->nodes[node].flags & PG_DEAD); }

static inline void pgi_release(pg_arena *arena, pg_node node)
{
    PG_ASSERT(arena->nodes[node].refs > 0);
    if (--arena->nodes[node].refs == 0) pgi_free_nodes(arena, node);
}

static inline int pgi_need_object(pg_arena *arena, pg_node node)
{
    pg_record *r = &arena->nodes[node];
    if (!(r->flags & PG_NEEDS_OBJECT) && r->refs > 1) return PG_HAS_RESULTS;
    r->flags |= PG_NEEDS_OBJECT;
    return PG_OK;
}

/* The node of a recording's result that is no error. */
static inline pg_node pgi_node_of(pg_result result) { return (pg_node)(result & (PG_HOLD_OPERANDS - 1)); }

#endif
