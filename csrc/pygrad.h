/* pygrad: scalar reverse-mode automatic differentiation over an arena of nodes.
 *
 * The public face of the C library. Python's cffi reads its declarations from this very file, so
 * that every prototype stands once; keep to plain declarations here (no macros in them).
 *
 * Every function takes the arena; there is no global state. Each locks the arena while it works, so any thread may call
 * any of them, and checks op codes, counts and nodes: what is not right answers with a status, and changes nothing. A
 * node is an index; operands always precede results in index order, and this is what makes the reverse pass a walk
 * instead of a search. */
#ifndef PYGRAD_H
#define PYGRAD_H

#include <stddef.h>
#include <stdint.h>

typedef uint32_t pg_node;           /* index of a node; 0 is no node */
typedef int64_t pg_result;          /* a node, perhaps with bit PG_HOLD_OPERANDS_BIT, or a negative pg_status */
typedef struct pg_arena pg_arena;   /* where nodes live */
typedef struct pg_pass pg_pass;     /* a reverse pass that waits for its host */
typedef struct pg_graph pg_graph;   /* a recorded graph apart from the arena */
typedef struct pg_program pg_program;   /* what computes one */

enum { PG_HOLD_OPERANDS_BIT = 32 }; /* of a result: the host is to hold its operands' objects; see pg_need_object */

enum pg_status {
    PG_OK = 0,
    PG_FULL = -1,           /* no free slot, or the quota is used up: release or pg_grow, and record again */
    PG_NO_MEMORY = -2,
    PG_NO_INDEX = -3,       /* the arena's limit of nodes is reached */
    PG_ZERO_DIVISION = -4,
    PG_OVERFLOW = -5,       /* finite operands, infinite result, where Python's math raises */
    PG_DOMAIN = -6,         /* outside the function's domain */
    PG_COMPLEX = -7,        /* negative base, fractional exponent */
    PG_EMPTY = -8,          /* an n-ary operation that has no value for no operands */
    PG_BAD_OP = -9,         /* no such operation, or one of another kind */
    PG_BAD_COUNT = -10,     /* not as many operands as the operation takes */
    PG_BAD_NODE = -11,      /* an operand that is no node in use */
    PG_HAS_RESULTS = -12,   /* too late: results were recorded already */
    PG_INDEX = -13,         /* take: no whole number within the list */
    PG_NO_FORMULA = -14,    /* a custom operation: its value is known, and not how it comes about */
    PG_FAILED = -15         /* of a run: an operation has no value for its operands */
};

/* How an operation takes its operands. */
enum pg_kind {
    PG_LEAF,
    PG_UNARY,
    PG_BINARY,
    PG_SCALAR,              /* one operand and a plain number, the exponent of x ** 3 */
    PG_NARY,
    PG_PAIRED,              /* two lists of equal length, such as dot */
    PG_TERNARY,             /* where(x, y, w) */
    PG_INDEXED,             /* a list, and then what says which of it */
    PG_CUSTOM               /* the caller gave the value and, perhaps, the local gradients */
};

typedef struct pg_op_info {
    const char *name;       /* how Python calls it: "exp" */
    const char *special;    /* Python's special method: "__add__"; NULL where it has none */
    const char *symbol;     /* what `_op` shows: "+" */
    const char *formula;    /* the definition, as a Python expression in x and y */
    const char *doc;        /* one line for Python's docstrings */
    const char *partials[3];    /* in each operand, or in those of each list, in ops.def's words; "" for none */
    int kind;
} pg_op_info;

/* Resizes a block as realloc does; size 0 frees and returns NULL. */
typedef void *(*pg_resize)(void *context, void *block, size_t size);

/* The op table (ops.def). NULL past its end. */
const pg_op_info *pg_op(int op);
const char *pg_status_text(int status);
const char *pg_status_exception(int status);    /* the Python exception to raise: "ValueError" */

/* Arenas. limit: most nodes ever (0: 2^32 - 2); resize: NULL for the C library's realloc; objects: whether
 * the arena keeps a pointer of the host's for each node. NULL without memory. */
pg_arena *pg_arena_new(uint64_t limit, pg_resize resize, void *context, int objects);
void pg_arena_free(pg_arena *arena);            /* once no pass of it waits */
void pg_lock(pg_arena *arena);      /* e.g. around fork(); not recursive */
void pg_unlock(pg_arena *arena);

