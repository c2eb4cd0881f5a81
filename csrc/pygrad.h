/* pygrad: scalar reverse-mode automatic differentiation over an arena of nodes.
 *
 * The public face of the C library. Python's cffi reads its declarations from this very file, so
 * that every prototype stands once; keep to plain declarations here (no macros in them).
 *
 * Every function takes the arena; there is no global state. Each function locks the arena while it
 * works, so any thread may call any of them. A node is an index; operands always precede results in
 * index order, and this is what makes the reverse pass a walk instead of a search. */
#ifndef PYGRAD_H
#define PYGRAD_H

#include <stddef.h>
#include <stdint.h>

typedef uint32_t pg_node;           /* index of a node; 0 is no node */
typedef int64_t pg_result;          /* a node (perhaps | PG_KEPT), or a negative pg_status */
typedef struct pg_arena pg_arena;   /* where nodes live */
typedef struct pg_pass pg_pass;     /* a reverse pass that waits for its host */

enum pg_status {
    PG_OK = 0,
    PG_FULL = -1,           /* no free slot: call pg_grow and record again */
    PG_NO_MEMORY = -2,
    PG_NO_INDEX = -3,       /* the arena's limit of nodes is reached */
    PG_ZERO_DIVISION = -4,
    PG_OVERFLOW = -5,       /* finite operands, infinite result, where Python's math raises */
    PG_DOMAIN = -6,         /* outside the function's domain */
    PG_COMPLEX = -7,        /* negative base, fractional exponent */
    PG_EMPTY = -8           /* an n-ary operation that has no value for no operands */
};

enum pg_kind {              /* how an operation takes its operands */
    PG_LEAF,
    PG_UNARY,
    PG_BINARY,
    PG_SCALAR,              /* one operand and a plain number, such as x ** 3 */
    PG_NARY,
    PG_PAIRED,              /* two lists of equal length, such as dot */
    PG_CUSTOM               /* the caller gave the value and, perhaps, the local gradients */
};

typedef struct pg_op_info {
    const char *name;       /* how Python calls it: "exp" */
    const char *symbol;     /* what `_op` shows: "+" */
    const char *formula;    /* the definition, as a Python expression in x and y */
    const char *doc;        /* one line for Python's docstrings */
    int kind;
} pg_op_info;

/* Resizes a block as realloc does; size 0 frees and returns NULL. */
typedef void *(*pg_resize)(void *context, void *block, size_t size);

/* The op table (ops.def). NULL past its end. */
const pg_op_info *pg_op(int op);
const char *pg_status_text(int status);
const char *pg_status_exception(int status);    /* the Python exception to raise: "ValueError" */

/* Arenas. limit: most nodes ever (0: 2^32 - 2); resize: NULL for the C library's realloc; hosts: whether
 * the arena keeps a pointer of the host's for each node. NULL without memory. */
pg_arena *pg_arena_new(uint64_t limit, pg_resize resize, void *context, int hosts);
void pg_arena_free(pg_arena *arena);
void pg_lock(pg_arena *arena);      /* e.g. around fork(); not recursive */
void pg_unlock(pg_arena *arena);

/* Room for at least `nodes` nodes (0: twice as many as now). This, and nothing else, moves the arrays. */
int pg_grow(pg_arena *arena, uint64_t nodes);
/* Answer PG_FULL after at most so many new slots since the last pg_release or pg_grow, whatever the room,
 * so that a host which collects its releases hands them in while they are few. */
void pg_pace(pg_arena *arena, uint64_t slots);
uint64_t pg_capacity(pg_arena *arena);
uint64_t pg_live_nodes(pg_arena *arena);
size_t pg_bytes(pg_arena *arena);   /* allocated for nodes and edges, in bytes */
double *pg_data_array(pg_arena *arena);
double *pg_grad_array(pg_arena *arena);

/* Recording. The result carries one reference, the caller's. Nothing is recorded on an error. */
pg_result pg_leaf(pg_arena *arena, double data);
pg_result pg_unary(pg_arena *arena, int op, pg_node x);
pg_result pg_binary(pg_arena *arena, int op, pg_node x, pg_node y);
pg_result pg_binary_right(pg_arena *arena, int op, pg_node x, double y);    /* x op constant */
pg_result pg_binary_left(pg_arena *arena, int op, double x, pg_node y);     /* constant op y */
pg_result pg_scalar(pg_arena *arena, int op, pg_node x, double k, int integral);
/* count operands; for PG_PAIRED all of the first list, then all of the second. */
pg_result pg_nary(pg_arena *arena, int op, size_t count, const pg_node *operands);
/* local: count local gradients, or NULL for a step that the host runs. symbol may be NULL. */
pg_result pg_custom(pg_arena *arena, double data, size_t count, const pg_node *operands,
                    const double *local, const char *symbol);

