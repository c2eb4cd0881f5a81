/* The public face of pygrad.h: lock the arena, check the arguments, call what does the work, unlock. */
#define _POSIX_C_SOURCE 200809L     /* nanosleep */

#include "call.h"
#include "freeze.h"
#include "lock.h"
#include "optim.h"
#include "pass.h"
#include "record.h"

void pg_lock(pg_arena *arena) { pgi_acquire(&arena->lock); }
void pg_unlock(pg_arena *arena) { pgi_give_back(&arena->lock); }

/* Whole bodies of functions. What one returns, worked out with the arena locked: */
#define PG_LOCKED(type, work) \
    do { \
        type answer; \
        pg_lock(arena); \
        answer = (work); \
        pg_unlock(arena); \
        return answer; \
    } while (0)

/* The same where the arguments may be refused: the status of a check, or else what one returns. Below it, for functions
 * of a `node` or of `nodes`. */
#define PG_CHECKED_CALL(type, status, work) PG_LOCKED(type, (answer = (status)) != PG_OK ? answer : (work))
#define PG_ON_NODE(work) PG_CHECKED_CALL(int, node_status(arena, node), work)
#define PG_ON_NODES(work) PG_CHECKED_CALL(int, nodes_status(arena, count, nodes), work)

/* -- checks -------------------------------------------------------------------------------------- */

static int node_status(const pg_arena *arena, pg_node node) { return pgi_in_use(arena, node) ? PG_OK : PG_BAD_NODE; }

static int nodes_status(const pg_arena *arena, size_t count, const pg_node *nodes)
{
    for (size_t i = 0; i < count; i++)
        if (!pgi_in_use(arena, nodes[i])) return PG_BAD_NODE;
    return PG_OK;
}

static int kind_of(int op)
{
    const pg_op_info *info = pg_op(op);
    return info ? info->kind : -1;
}

/* Whether an operation is of that kind, and its operands are in use. */
static int operand_status(const pg_arena *arena, int op, int kind, pg_node x)
{ return kind_of(op) == kind ? node_status(arena, x) : PG_BAD_OP; }

/* Whether an operation of the table takes so many operands, and they are in use. */
static int operands_status(const pg_arena *arena, int op, size_t count, const pg_node *operands)
{
    int fits = 1;
    switch (kind_of(op)) {
    case -1: return PG_BAD_OP;
    case PG_LEAF: fits = count == 0; break;
    case PG_UNARY:
    case PG_SCALAR: fits = count == 1; break;
    case PG_BINARY: fits = count == 2; break;
    case PG_PAIRED: fits = count % 2 == 0; break;
    case PG_TERNARY: fits = count == 3; break;
    case PG_INDEXED: fits = count > 0; break;
    }
    return fits && count <= UINT32_MAX ? nodes_status(arena, count, operands) : PG_BAD_COUNT;
}

/* -- arenas -------------------------------------------------------------------------------------- */

int pg_grow(pg_arena *arena, uint64_t nodes) { PG_LOCKED(int, pgi_grow(arena, nodes)); }
uint64_t pg_capacity(pg_arena *arena) { PG_LOCKED(uint64_t, arena->slots.capacity - 1); }
double *pg_data_array(pg_arena *arena) { PG_LOCKED(double *, arena->data); }
double *pg_grad_array(pg_arena *arena) { PG_LOCKED(double *, arena->grad); }

void pg_set_quota(pg_arena *arena, uint64_t slots)
{
    pg_lock(arena);
    arena->slots.quota = slots < PG_NO_QUOTA ? slots : PG_NO_QUOTA;
    pgi_slots_renew(&arena->slots);
    pg_unlock(arena);
}

uint64_t pg_live_nodes(pg_arena *arena)
{
    uint64_t live;
    pg_lock(arena);
    live = pgi_slots_used(&arena->slots);
    for (pg_node n = arena->freed; n; n = arena->nodes[n].refs) live--;
    pg_unlock(arena);
    return live;
}