/* Room for at least `nodes` nodes (0: half as many again as now, or twice as many). This, and nothing else, moves
 * the arrays. */
int pg_grow(pg_arena *arena, uint64_t nodes);
/* Recording answers PG_FULL once that many free slots, or that many new ones, have been taken since the last pg_release
 * or pg_grow, even where there is room. Hosts that collect releases use it to be reminded of them. */
void pg_set_quota(pg_arena *arena, uint64_t slots);
uint64_t pg_capacity(pg_arena *arena);
uint64_t pg_live_nodes(pg_arena *arena);
size_t pg_bytes(pg_arena *arena);   /* allocated for nodes and edges, in bytes */
double *pg_data_array(pg_arena *arena);
double *pg_grad_array(pg_arena *arena);

/* Recording. The result carries one reference, the caller's. Nothing is recorded on an error. */
pg_result pg_leaf(pg_arena *arena, double data);
/* Says of a leaf that it is a number written in an expression, as pg_binary_right makes one: see pg_freeze. */
int pg_mark_number(pg_arena *arena, pg_node node);
pg_result pg_unary(pg_arena *arena, int op, pg_node x);
pg_result pg_binary(pg_arena *arena, int op, pg_node x, pg_node y);
pg_result pg_binary_right(pg_arena *arena, int op, pg_node x, double y);    /* x op constant */
pg_result pg_binary_left(pg_arena *arena, int op, double x, pg_node y);     /* constant op y */
pg_result pg_scalar(pg_arena *arena, int op, pg_node x, double exponent, int exponent_is_int);
/* count operands; for PG_PAIRED all of the first list, then all of the second; PG_TERNARY and PG_INDEXED too. */
pg_result pg_nary(pg_arena *arena, int op, size_t count, const pg_node *operands);
/* partials: count local gradients, or NULL for an external step, which the host runs. symbol may be NULL. */
pg_result pg_custom(pg_arena *arena, double data, size_t count, const pg_node *operands, const double *partials,
                    const char *symbol);
/* A node made from a description, as a copy of another: data and grad are given, nothing is computed. exponent and
 * exponent_is_int are for PG_SCALAR, partials and symbol for the operation "custom". */
pg_result pg_restore(pg_arena *arena, int op, double data, double grad, size_t count, const pg_node *operands,
                     double exponent, int exponent_is_int, const double *partials, const char *symbol);

/* References. The last release frees the node, and what only it reached. A list may hold what is no node in use: the
 * others are released, and the answer is PG_BAD_NODE. */
int pg_retain(pg_arena *arena, pg_node node);
int pg_release(pg_arena *arena, size_t count, const pg_node *nodes);

/* Looking at a node. What is no node in use has nan, no operation (-1), no operands. */
double pg_data(pg_arena *arena, pg_node node);
double pg_grad(pg_arena *arena, pg_node node);
int pg_set_data(pg_arena *arena, pg_node node, double data);
int pg_set_grad(pg_arena *arena, pg_node node, double grad);
int pg_op_of(pg_arena *arena, pg_node node);
const char *pg_symbol(pg_arena *arena, pg_node node);
/* The exponent of a PG_SCALAR node; *is_int says whether it was given as an integer. */
double pg_exponent(pg_arena *arena, pg_node node, int *is_int);
uint32_t pg_references(pg_arena *arena, pg_node node);
/* Operands in order, repeated ones too. Writes at most `room` of them, returns how many there are. */
size_t pg_operands(pg_arena *arena, pg_node node, size_t room, pg_node *operands);
/* The local gradients of a custom node: one for each operand, or NULL if it has none. */
const double *pg_partials(pg_arena *arena, pg_node node);

/* What a host attaches to a node.
 * need_object: results recorded from this node come back with PG_HOLD_OPERANDS_BIT, so that the host can hold the
 *     objects of their operands (a closure lives in an object, not in the arena). Results are to come later, or
 *     PG_HAS_RESULTS: the node may have one reference, its object's.
 * notify_free: the host keeps data keyed by this node. When the node is freed its slot is quarantined until the
 *     host has fetched it with pg_pop_freed, forgotten what it kept, and passed it to pg_recycle.
 * set_external: the reverse pass stops here and the host runs the node's step. PG_HAS_RESULTS for a leaf that has. */
