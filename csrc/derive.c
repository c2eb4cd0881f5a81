/* The reverse pass as a graph: for each node, from its end, what it contributes to its operands' adjoints, by the op
 * table's partials. */
#include "derive.h"

#include <string.h>

#define PG_NONE UINT32_MAX              /* no adjoint: nothing has reached the node */

typedef struct deriver {
    pg_graph *graph;
    pg_id *adjoint;                     /* for each node of the graph that is derived */
    uint8_t *active;                    /* whether a wanted input is below it */
    pg_id zero, one;                    /* the numbers */
    int failed;                         /* for want of memory */
} deriver;

/* -- emission ------------------------------------------------------------------------------------- */

static pg_id emit(deriver *d, pg_instruction instruction)
{
    pg_graph *graph = d->graph;
    pg_instruction *place = pgi_extend(&graph->memory, &graph->nodes, 1, sizeof *place);
    if (!place) {
        d->failed = 1;
        return 0;
    }
    *place = instruction;
    return (pg_id)(graph->nodes.count - 1);
}

static pg_id number(deriver *d, double value)
{
    if (value == 0.0) return d->zero;
    if (value == 1.0) return d->one;
    return emit(d, (pg_instruction){.op = PG_OP_number, .number = value});
}

/* ops.def's partials as nodes. */
#define PG_WORD0(value) number(d, value)
#define PG_WORD1(name, a) emit(d, (pg_instruction){.op = PG_OP_##name, .x = (a)})
#define PG_WORD2(name, a, b) emit(d, (pg_instruction){.op = PG_OP_##name, .x = (a), .y = (b)})
#define PG_WORD3(name, a, b, c) emit(d, (pg_instruction){.op = PG_OP_##name, .x = (a), .y = (b), .w = (c)})

/* Adds adjoint times partial to an operand's adjoint. `gated`: what was not chosen gets nothing. */
static void contribute(deriver *d, pg_id operand, pg_id adjoint, pg_id partial, int gated)
{
    pg_id *sum = &d->adjoint[operand], term;
    if (partial == d->zero) return;
    if (partial == d->one) term = adjoint;
    else if (gated) term = GATE(adjoint, partial);
    else term = MUL(adjoint, partial);
    *sum = *sum == PG_NONE ? term : ADD(*sum, term);
}

/* -- one node's chain rule ------------------------------------------------------------------------- */

static void reverse_list(deriver *d, int op, pg_id z, pg_id g, pg_id first, pg_id count)
{
    (void)z;
#define OPERAND(k) PG_IDS(d->graph->lists)[first + (k)]
    switch (op) {
#define PG_OP_NARY(name, special, symbol, formula, forward, dx, error) \
    case PG_OP_##name: { \
        const pg_id n = number(d, (double)count); \
        (void)n; \
        for (pg_id k = 0; k < count; k++) { \
            const pg_id x = OPERAND(k); \
            if (d->active[x]) contribute(d, x, g, dx, 0); \
        } \
        break; \
    }
#define PG_OP_PAIRED(name, special, symbol, formula, forward, dx, dy, error) \
    case PG_OP_##name: \
        for (pg_id k = 0; k < count / 2; k++) { \
            const pg_id x = OPERAND(k), y = OPERAND(count / 2 + k); \
            if (d->active[x]) contribute(d, x, g, dx, 0); \
            if (d->active[y]) contribute(d, y, g, dy, 0); \
        } \
        break;
#define PG_OP_INDEXED(name, special, symbol, formula, forward, dx, error) \
    case PG_OP_##name: { \
        const pg_id y = OPERAND(count - 1), n = number(d, (double)(count - 1)); \
        for (pg_id k = 0; k + 1 < count; k++) { \
            const pg_id x = OPERAND(k), i = number(d, (double)k); \
            if (d->active[x]) contribute(d, x, g, dx, 1); \
        } \
        break; \
    }
#include "ops.def"
    }
#undef OPERAND
}