size_t pg_bytes(pg_arena *arena)
{
    const size_t slot = sizeof *arena->data + sizeof *arena->grad + sizeof *arena->nodes +
                        (arena->has_objects ? sizeof *arena->objects : 0);
    PG_LOCKED(size_t, (size_t)arena->slots.capacity *slot + arena->edge_bytes +
                          2 * (size_t)pgi_bits_size(arena->slots.capacity) * sizeof(uint64_t));
}

/* -- recording ----------------------------------------------------------------------------------- */

pg_result pg_leaf(pg_arena *arena, double data) { PG_LOCKED(pg_result, pgi_record_leaf(arena, data)); }

static int mark_number(pg_record *r)
{
    if (r->op != PG_OP_leaf) return PG_BAD_OP;
    r->flags |= PG_NUMBER;
    return PG_OK;
}

int pg_mark_number(pg_arena *arena, pg_node node)
{ PG_CHECKED_CALL(int, node_status(arena, node), mark_number(&arena->nodes[node])); }

pg_result pg_unary(pg_arena *arena, int op, pg_node x)
{ PG_CHECKED_CALL(pg_result, operand_status(arena, op, PG_UNARY, x), pgi_record_unary(arena, op, x)); }

pg_result pg_binary(pg_arena *arena, int op, pg_node x, pg_node y)
{
    PG_CHECKED_CALL(pg_result, operand_status(arena, op, PG_BINARY, x),
                    pgi_in_use(arena, y) ? pgi_record_binary(arena, op, x, y) : PG_BAD_NODE);
}

pg_result pg_binary_right(pg_arena *arena, int op, pg_node x, double y)
{ PG_CHECKED_CALL(pg_result, operand_status(arena, op, PG_BINARY, x), pgi_record_constant(arena, op, x, y, 0, 0)); }

pg_result pg_binary_left(pg_arena *arena, int op, double x, pg_node y)
{ PG_CHECKED_CALL(pg_result, operand_status(arena, op, PG_BINARY, y), pgi_record_constant(arena, op, y, x, 1, 0)); }

pg_result pg_scalar(pg_arena *arena, int op, pg_node x, double exponent, int exponent_is_int)
{
    PG_CHECKED_CALL(pg_result, operand_status(arena, op, PG_SCALAR, x),
                    pgi_record_constant(arena, op, x, exponent, 0, exponent_is_int ? PG_EXPONENT_IS_INT : 0));
}

pg_result pg_nary(pg_arena *arena, int op, size_t count, const pg_node *operands)
{
    if (kind_of(op) < PG_NARY || kind_of(op) == PG_CUSTOM) return PG_BAD_OP;
    PG_CHECKED_CALL(pg_result, operands_status(arena, op, count, operands),
                    pgi_record_nary(arena, op, count, operands));
}

pg_result pg_custom(pg_arena *arena, double data, size_t count, const pg_node *operands, const double *partials,
                    const char *symbol)
{
    PG_CHECKED_CALL(pg_result, operands_status(arena, PG_OP_custom, count, operands),
                    pgi_record_custom(arena, data, count, operands, partials, symbol));
}

pg_result pg_restore(pg_arena *arena, int op, double data, double grad, size_t count, const pg_node *operands,
                     double exponent, int exponent_is_int, const double *partials, const char *symbol)
{
    PG_CHECKED_CALL(
        pg_result, operands_status(arena, op, count, operands),
        pgi_record_restored(arena, op, data, grad, count, operands, exponent, exponent_is_int, partials, symbol));
}

/* -- references ---------------------------------------------------------------------------------- */

int pg_retain(pg_arena *arena, pg_node node) { PG_ON_NODE((arena->nodes[node].refs++, PG_OK)); }

int pg_release(pg_arena *arena, size_t count, const pg_node *nodes)
{
    int status = PG_OK;
    pg_lock(arena);
    for (size_t i = 0; i < count; i++) {
        if (pgi_in_use(arena, nodes[i])) pgi_release(arena, nodes[i]);
        else status = PG_BAD_NODE;
    }
    pgi_slots_renew(&arena->slots);
    pg_unlock(arena);
    return status;
}