int pg_need_object(pg_arena *arena, pg_node node);
int pg_notify_free(pg_arena *arena, pg_node node);
int pg_set_external(pg_arena *arena, pg_node node, int on);
pg_node pg_pop_freed(pg_arena *arena);      /* 0: none is left */
int pg_recycle(pg_arena *arena, pg_node freed);

/* The reverse pass: sets root's grad, its adjoint, to 1 and adds to every other reached grad. Returns 0 when it is
 * done, a negative status when it could not begin, or else the node whose external step the host is to run before it
 * calls pg_resume, or pg_abandon. The pass holds the root meanwhile. */
pg_result pg_backward(pg_arena *arena, pg_node root, pg_pass **pass);
pg_result pg_resume(pg_pass **pass);
void pg_abandon(pg_pass *pass);
/* One node's chain rule alone, from its present grad. */
int pg_reverse_node(pg_arena *arena, pg_node node);
/* Sets the grad of the root and of all that it reaches to 0. */
int pg_zero_graph(pg_arena *arena, pg_node root);
/* Of these, the nodes whose grad is not 0. Writes at most `room` of them, returns how many there are, or a status. */
pg_result pg_nonzero_grads(pg_arena *arena, pg_node root, size_t room, pg_node *nodes);

/* One step of an optimizer: updates the data of `count` nodes by their grads. The arrays of doubles have an element
 * for each node and are the optimizer's state. */
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
int pg_sgd(pg_arena *arena, size_t count, const pg_node *nodes, const pg_sgd_options *options, double *velocity,
           int first);
/* top: NULL, or AMSGrad's largest second moments so far; step counts from 1. */
int pg_adam(pg_arena *arena, size_t count, const pg_node *nodes, const pg_adam_options *options, double *mean,
            double *square, double *top, double step);
int pg_zero_grads(pg_arena *arena, size_t count, const pg_node *nodes);

/* -- graphs and programs ------------------------------------------------------------------------ */

/* While a function is traced what it records is told from what was there before by its era: the answer to
 * pg_begin_trace, or 0 where too many traces wait for their end. */
int pg_begin_trace(pg_arena *arena);
void pg_end_trace(pg_arena *arena);
/* Whether a node is older than the trace, or computed from one that is: 1, 0, or a status. */
int pg_depends(pg_arena *arena, pg_node node, int era);

/* The graph of some outputs, apart from the arena. Its inputs are those given and then, in their order in the arena,
 * what else it depends on: with an era, the nodes that are older, and leaves of the trace that something beside the
 * graph holds; without one (0), all leaves but numbers written in expressions. PG_NO_FORMULA for a custom operation.
 * Closed over, an input has an arena's node: pg_graph_sources. */
int pg_freeze(pg_arena *arena, size_t outputs, const pg_node *output, size_t inputs, const pg_node *input, int era,
              pg_graph **graph);
void pg_graph_free(pg_graph *graph);
uint32_t pg_graph_inputs(const pg_graph *graph);
const pg_node *pg_graph_sources(const pg_graph *graph);

/* What a file holds of a graph: an op code for each node; the operands of all, those of a list after their count; the
 * numbers; and the outputs. Reading checks everything. */
typedef struct pg_graph_size {
    size_t nodes, operands, numbers, outputs;
} pg_graph_size;
pg_graph_size pg_graph_measure(const pg_graph *graph);
void pg_graph_write(const pg_graph *graph, uint8_t *ops, uint32_t *operands, double *numbers, uint32_t *outputs);
int pg_graph_read(const pg_graph_size *size, const uint8_t *ops, const uint32_t *operands, const double *numbers,
                  const uint32_t *outputs, pg_graph **graph);
/* The status of the first node, in recorded order, that has no value for these inputs. */
int pg_graph_error(const pg_graph *graph, const double *inputs, uint32_t *node);

/* What a program is made better by. */
enum pg_passes {
    PG_FOLD = 1,            /* operations on numbers are done beforehand */
    PG_SIMPLIFY = 2,        /* 1 * x is x, and the like where it is exact */
    PG_SHARE = 4,           /* equal instructions are one */
    PG_FUSE = 8,            /* a product with one use, in a sum, is a part of it */
    PG_SCHEDULE = 16,       /* grouped by depth and operation, not as recorded */
    PG_ALL_PASSES = 31
};
/* The program that computes a graph's outputs, and then for each of them its derivatives in the `count` wanted inputs.
 * NULL without memory, and where a wanted one is no input. */
