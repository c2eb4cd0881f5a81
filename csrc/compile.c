/* From a graph to a program, or to the graph of its derivatives: instructions are emitted, and scheduled. */
#include "derive.h"
#include "forward.h"
#include "schedule.h"

/* Emits a graph's values and derivatives, and collects the instructions of those that are results. */
static int emit_all(pg_emitter *e, const pg_graph *graph, size_t count, const uint32_t *wanted, int how,
                    pg_vector *outputs)
{
    const pg_memory *m = &graph->memory;
    pg_id *at = pgi_take(m, graph->nodes.count, sizeof *at);
    int done = at && pgi_emit_graph(e, graph, at);
    for (size_t k = 0; done && how & PG_WITH_VALUES && k < graph->outputs.count; k++)
        done = pgi_append(m, outputs, at[PG_IDS(graph->outputs)[k]]);
    if (done && (count || how & PG_TANGENTS))
        done = pgi_derive(e, graph, at, count, wanted, how & PG_TANGENTS, outputs);
    pgi_give(m, at);
    pgi_emitter_close(e);               /* what is scheduled has its room */
    return done;
}

static int are_inputs(const pg_graph *graph, size_t count, const uint32_t *wanted)
{
    for (size_t k = 0; k < count; k++)
        if (wanted[k] >= graph->inputs) return 0;
    return 1;
}

pg_program *pg_compile_rows(const pg_graph *graph, size_t count, const uint32_t *wanted, const uint8_t *by_row,
                            int reduced, int passes)
{
    const pg_memory *m = &graph->memory;
    pg_program *p = are_inputs(graph, count, wanted) ? m->resize(m->context, NULL, sizeof *p) : NULL;
    pg_vector outputs = {NULL, 0, 0};
    pg_emitter e;
    int done = 1;
    if (!p) return NULL;
    *p = (pg_program){.memory = *m, .inputs = graph->inputs, .reduced = reduced};
    p->values = (pg_id)graph->outputs.count - graph->derivatives;
    for (pg_id i = 0; done && by_row && i < graph->inputs; i++)
        if (by_row[i]) done = pgi_append(m, &p->columns, i);
    if (!pgi_emitter_begin(&e, graph, graph->inputs, passes) || !done ||
        !emit_all(&e, graph, count, wanted, PG_WITH_VALUES, &outputs) || !pgi_schedule(&e, &outputs, p)) {
        pg_program_free(p);
        p = NULL;
    }
    pgi_emitter_end(&e);
    pgi_forget(m, &outputs);
    return p;
}

pg_program *pg_compile(const pg_graph *graph, size_t count, const uint32_t *wanted, int passes)
{ return pg_compile_rows(graph, count, wanted, NULL, 0, passes); }

pg_graph *pg_derive(const pg_graph *graph, size_t count, const uint32_t *wanted, int how)
{
    const size_t inputs = graph->inputs + (how & PG_TANGENTS ? count : 0);
    const int fits = inputs < PG_NONE && are_inputs(graph, count, wanted);
    pg_graph *derived = fits ? pgi_graph_new(&graph->memory) : NULL;
    pg_emitter e;
    if (!derived) return NULL;
    derived->inputs = (pg_id)inputs;
    if (pgi_emitter_begin(&e, graph, (pg_id)inputs, PG_ALL_PASSES) &&
        emit_all(&e, graph, count, wanted, how, &derived->outputs)) {
        derived->nodes = e.code;            /* instructions are nodes of a graph */
        derived->derivatives = (pg_id)derived->outputs.count;
        if (how & PG_WITH_VALUES) derived->derivatives -= (pg_id)graph->outputs.count - graph->derivatives;
        e.code = (pg_vector){NULL, 0, 0};
    }
    else {
        pg_graph_free(derived);
        derived = NULL;
    }
    pgi_emitter_end(&e);
    return derived;
}
