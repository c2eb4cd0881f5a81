/* Derivatives as instructions, by the op table's partials. In reverse: for each node, from the last, what it contributes to
 * its operands' adjoints. Forward: for each node, from the first, what its operands' tangents contribute to its own. */
#include "derive.h"

#include <string.h>

typedef struct deriver {
    pg_emitter *e;
    const pg_graph *graph;
    const pg_id *at; /* the instruction of each node */
    pg_id *adjoint; /* that of its adjoint, or tangent; PG_NONE where nothing has reached the node */
    uint8_t *active; /* whether a wanted input is below it */
    pg_id zero, one; /* the numbers */
    int forward; /* whether tangents are taken, not adjoints */
} deriver;

static pg_id number(deriver *d, double value)
{ return value == 0.0 ? d->zero : value == 1.0 ? d->one : pgi_emit_number(d->e, value); }

/* ops.def's partials as instructions. */
#define PG_WORD0(value) number(d, value)
#define PG_WORD1(name, a) pgi_emit(d->e, PG_OP_##name, a, 0, 0, 0)
#define PG_WORD2(name, a, b) pgi_emit(d->e, PG_OP_##name, a, b, 0, 0)
#define PG_WORD3(name, a, b, c) pgi_emit(d->e, PG_OP_##name, a, b, c, 0)

/* Adds the adjoint of a node z times a partial to the adjoint of an operand; forward, the operand's tangent times the partial
 * to that of z. `gated`: what was not chosen gets nothing. */
static void contribute(deriver *d, pg_id z, pg_id operand, pg_id partial, int gated)
{
    const pg_id from = d->adjoint[d->forward ? operand : z];
    pg_id *sum = &d->adjoint[d->forward ? z : operand], term;
    if (partial == d->zero || from == PG_NONE) return;
    if (partial == d->one) term = from;
    else if (gated) term = GATE(from, partial);
    else term = MUL(from, partial);
    *sum = *sum == PG_NONE ? term : ADD(*sum, term);
}

/* -- one node's chain rule -------------------------------------------------------------------------
 *
 * a, b, c are its operands, nodes; x, y, w and z the instructions of these and of its value. */

static void differentiate_list(deriver *d, int op, pg_id node, const pg_id *list, pg_id count)
{
    const pg_id half = count / 2, last = count - 1, z = d->at[node];
    (void)z;
    switch (op) {
#define PG_OP_NARY(name, special, symbol, formula, forward, dx, error) \
    case PG_OP_##name: { \
        const pg_id n = number(d, (double)count); \
        (void)n; \
        for (pg_id k = 0; k < count; k++) { \
            const pg_id x = d->at[list[k]]; \
            (void)x; \
            if (d->active[list[k]]) contribute(d, node, list[k], dx, 0); \
        } \
        break; \
    }
#define PG_OP_PAIRED(name, special, symbol, formula, forward, dx, dy, error) \
    case PG_OP_##name: \
        for (pg_id k = 0; k < half; k++) { \
            const pg_id a = list[k], b = list[half + k], x = d->at[a], y = d->at[b]; \
            if (d->active[a]) contribute(d, node, a, dx, 0); \
            if (d->active[b]) contribute(d, node, b, dy, 0); \
        } \
        break;
#define PG_OP_INDEXED(name, special, symbol, formula, forward, dx, error) \
    case PG_OP_##name: { \
        const pg_id y = d->at[list[last]], n = number(d, (double)last); \
        for (pg_id k = 0; k < last; k++) { \
            const pg_id i = number(d, (double)k); \
            if (d->active[list[k]]) contribute(d, node, list[k], dx, 1); \
        } \
        break; \
    }
#include "ops.def"
    }
}

