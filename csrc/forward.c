/* A graph's values as instructions. */
#include "forward.h"

#include <string.h>

/* -- lists, written out in the order of the eager loops --------------------------------------------- */

/* `at` has the instructions of a graph's nodes. */
static pg_id emit_sum(pg_emitter *e, const pg_id *x, pg_id count, const pg_id *at)
{
    pg_id total = pgi_emit_number(e, 0.0);
    for (pg_id k = 0; k < count; k++) total = pgi_emit(e, PG_OP_add, total, at[x[k]], 0, 0);
    return total;
}

static pg_id emit_logsumexp(pg_emitter *e, const pg_id *x, pg_id count, const pg_id *at)
{
    pg_id top = count ? at[x[0]] : pgi_emit_number(e, -INFINITY), total = pgi_emit_number(e, 0.0);
    for (pg_id k = 1; k < count; k++) top = pgi_emit(e, PG_OP_maximum, at[x[k]], top, 0, 0);
    for (pg_id k = 0; k < count; k++)
        total = pgi_emit(e, PG_OP_add, total, pgi_emit(e, PG_OP_exp_minus, at[x[k]], top, 0, 0), 0, 0);
    return pgi_emit(e, PG_OP_finish_logsumexp, top, total, 0, 0);
}

static pg_id emit_take(pg_emitter *e, const pg_id *x, pg_id count, const pg_id *at)
{
    const pg_id last = count - 1, index = pgi_emit(e, PG_OP_index, at[x[last]], pgi_emit_number(e, (double)last), 0, 1);
    pg_id taken = last ? at[x[0]] : pgi_emit_number(e, NAN);
    for (pg_id k = 1; k < last; k++)
        taken = pgi_emit(e, PG_OP_where, pgi_emit(e, PG_OP_equal, index, pgi_emit_number(e, (double)k), 0, 0), at[x[k]],
                         taken, 0);
    return taken;
}

static pg_id emit_mean(pg_emitter *e, const pg_id *x, pg_id count, const pg_id *at)
{ return pgi_emit(e, PG_OP_div, emit_sum(e, x, count, at), pgi_emit_number(e, (double)count), 0, 0); }

static pg_id emit_dot(pg_emitter *e, const pg_id *x, pg_id count, const pg_id *at)
{
    const pg_id *y = x + count / 2;
    pg_id total = pgi_emit_number(e, 0.0);
    for (pg_id k = 0; k < count / 2; k++)
        total = pgi_emit(e, PG_OP_add, total, pgi_emit(e, PG_OP_mul, at[x[k]], at[y[k]], 0, 0), 0, 0);
    return total;
}

static pg_id emit_list(pg_emitter *e, int op, const pg_id *x, pg_id count, const pg_id *at)
{
    switch (op) {
#define PG_OP_NARY(name, ...) \
    case PG_OP_##name: return emit_##name(e, x, count, at);
#define PG_OP_PAIRED PG_OP_NARY
#define PG_OP_INDEXED PG_OP_NARY
#include "ops.def"
    }
    return 0;
}

int pgi_emit_graph(pg_emitter *e, const pg_graph *graph, pg_id *at)
{
    uint8_t *needed = pgi_take(&e->memory, graph->nodes.count, 1);
    pg_id some[3];
    size_t n;
    if (!needed) return 0;
    memset(needed, 0, graph->nodes.count);
    for (size_t k = 0; k < graph->outputs.count; k++) needed[PG_IDS(graph->outputs)[k]] = 1;
    for (pg_id i = (pg_id)graph->nodes.count; i-- > graph->inputs;) {
        const pg_id *operands = pgi_graph_operands(graph, i, some, &n);
        needed[i] |= PG_NODES(graph)[i].checked && pgi_can_fail(PG_NODES(graph)[i].op);     /* it may raise */
        for (size_t k = 0; needed[i] && k < n; k++) needed[operands[k]] = 1;
    }
    for (pg_id i = 0; i < graph->inputs; i++) at[i] = i;
    for (pg_id i = graph->inputs; i < graph->nodes.count && !e->failed; i++) {
        const pg_instruction *r = &PG_NODES(graph)[i];
        const int arity = pgi_arity(r->op);
        if (!needed[i]) at[i] = PG_NONE;
        else if (r->op == PG_OP_number) at[i] = pgi_emit_number(e, r->number);
        else if (pgi_takes_list(r->op)) at[i] = emit_list(e, r->op, PG_IDS(graph->lists) + r->x, r->y, at);
        else at[i] = pgi_emit(e, r->op, at[r->x], arity > 1 ? at[r->y] : 0, arity > 2 ? at[r->w] : 0, r->checked);
    }
    pgi_give(&e->memory, needed);
    return !e->failed;
}