/* -- looking at a node --------------------------------------------------------------------------- */

double pg_data(pg_arena *arena, pg_node node) { PG_LOCKED(double, pgi_in_use(arena, node) ? arena->data[node] : NAN); }
double pg_grad(pg_arena *arena, pg_node node) { PG_LOCKED(double, pgi_in_use(arena, node) ? arena->grad[node] : NAN); }
int pg_set_data(pg_arena *arena, pg_node node, double data) { PG_ON_NODE((arena->data[node] = data, PG_OK)); }
int pg_set_grad(pg_arena *arena, pg_node node, double grad) { PG_ON_NODE((arena->grad[node] = grad, PG_OK)); }
int pg_op_of(pg_arena *arena, pg_node node) { PG_LOCKED(int, pgi_in_use(arena, node) ? arena->nodes[node].op : -1); }

uint32_t pg_references(pg_arena *arena, pg_node node)
{ PG_LOCKED(uint32_t, pgi_in_use(arena, node) ? arena->nodes[node].refs : 0); }

static const char *symbol_of(const pg_arena *arena, pg_node node)
{
    if (!pgi_in_use(arena, node)) return "";
    const pg_record *r = &arena->nodes[node];
    if (r->op == PG_OP_custom) return r->edges->symbol ? r->edges->symbol : "";
    return pg_op(r->op)->symbol;
}

const char *pg_symbol(pg_arena *arena, pg_node node) { PG_LOCKED(const char *, symbol_of(arena, node)); }

static double exponent_of(const pg_arena *arena, pg_node node, int *is_int)
{
    *is_int = 0;
    if (!pgi_in_use(arena, node) || kind_of(arena->nodes[node].op) != PG_SCALAR) return NAN;
    const pg_record *r = &arena->nodes[node];
    const double exponent = arena->data[r->y];
    *is_int = r->flags & PG_EXPONENT_IS_INT && fabs(exponent) <= 0x1p53;    /* beyond, it may have been rounded */
    return exponent;
}

double pg_exponent(pg_arena *arena, pg_node node, int *is_int) { PG_LOCKED(double, exponent_of(arena, node, is_int)); }

size_t pg_operands(pg_arena *arena, pg_node node, size_t room, pg_node *operands)
{
    pg_node pair[2];
    size_t count = 0;
    pg_lock(arena);
    if (pgi_in_use(arena, node)) {
        const pg_node *list = pgi_operands_of(arena, node, pair, &count);
        for (size_t i = 0; i < count && i < room; i++) operands[i] = list[i];
    }
    pg_unlock(arena);
    return count;
}

const double *pg_partials(pg_arena *arena, pg_node node)
{
    PG_LOCKED(const double *, pgi_in_use(arena, node) && arena->nodes[node].op == PG_OP_custom
                                  ? arena->nodes[node].edges->partials
                                  : NULL);
}

/* -- what a host attaches ------------------------------------------------------------------------ */

int pg_need_object(pg_arena *arena, pg_node node) { PG_ON_NODE(pgi_need_object(arena, node)); }

int pg_notify_free(pg_arena *arena, pg_node node) { PG_ON_NODE((arena->nodes[node].flags |= PG_NOTIFY_FREE, PG_OK)); }

int pg_set_external(pg_arena *arena, pg_node node, int on)
{ PG_ON_NODE(pgi_set_external(arena, node, on) ? PG_OK : PG_HAS_RESULTS); }

pg_node pg_pop_freed(pg_arena *arena) { PG_LOCKED(pg_node, pgi_pop_freed(arena)); }

int pg_recycle(pg_arena *arena, pg_node freed)
{
    PG_LOCKED(int, pgi_slots_in_use(&arena->slots, freed) && arena->nodes[freed].flags == PG_DEAD
                       ? (pgi_recycle(arena, freed), PG_OK)
                       : PG_BAD_NODE);
}

/* -- the reverse pass ---------------------------------------------------------------------------- */