static void reverse(deriver *d, pg_id z)
{
    const pg_instruction r = PG_NODES(d->graph)[z];     /* a copy, as the nodes move */
    const pg_id g = d->adjoint[z], x = r.x, y = r.y, w = r.w;
    const int op = r.op;
    if (pgi_takes_list(op)) {
        reverse_list(d, op, z, g, r.x, r.y);
        return;
    }
    (void)w;
    switch (op) {
#define PG_OP_UNARY(name, special, symbol, formula, forward, dx, error) PG_OP_HELPER1(name, forward, dx)
#define PG_OP_SCALAR PG_OP_UNARY
#define PG_OP_BINARY(name, special, symbol, formula, forward, dx, dy, error) PG_OP_HELPER2(name, forward, dx, dy, error)
#define PG_OP_TERNARY(name, special, symbol, formula, forward, dy, dw, error) \
    case PG_OP_##name: \
        if (d->active[y]) contribute(d, y, g, dy, 1); \
        if (d->active[w]) contribute(d, w, g, dw, 1); \
        break;
#define PG_OP_HELPER1(name, forward, dx) \
    case PG_OP_##name: \
        if (d->active[x]) contribute(d, x, g, dx, 0); \
        break;
#define PG_OP_HELPER2(name, forward, dx, dy, error) \
    case PG_OP_##name: \
        if (d->active[x]) contribute(d, x, g, dx, 0); \
        if (d->active[y]) contribute(d, y, g, dy, 0); \
        break;
#define PG_OP_HELPER3(name, forward, dx, dy, dw) \
    case PG_OP_##name: \
        if (d->active[x]) contribute(d, x, g, dx, 0); \
        if (d->active[y]) contribute(d, y, g, dy, 0); \
        if (d->active[w]) contribute(d, w, g, dw, 0); \
        break;
#include "ops.def"
    }
}

/* -- the whole ------------------------------------------------------------------------------------ */

static pg_graph *copy(const pg_graph *graph)
{
    pg_graph *made = pgi_graph_new(&graph->memory);
    pg_instruction *nodes;
    pg_id *lists, *outputs;
    if (!made) return NULL;
    nodes = pgi_extend(&made->memory, &made->nodes, graph->nodes.count, sizeof *nodes);
    lists = pgi_extend(&made->memory, &made->lists, graph->lists.count, sizeof *lists);
    outputs = pgi_extend(&made->memory, &made->outputs, graph->outputs.count, sizeof *outputs);
    if (!nodes || !lists || !outputs) {
        pg_graph_free(made);
        return NULL;
    }
    if (graph->nodes.count) memcpy(nodes, graph->nodes.items, graph->nodes.count * sizeof *nodes);
    if (graph->lists.count) memcpy(lists, graph->lists.items, graph->lists.count * sizeof *lists);
    if (graph->outputs.count) memcpy(outputs, graph->outputs.items, graph->outputs.count * sizeof *outputs);
    made->inputs = graph->inputs;
    return made;
}

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

pg_graph *pgi_derive(const pg_graph *graph, size_t count, const uint32_t *wanted)
{
    const size_t size = graph->nodes.count, outputs = graph->outputs.count;
    const pg_memory *memory = &graph->memory;
    deriver d = {copy(graph),
                 memory->resize(memory->context, NULL, (size + 1) * sizeof(pg_id)),
                 memory->resize(memory->context, NULL, size + 1),
                 0,
                 0,
                 0};
    if (!d.graph || !d.adjoint || !d.active) d.failed = 1;
    else {
        mark_active(graph, count, wanted, d.active);
        d.zero = emit(&d, (pg_instruction){.op = PG_OP_number, .number = 0.0});
        d.one = emit(&d, (pg_instruction){.op = PG_OP_number, .number = 1.0});
    }
    for (size_t k = 0; !d.failed && k < outputs; k++) {
        const pg_id output = PG_IDS(graph->outputs)[k];
        for (size_t i = 0; i < size; i++) d.adjoint[i] = PG_NONE;
        d.adjoint[output] = d.one;
        for (pg_id z = output + 1; !d.failed && z-- > graph->inputs;)
            if (d.adjoint[z] != PG_NONE && d.active[z]) reverse(&d, z);
        for (size_t i = 0; !d.failed && i < count; i++) {
            const pg_id adjoint = d.adjoint[wanted[i]];
            if (!pgi_append(memory, &d.graph->outputs, adjoint == PG_NONE ? d.zero : adjoint)) d.failed = 1;
        }
    }
    if (d.adjoint) memory->resize(memory->context, d.adjoint, 0);
    if (d.active) memory->resize(memory->context, d.active, 0);
    if (d.failed) {
        pg_graph_free(d.graph);
        d.graph = NULL;
    }
    return d.graph;
}