/* References. The last release frees the node, and what only it reached. */
void pg_retain(pg_arena *arena, pg_node node);
void pg_release(pg_arena *arena, size_t count, const pg_node *nodes);

/* Looking at a node. */
double pg_data(pg_arena *arena, pg_node node);
double pg_grad(pg_arena *arena, pg_node node);
void pg_set_data(pg_arena *arena, pg_node node, double data);
void pg_set_grad(pg_arena *arena, pg_node node, double grad);
int pg_op_of(pg_arena *arena, pg_node node);
const char *pg_symbol(pg_arena *arena, pg_node node);
/* The number of a PG_SCALAR node; *integral says whether it was given as an integer. */
double pg_scalar_of(pg_arena *arena, pg_node node, int *integral);
uint32_t pg_references(pg_arena *arena, pg_node node);
/* Operands in order, repeated ones too. Writes at most `room` of them, returns how many there are. */
size_t pg_operands(pg_arena *arena, pg_node node, size_t room, pg_node *operands);

/* What a host attaches to a node.
 * keep: results computed from this node come back | PG_KEPT, so that the host can hold the objects
 *       of their operands (a closure lives in an object, not in the arena).
 * label: the host stores something under this node's number; when the node is freed, pg_next_freed
 *        hands its number out, and its slot is used again only when it is handed back as `done`.
 * host_step: the reverse pass stops here and lets the host run the node's step. */
void pg_keep(pg_arena *arena, pg_node node);
void pg_label(pg_arena *arena, pg_node node);
void pg_host_step(pg_arena *arena, pg_node node, int on);
pg_node pg_next_freed(pg_arena *arena, pg_node done);   /* done: the one before it, 0 at first */

/* The reverse pass: sets root's grad to 1 and adds to every other reached grad. NULL when it is done;
 * otherwise it waits: pg_pass_node says for which node's step, or is a negative status. After the
 * step call pg_pass_resume, or pg_pass_abandon. It holds the root meanwhile. */
pg_pass *pg_backward(pg_arena *arena, pg_node root);
pg_result pg_pass_node(pg_pass *pass);
pg_pass *pg_pass_resume(pg_pass *pass);
void pg_pass_abandon(pg_pass *pass);
/* One node's step alone, from its present grad. */
void pg_step(pg_arena *arena, pg_node node);
/* Sets the grad of the root and of all that it reaches to 0. PG_OK or PG_NO_MEMORY. */
int pg_zero_graph(pg_arena *arena, pg_node root);

/* A node made from a description, as a copy of another: data and grad are given, nothing is computed or
 * refused. k and integral are for PG_SCALAR, local and symbol for PG_OP_custom. */
pg_result pg_restore(pg_arena *arena, int op, double data, double grad, size_t count, const pg_node *operands,
                     double k, int integral, const double *local, const char *symbol);
/* The local gradients of a custom node: `count` of them as pg_operands says, or NULL if it has none. */
const double *pg_local(pg_arena *arena, pg_node node);

/* One step of an optimizer: updates the data of `count` nodes by their grads. The arrays of doubles have an element
 * for each node and are the optimizer's state. Formulas are torch's. */
typedef struct pg_sgd_options {
    double lr, momentum, dampening, weight_decay;
    int nesterov, maximize;
} pg_sgd_options;
typedef struct pg_adam_options {
    double lr, beta1, beta2, eps, weight_decay;
    int decoupled;          /* weight decay as in AdamW, not as a part of the gradient */
    int maximize;
} pg_adam_options;
/* velocity may be NULL without momentum; first: whether this is the first step. */
void pg_sgd(pg_arena *arena, size_t count, const pg_node *nodes, const pg_sgd_options *options, double *velocity,
            int first);
/* top: NULL, or AMSGrad's largest second moments so far; step counts from 1. */
void pg_adam(pg_arena *arena, size_t count, const pg_node *nodes, const pg_adam_options *options, double *mean,
             double *square, double *top, double step);
void pg_zero_grads(pg_arena *arena, size_t count, const pg_node *nodes);

/* For tests: PG_OK, or the number of the first invariant found broken (see arena.c). */
int pg_check(pg_arena *arena);

#endif