pg_program *pg_compile(const pg_graph *graph, size_t count, const uint32_t *wanted, int passes);
/* A graph of derivatives: of each output of a graph those in the wanted inputs, by rewriting in reverse; or forward, for
 * derivatives along a direction, an input more for each of the wanted, the last ones. NULL as above. */
enum pg_derivatives {
    PG_WITH_VALUES = 1,     /* the graph's own outputs come before them */
    PG_TANGENTS = 2         /* forward: one derivative for each output */
};
pg_graph *pg_derive(const pg_graph *graph, size_t count, const uint32_t *wanted, int how);
void pg_program_free(pg_program *program);
uint32_t pg_program_outputs(const pg_program *program);
uint32_t pg_program_instructions(const pg_program *program);
/* Runs it. PG_FAILED where an operation has no value: pg_graph_error says which. Any thread may, and several at once. */
int pg_run(pg_program *program, const double *inputs, double *outputs);
/* A program over the rows of a batch: inputs whose `by_row` is not 0 differ from row to row. reduced: outputs are added up
 * over the rows. */
pg_program *pg_compile_rows(const pg_graph *graph, size_t count, const uint32_t *wanted, const uint8_t *by_row,
                            int reduced, int passes);
/* Rows, in numbers that lie at constant distances: those of input or output k at columns[k], columns[k] + steps[k], ... */
typedef struct pg_rows {
    uint64_t count;
    const double *once;             /* a number for each input; those of inputs by row are not read */
    double *const *columns;         /* inputs by row, in their order */
    const uint64_t *steps;
    double *const *outputs;         /* for each output; reduced: where its one number is */
    const uint64_t *output_steps;
    int mean;                       /* reduced: divide by the count of rows */
    int pass_errors;                /* a row that fails is nan in all outputs, and no error */
    uint64_t failed;                /* the first row that failed */
} pg_rows;
/* Rows are done in chunks, whose number and results depend on the rows alone. All are done by calls from chunk 0 on, of
 * at most PG_MOST_CHUNKS each, between which a host may look at signals. */
enum { PG_MOST_CHUNKS = 32 };
uint64_t pg_row_chunks(const pg_program *program, uint64_t count);
/* PG_FAILED where an operation has no value in the row `failed`. Up to `threads` threads work. */
int pg_run_rows(pg_program *program, pg_rows *rows, uint64_t from, uint64_t to, int threads);
/* A recorded function, to be called: a program of one output and its derivatives in the arguments that are nodes and in
 * the captured ones, in this order. */
typedef struct pg_function {
    pg_program *program;
    uint32_t arguments, captured;
    const pg_node *nodes;           /* the captured ones */
} pg_function;
/* Runs it and records the result, as pg_custom does, or as a leaf where there are no nodes. Of the arguments those whose
 * node is not 0 have the data of that, others their number. PG_FAILED as in pg_run. */
pg_result pg_call(pg_arena *arena, const pg_function *function, const double *numbers, const pg_node *nodes);
/* The operation of any code that occurs in programs: "" for none. */
const char *pg_name(int op);
const char *pg_formula(int op);     /* its value, as C in x, y and w, which needs opmath.h */
/* Instruction `index` of a program, in the order of a run. Registers of numbers come first, then those of inputs. */
typedef struct pg_listing {
    int op, arity;
    uint32_t result, operands[3];
} pg_listing;
int pg_program_list(const pg_program *program, uint32_t room, pg_listing *instructions);
const double *pg_program_numbers(const pg_program *program, uint32_t *count);
uint32_t pg_program_output(const pg_program *program, uint32_t index);

/* Of nodes: their data, and grads to which numbers are added. */
int pg_gather(pg_arena *arena, size_t count, const pg_node *nodes, double *data);
int pg_scatter(pg_arena *arena, size_t count, const pg_node *nodes, const double *grads);

/* For tests: NULL, or a sentence about the first invariant (see arena.h) found broken. */
const char *pg_check(pg_arena *arena);

#endif
