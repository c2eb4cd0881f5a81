/* The op table as data, recording, and looking at nodes. The hot paths are in arena.h. */
#include "arena.h"

/* -- the op table ------------------------------------------------------------------------------- */

#define PG_DOC(formula, symbol) "``" formula "``, recorded as one node '" symbol "'."

static const pg_op_info pg_ops[PG_OP_COUNT] = {
    {"leaf", "", "", "", PG_LEAF},
    {"custom", "", "", "", PG_CUSTOM},
#define PG_OP_UNARY(name, symbol, formula, forward, dx, error) \
    {#name, symbol, formula, PG_DOC(formula, symbol), PG_UNARY},
#define PG_OP_BINARY(name, symbol, formula, forward, dx, dy, error) \
    {#name, symbol, formula, PG_DOC(formula, symbol), PG_BINARY},
#define PG_OP_SCALAR(name, symbol, formula, forward, dx, error) \
    {#name, symbol, formula, PG_DOC(formula, symbol), PG_SCALAR},
#define PG_OP_NARY(name, symbol, formula, forward, dx, error) \
    {#name, symbol, formula, PG_DOC(formula, symbol), PG_NARY},
#define PG_OP_PAIRED(name, symbol, formula, forward, dx, dy, error) \
    {#name, symbol, formula, PG_DOC(formula, symbol), PG_PAIRED},
#include "ops.def"
};

const pg_op_info *pg_op(int op)
{
    return op >= 0 && op < PG_OP_COUNT ? &pg_ops[op] : NULL;
}

const char *pg_status_text(int status)
{
    switch (status) {
    case PG_FULL: return "the arena is full";
    case PG_NO_MEMORY: return "out of memory";
    case PG_NO_INDEX: return "the arena holds as many nodes as it can number";
    case PG_ZERO_DIVISION: return "division by zero";
    case PG_OVERFLOW: return "numerical result out of range";
    case PG_DOMAIN: return "math domain error";
    case PG_COMPLEX: return "a negative base with a fractional exponent has no real value";
    case PG_EMPTY: return "no value for an empty list";
    }
    return "";
}

const char *pg_status_exception(int status)
{
    switch (status) {
    case PG_ZERO_DIVISION: return "ZeroDivisionError";
    case PG_OVERFLOW: return "OverflowError";
    case PG_DOMAIN:
    case PG_COMPLEX:
    case PG_EMPTY: return "ValueError";
    }
    return "MemoryError";
}

/* -- operand lists ------------------------------------------------------------------------------ */

static int pg_forward_list(const double *data, int op, size_t count, const pg_node *x, double *result)
{
    size_t n = count;
    const pg_node *y = x;
    double z = NAN;
    switch (op) {
#define PG_OP_NARY(name, symbol, formula, forward, dx, error) \
    case PG_OP_##name:                                        \
        if ((error) != PG_OK) return error;                   \
        z = forward(data, n, x);                              \
        break;
#define PG_OP_PAIRED(name, symbol, formula, forward, dx, dy, error) \
    case PG_OP_##name:                                              \
        n = count / 2;                                              \
        y = x + n;                                                  \
        if ((error) != PG_OK) return error;                         \
        z = forward(data, n, x, y);                                 \
        break;
#include "ops.def"
    }
    *result = z;
    return PG_OK;
}

/* A side block with the operands and room for what else a custom node brings. */
static pg_edges *pg_new_edges(pg_arena *arena, size_t count, const pg_node *operands, const double *local,
                              const char *symbol)
{
    size_t length = symbol ? strlen(symbol) + 1 : 0;
    uint64_t local_at = (sizeof(pg_edges) + (uint64_t)count * sizeof(pg_node) + 7) & ~(uint64_t)7;
    uint64_t symbol_at = local_at + (local ? (uint64_t)count * sizeof(double) : 0);
    pg_edges *edges = pg_allocate(arena, NULL, symbol_at + length);
    if (!edges) return NULL;
    edges->count = count;
    edges->bytes = (size_t)(symbol_at + length);
    edges->local = local ? (double *)((char *)edges + local_at) : NULL;
    edges->symbol = symbol ? (char *)edges + symbol_at : NULL;
    memcpy(edges->operand, operands, count * sizeof *operands);
    if (local) memcpy(edges->local, local, count * sizeof *local);
    if (symbol) memcpy(edges->symbol, symbol, length);
    return edges;
}

/* Refers to the operands from..to and notes the highest. Returns their flags; *ops is 0 if all are leaves. */
static inline int pg_refer(pg_record *rec, const pg_edges *edges, size_t from, size_t to, pg_node *highest, int *ops)
{
    pg_node top = *highest;
    int flags = 0, any = 0;
    for (size_t i = from; i < to; i++) {
        pg_node operand = edges->operand[i];
        top = operand > top ? operand : top;
        any |= rec[operand].op;
        flags |= rec[operand].flags;
        rec[operand].refs++;
    }
    *highest = top;
    *ops = any;
    return flags;
}

/* Takes a slot above all operands and a reference to each; the block becomes the node's. */
static pg_result pg_attach_edges(pg_arena *arena, int op, double z, pg_edges *edges, int paired)
{
    pg_record *rec = arena->rec, record = {{{0, 0}}, 0, (uint8_t)op, 0, PG_LIST, 0};
    size_t first = paired ? edges->count / 2 : edges->count;
    pg_node highest = 0, node;
    int flags, ops_x, ops_y;
    flags = pg_refer(rec, edges, 0, first, &highest, &ops_x);
    flags |= pg_refer(rec, edges, first, edges->count, &highest, &ops_y);
    node = pg_take_slot(arena, highest);
    if (!node) {
        for (size_t i = 0; i < edges->count; i++) rec[edges->operand[i]].refs--;
        pg_deallocate(arena, edges);
        return PG_FULL;
    }
    record.flags |= flags & PG_KEEP;
    if (!ops_x) record.flags |= PG_SKIP_X;
    if (!ops_y) record.flags |= PG_SKIP_Y;
    record.of.edges = edges;
    arena->edge_bytes += edges->bytes;
    pg_fill_slot(arena, node, z, record);
    return record.flags & PG_KEEP ? node | PG_KEPT : node;
}

pg_result pg_record_list(pg_arena *arena, int op, size_t count, const pg_node *operands)
{
    double z;
    int error = pg_forward_list(arena->data, op, count, operands, &z);
    pg_edges *edges;
    if (error) return error;
    edges = pg_new_edges(arena, count, operands, NULL, NULL);
    return edges ? pg_attach_edges(arena, op, z, edges, pg_ops[op].kind == PG_PAIRED) : PG_NO_MEMORY;
}

pg_result pg_record_custom(pg_arena *arena, double data, size_t count, const pg_node *operands,
                           const double *local, const char *symbol)
{
    pg_edges *edges = pg_new_edges(arena, count, operands, local, symbol);
    pg_result result = edges ? pg_attach_edges(arena, PG_OP_custom, data, edges, 0) : PG_NO_MEMORY;
    if (result >= 0 && !local) {
        arena->rec[(pg_node)result].flags |= PG_KEEP;
        pg_set_host_step(arena, (pg_node)result, 1);
        result |= PG_KEPT;
    }
    return result;
}

/* See pg_restore. */
pg_result pg_record_copy(pg_arena *arena, int op, double data, double grad, size_t count, const pg_node *operands,
                         double k, int integral, const double *local, const char *symbol)
{
    pg_result node = PG_NO_MEMORY;
    pg_edges *edges;
    switch (pg_ops[op].kind) {
    case PG_LEAF: node = pg_record_leaf(arena, data); break;
    case PG_UNARY: node = pg_record_single(arena, op, operands[0], data); break;
    case PG_BINARY: node = pg_record_pair(arena, op, operands[0], operands[1], data, 0); break;
    case PG_SCALAR:
        node = pg_record_with_number(arena, op, operands[0], k, 0, data, integral ? PG_INTEGRAL : 0);
        break;
    case PG_CUSTOM: node = pg_record_custom(arena, data, count, operands, local, symbol); break;
    default:
        edges = pg_new_edges(arena, count, operands, NULL, NULL);
        if (edges) node = pg_attach_edges(arena, op, data, edges, pg_ops[op].kind == PG_PAIRED);
    }
    if (node > 0) arena->grad[(pg_node)node] = grad;
    return node;
}

const pg_node *pg_operand_list(pg_arena *arena, pg_node node, pg_node room[2], size_t *count)
{
    const pg_record *r = &arena->rec[node];
    if (r->flags & PG_LIST) {
        *count = r->of.edges->count;
        return r->of.edges->operand;
    }
    room[0] = r->of.at.x;
    room[1] = r->of.at.y;
    *count = (size_t)(room[0] != 0) + (room[1] != 0);
    return room;
}

void pg_set_host_step(pg_arena *arena, pg_node node, int on)
{
    pg_record *r = &arena->rec[node];
    int was = r->step == PG_HOST_STEP;
    r->step = on ? PG_HOST_STEP : r->op;
    if (r->op == PG_OP_leaf && was != on) {
        arena->hooked_leaves += on ? 1 : (uint64_t)-1;
        r->flags ^= PG_HOOKED;
    }
}

/* -- the public, locking face ------------------------------------------------------------------- */

#define PG_LOCKED(type, call)      \
    do {                           \
        type locked_result;        \
        pg_lock(arena);            \
        locked_result = call;      \
        pg_unlock(arena);          \
        return locked_result;      \
    } while (0)

pg_result pg_leaf(pg_arena *arena, double data)
{
    PG_LOCKED(pg_result, pg_record_leaf(arena, data));
}

pg_result pg_unary(pg_arena *arena, int op, pg_node x)
{
    PG_LOCKED(pg_result, pg_record_unary(arena, op, x));
}

pg_result pg_binary(pg_arena *arena, int op, pg_node x, pg_node y)
{
    PG_LOCKED(pg_result, pg_record_binary(arena, op, x, y));
}

pg_result pg_binary_right(pg_arena *arena, int op, pg_node x, double y)
{
    PG_LOCKED(pg_result, pg_record_constant(arena, op, x, y, 0, 0));
}

pg_result pg_binary_left(pg_arena *arena, int op, double x, pg_node y)
{
    PG_LOCKED(pg_result, pg_record_constant(arena, op, y, x, 1, 0));
}

pg_result pg_scalar(pg_arena *arena, int op, pg_node x, double k, int integral)
{
    PG_LOCKED(pg_result, pg_record_constant(arena, op, x, k, 0, integral ? PG_INTEGRAL : 0));
}

pg_result pg_nary(pg_arena *arena, int op, size_t count, const pg_node *operands)
{
    PG_LOCKED(pg_result, pg_record_list(arena, op, count, operands));
}

pg_result pg_custom(pg_arena *arena, double data, size_t count, const pg_node *operands, const double *local,
                    const char *symbol)
{
    PG_LOCKED(pg_result, pg_record_custom(arena, data, count, operands, local, symbol));
}

pg_result pg_restore(pg_arena *arena, int op, double data, double grad, size_t count, const pg_node *operands,
                     double k, int integral, const double *local, const char *symbol)
{
    PG_LOCKED(pg_result, pg_record_copy(arena, op, data, grad, count, operands, k, integral, local, symbol));
}

const double *pg_local(pg_arena *arena, pg_node node)
{
    PG_LOCKED(const double *, arena->rec[node].op == PG_OP_custom ? arena->rec[node].of.edges->local : NULL);
}

double pg_data(pg_arena *arena, pg_node node) { PG_LOCKED(double, arena->data[node]); }
double pg_grad(pg_arena *arena, pg_node node) { PG_LOCKED(double, arena->grad[node]); }
uint32_t pg_references(pg_arena *arena, pg_node node) { PG_LOCKED(uint32_t, arena->rec[node].refs); }
int pg_op_of(pg_arena *arena, pg_node node) { PG_LOCKED(int, arena->rec[node].op); }

void pg_set_data(pg_arena *arena, pg_node node, double data)
{
    pg_lock(arena);
    arena->data[node] = data;
    pg_unlock(arena);
}

void pg_set_grad(pg_arena *arena, pg_node node, double grad)
{
    pg_lock(arena);
    arena->grad[node] = grad;
    pg_unlock(arena);
}

static const char *pg_find_symbol(const pg_record *r)
{
    if (r->op == PG_OP_custom) return r->of.edges->symbol ? r->of.edges->symbol : "";
    return pg_ops[r->op].symbol;
}

const char *pg_symbol(pg_arena *arena, pg_node node)
{
    PG_LOCKED(const char *, pg_find_symbol(&arena->rec[node]));
}

double pg_scalar_of(pg_arena *arena, pg_node node, int *integral)
{
    double k;
    pg_lock(arena);
    k = arena->data[arena->rec[node].of.at.y];
    *integral = (arena->rec[node].flags & PG_INTEGRAL) != 0;
    pg_unlock(arena);
    return k;
}

size_t pg_operands(pg_arena *arena, pg_node node, size_t room, pg_node *operands)
{
    pg_node pair[2];
    const pg_node *list;
    size_t count;
    pg_lock(arena);
    list = pg_operand_list(arena, node, pair, &count);
    if (pg_ops[arena->rec[node].op].kind == PG_SCALAR) count = 1;   /* its number is not an operand */
    for (size_t i = 0; i < count && i < room; i++) operands[i] = list[i];
    pg_unlock(arena);
    return count;
}

void pg_keep(pg_arena *arena, pg_node node)
{
    pg_lock(arena);
    arena->rec[node].flags |= PG_KEEP;
    pg_unlock(arena);
}

void pg_label(pg_arena *arena, pg_node node)
{
    pg_lock(arena);
    arena->rec[node].flags |= PG_LABELLED;
    pg_unlock(arena);
}

void pg_host_step(pg_arena *arena, pg_node node, int on)
{
    pg_lock(arena);
    pg_set_host_step(arena, node, on != 0);
    pg_unlock(arena);
}