pg_result pg_backward(pg_arena *arena, pg_node root, pg_pass **pass)
{
    *pass = NULL;
    PG_CHECKED_CALL(pg_result, node_status(arena, root), pgi_backward(arena, root, pass));
}

pg_result pg_resume(pg_pass **pass)
{
    pg_arena *arena = (*pass)->arena;
    PG_LOCKED(pg_result, pgi_resume(pass));
}

void pg_abandon(pg_pass *pass)
{
    pg_arena *arena = pass->arena;
    pg_lock(arena);
    pgi_end_pass(pass);
    pg_unlock(arena);
}

int pg_reverse_node(pg_arena *arena, pg_node node) { PG_ON_NODE((pgi_reverse_node(arena, node), PG_OK)); }

int pg_zero_graph(pg_arena *arena, pg_node root)
{ PG_CHECKED_CALL(int, node_status(arena, root), pgi_zero_graph(arena, root)); }

pg_result pg_nonzero_grads(pg_arena *arena, pg_node root, size_t room, pg_node *nodes)
{ PG_CHECKED_CALL(pg_result, node_status(arena, root), pgi_nonzero_grads(arena, root, room, nodes)); }

/* -- optimizers ---------------------------------------------------------------------------------- */

int pg_sgd(pg_arena *arena, size_t count, const pg_node *nodes, const pg_sgd_options *options, double *velocity,
           int first)
{ PG_ON_NODES((pgi_sgd(arena, count, nodes, options, velocity, first), PG_OK)); }

int pg_adam(pg_arena *arena, size_t count, const pg_node *nodes, const pg_adam_options *options, double *mean,
            double *square, double *top, double step)
{ PG_ON_NODES((pgi_adam(arena, count, nodes, options, mean, square, top, step), PG_OK)); }

int pg_zero_grads(pg_arena *arena, size_t count, const pg_node *nodes)
{ PG_ON_NODES((pgi_zero_grads(arena, count, nodes), PG_OK)); }

/* -- graphs and programs --------------------------------------------------------------------------- */

int pg_begin_trace(pg_arena *arena) { PG_LOCKED(int, pgi_begin_trace(arena)); }

void pg_end_trace(pg_arena *arena)
{
    pg_lock(arena);
    pgi_end_trace(arena);
    pg_unlock(arena);
}

int pg_depends(pg_arena *arena, pg_node node, int era)
{ PG_CHECKED_CALL(int, node_status(arena, node), pgi_depends(arena, node, era)); }

int pg_freeze(pg_arena *arena, size_t outputs, const pg_node *output, size_t inputs, const pg_node *input, int era,
              pg_graph **graph)
{
    *graph = NULL;
    PG_CHECKED_CALL(int, nodes_status(arena, outputs, output) ? PG_BAD_NODE : nodes_status(arena, inputs, input),
                    pgi_freeze(arena, outputs, output, inputs, input, era, graph));
}

int pg_gather(pg_arena *arena, size_t count, const pg_node *nodes, double *data)
{ PG_ON_NODES((pgi_gather(arena, count, nodes, data), PG_OK)); }

int pg_scatter(pg_arena *arena, size_t count, const pg_node *nodes, const double *grads)
{ PG_ON_NODES((pgi_scatter(arena, count, nodes, grads), PG_OK)); }

static int call_status(const pg_arena *arena, const pg_function *f, const pg_node *nodes)
{
    if ((uint64_t)f->arguments + f->captured != f->program->inputs) return PG_BAD_COUNT;
    if (f->program->each.registers) return PG_BAD_COUNT; /* it is one over rows */
    for (uint32_t i = 0; i < f->arguments; i++)
        if (nodes[i] && !pgi_in_use(arena, nodes[i])) return PG_BAD_NODE;
    return nodes_status(arena, f->captured, f->nodes);
}

pg_result pg_call(pg_arena *arena, const pg_function *function, const double *numbers, const pg_node *nodes)
{ PG_CHECKED_CALL(pg_result, call_status(arena, function, nodes), pgi_call(arena, function, numbers, nodes)); }