static void differentiate(deriver *d, pg_id node)
{
    const pg_instruction *r = &PG_NODES(d->graph)[node];
    const pg_id a = r->x, b = r->y, c = r->w, z = d->at[node];
    const int op = r->op, arity = pgi_arity(op);
    pg_id x, y, w;
    if (pgi_takes_list(op)) {
        differentiate_list(d, op, node, PG_IDS(d->graph->lists) + r->x, r->y);
        return;
    }
    x = d->at[a];
    y = arity > 1 ? d->at[b] : 0;
    w = arity > 2 ? d->at[c] : 0;
    (void)w; /* no partial needs it now */
    switch (op) {
#define PG_OP_UNARY(name, special, symbol, formula, forward, dx, error) PG_OP_HELPER1(name, forward, dx)
#define PG_OP_SCALAR PG_OP_UNARY
#define PG_OP_BINARY(name, special, symbol, formula, forward, dx, dy, error) PG_OP_HELPER2(name, forward, dx, dy, error)
#define PG_OP_TERNARY(name, special, symbol, formula, forward, dy, dw, error) \
    case PG_OP_##name: \
        if (d->active[b]) contribute(d, node, b, dy, 1); \
        if (d->active[c]) contribute(d, node, c, dw, 1); \
        break;
#define PG_OP_HELPER1(name, forward, dx) \
    case PG_OP_##name: \
        if (d->active[a]) contribute(d, node, a, dx, 0); \
        break;
#define PG_OP_HELPER2(name, forward, dx, dy, error) \
    case PG_OP_##name: \
        if (d->active[a]) contribute(d, node, a, dx, 0); \
        if (d->active[b]) contribute(d, node, b, dy, 0); \
        break;
#define PG_OP_HELPER3(name, forward, dx, dy, dw) \
    case PG_OP_##name: \
        if (d->active[a]) contribute(d, node, a, dx, 0); \
        if (d->active[b]) contribute(d, node, b, dy, 0); \
        if (d->active[c]) contribute(d, node, c, dw, 0); \
        break;
#include "ops.def"
    }
}

/* -- the whole ------------------------------------------------------------------------------------ */

static void mark_active(const pg_graph *graph, size_t count, const uint32_t *wanted, uint8_t *active)
{
    memset(active, 0, graph->nodes.count);
    for (size_t k = 0; k < count; k++) active[wanted[k]] = 1;
    for (pg_id i = graph->inputs; i < graph->nodes.count; i++) {
        pg_id some[3];
        size_t n;
        const pg_id *operands = pgi_graph_operands(graph, i, some, &n);
        for (size_t k = 0; k < n; k++) active[i] |= active[operands[k]];
    }
}

/* The adjoints of the wanted inputs, for one output. */
static void reverse(deriver *d, size_t count, const uint32_t *wanted, pg_id output)
{
    for (pg_id i = 0; i <= output; i++) d->adjoint[i] = PG_NONE;
    for (size_t i = 0; i < count; i++) d->adjoint[wanted[i]] = PG_NONE;
    d->adjoint[output] = d->one;
    for (pg_id z = output + 1; !d->e->failed && z-- > d->graph->inputs;)
        if (d->adjoint[z] != PG_NONE && d->active[z]) differentiate(d, z);
}

/* The tangents of all nodes, where those of the wanted inputs are inputs that come after the graph's. */
static void go_forward(deriver *d, size_t count, const uint32_t *wanted)
{
    const pg_id inputs = d->graph->inputs;
    for (pg_id i = 0; i < d->graph->nodes.count; i++) d->adjoint[i] = PG_NONE;
    for (size_t i = 0; i < count; i++) {
        pg_id *tangent = &d->adjoint[wanted[i]];
        const pg_id its = inputs + (pg_id)i;
        *tangent = *tangent == PG_NONE ? its : ADD(*tangent, its); /* an input may be wanted twice */
    }
    for (pg_id z = inputs; !d->e->failed && z < d->graph->nodes.count; z++)
        if (d->active[z] && d->at[z] != PG_NONE) differentiate(d, z); /* what no output needs has no instruction */
}

static int append_derivative(const deriver *d, pg_id node, pg_vector *outputs)
{
    const pg_id found = d->adjoint[node];
    return !d->e->failed && pgi_append(&d->e->memory, outputs, found == PG_NONE ? d->zero : found);
}

int pgi_derive(pg_emitter *e, const pg_graph *graph, const pg_id *at, size_t count, const uint32_t *wanted, int forward,
               pg_vector *outputs)
{
    const size_t size = graph->nodes.count;
    const pg_memory *m = &e->memory;
    deriver d = {e, graph, at, NULL, NULL, pgi_emit_number(e, 0.0), pgi_emit_number(e, 1.0), forward};
    int done = (d.adjoint = pgi_take(m, size, sizeof *d.adjoint)) && (d.active = pgi_take(m, size, 1));
    if (done) mark_active(graph, count, wanted, d.active);
    if (done && forward) go_forward(&d, count, wanted);
    for (size_t k = 0; done && k < graph->outputs.count; k++) {
        const pg_id output = PG_IDS(graph->outputs)[k];
        if (forward) done = append_derivative(&d, output, outputs);
        else {
            reverse(&d, count, wanted, output);
            for (size_t i = 0; done && i < count; i++) done = append_derivative(&d, wanted[i], outputs);
        }
    }
    pgi_give(m, d.adjoint), pgi_give(m, d.active);
    return done && !e->failed;
}
