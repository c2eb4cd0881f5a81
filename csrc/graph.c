/* Graphs apart from any arena: memory, checks, what a file holds of one, and the error of a run. */
#include "graph.h"

#include <stdlib.h>
#include <string.h>

/* -- memory ------------------------------------------------------------------------------------- */

static void *reallocate(void *context, void *block, size_t size)
{
    (void)context;
    if (size) return realloc(block, size);
    free(block);
    return NULL;
}

int pgi_reserve(const pg_memory *memory, pg_vector *vector, size_t count, size_t element)
{
    const size_t needed = vector->count + count;
    size_t room = vector->room + vector->room / 2 + 8;
    void *items;
    if (room > PG_MOST) room = PG_MOST;
    if (room < needed) room = needed;
    if (needed < count || room > PG_MOST || room > SIZE_MAX / element) return 0;
    if (!(items = memory->resize(memory->context, vector->items, room * element))) return 0;
    vector->items = items;
    vector->room = room;
    return 1;
}

void pgi_forget(const pg_memory *memory, pg_vector *vector)
{
    pgi_give(memory, vector->items);
    memset(vector, 0, sizeof *vector);
}

pg_graph *pgi_graph_new(const pg_memory *memory)
{
    const pg_memory own = memory->resize ? *memory : (pg_memory){reallocate, NULL};
    pg_graph *graph = own.resize(own.context, NULL, sizeof *graph);
    if (!graph) return NULL;
    memset(graph, 0, sizeof *graph);
    graph->memory = own;
    return graph;
}

void pg_graph_free(pg_graph *graph)
{
    if (!graph) return;
    pgi_forget(&graph->memory, &graph->nodes);
    pgi_forget(&graph->memory, &graph->lists);
    pgi_forget(&graph->memory, &graph->outputs);
    pgi_forget(&graph->memory, &graph->sources);
    graph->memory.resize(graph->memory.context, graph, 0);
}

/* -- looking at one ------------------------------------------------------------------------------- */

uint32_t pg_graph_inputs(const pg_graph *graph) { return graph->inputs; }
const pg_node *pg_graph_sources(const pg_graph *graph) { return graph->sources.items; }

pg_graph_size pg_graph_measure(const pg_graph *graph)
{
    pg_graph_size size = {graph->nodes.count, 0, 0, graph->outputs.count};
    for (pg_id i = 0; i < graph->nodes.count; i++) {
        const int op = PG_NODES(graph)[i].op;
        pg_id some[3];
        size_t count;
        pgi_graph_operands(graph, i, some, &count);
        size.operands += count + (size_t)pgi_takes_list(op);
        size.numbers += op == PG_OP_number;
    }
    return size;
}

void pg_graph_write(const pg_graph *graph, uint8_t *ops, uint32_t *operands, double *numbers, uint32_t *outputs)
{
    for (pg_id i = 0; i < graph->nodes.count; i++) {
        const pg_instruction *r = &PG_NODES(graph)[i];
        pg_id some[3];
        size_t count;
        const pg_id *list = pgi_graph_operands(graph, i, some, &count);
        ops[i] = r->op;
        if (r->op == PG_OP_number) *numbers++ = r->number;
        if (pgi_takes_list(r->op)) *operands++ = (uint32_t)count;
        for (size_t k = 0; k < count; k++) *operands++ = list[k];
    }
    if (graph->outputs.count) memcpy(outputs, graph->outputs.items, graph->outputs.count * sizeof *outputs);
}

int pgi_empty_status(int op)
{
    const pg_node none = 0;
    double data = 0.0, z;
    return pgi_forward_list(op, &data, 0, &none, &z);
}

/* -- one from a file ------------------------------------------------------------------------------ */

typedef struct reader {
    const uint32_t *operands;
    const double *numbers;
    size_t operands_left, numbers_left;
} reader;

/* Reads a node. PG_BAD_NODE for an operand that does not precede it, PG_BAD_COUNT where operands or numbers are missing
 * or are not as many as the operation takes. */
static int read_node(pg_graph *graph, reader *from, int op)
{
    const pg_id id = (pg_id)graph->nodes.count;
    const int is_list = op < PG_OP_ALL && pgi_takes_list(op), arity = op < PG_OP_ALL ? pgi_arity(op) : 0;
    pg_instruction *r = pgi_extend(&graph->memory, &graph->nodes, 1, sizeof *r);
    pg_id *list, count = (pg_id)arity;
    if (!r) return PG_NO_MEMORY;
    *r = (pg_instruction){.op = (uint8_t)op, .checked = 1};
    if (op == PG_OP_input) {
        if (graph->inputs++ != id) return PG_BAD_OP;    /* inputs come first */
        return PG_OK;
    }
    if (op == PG_OP_number) {
        if (!from->numbers_left--) return PG_BAD_COUNT;
        r->number = *from->numbers++;
        return PG_OK;
    }
    if (op >= PG_OP_COUNT || (!is_list && !arity)) return PG_BAD_OP;
    if (is_list) {
        if (!from->operands_left--) return PG_BAD_COUNT;
        count = *from->operands++;
        if ((pg_op(op)->kind == PG_PAIRED && count % 2) || (pg_op(op)->kind == PG_INDEXED && !count))
            return PG_BAD_COUNT;
        if (!count && pgi_empty_status(op)) return PG_BAD_COUNT;
    }
    if (from->operands_left < count) return PG_BAD_COUNT;
    for (pg_id k = 0; k < count; k++)
        if (from->operands[k] >= id) return PG_BAD_NODE;
    if (is_list) {
        r->x = (pg_id)graph->lists.count, r->y = count;
        if (!(list = pgi_extend(&graph->memory, &graph->lists, count, sizeof *list))) return PG_NO_MEMORY;
        if (count) memcpy(list, from->operands, count * sizeof *list);
    }
    else {
        r->x = from->operands[0];
        if (arity > 1) r->y = from->operands[1];
        if (arity > 2) r->w = from->operands[2];
        if (pg_op(op)->kind == PG_SCALAR && PG_NODES(graph)[r->y].op != PG_OP_number) return PG_BAD_NODE;
    }
    if (count) from->operands += count;
    from->operands_left -= count;
    return PG_OK;
}

int pgi_graph_read(const pg_memory *memory, const pg_graph_size *size, const uint8_t *ops, const uint32_t *operands,
                   const double *numbers, const uint32_t *outputs, pg_graph **graph)
{
    reader from = {operands, numbers, size->operands, size->numbers};
    int status = PG_OK;
    pg_graph *g = *graph = pgi_graph_new(memory);
    if (!g) return PG_NO_MEMORY;
    for (size_t i = 0; !status && i < size->nodes; i++) status = read_node(g, &from, ops[i]);
    if (!status && (from.operands_left || from.numbers_left)) status = PG_BAD_COUNT;
    for (size_t k = 0; !status && k < size->outputs; k++) {
        if (outputs[k] >= g->nodes.count) status = PG_BAD_NODE;
        else if (!pgi_append(&g->memory, &g->outputs, outputs[k])) status = PG_NO_MEMORY;
    }
    if (status) {
        pg_graph_free(g);
        *graph = NULL;
    }
    return status;
}

int pg_graph_read(const pg_graph_size *size, const uint8_t *ops, const uint32_t *operands, const double *numbers,
                  const uint32_t *outputs, pg_graph **graph)
{ return pgi_graph_read(&(pg_memory){NULL, NULL}, size, ops, operands, numbers, outputs, graph); }

/* -- the error of a run --------------------------------------------------------------------------- */

int pg_graph_error(const pg_graph *graph, const double *inputs, uint32_t *node)
{
    const pg_memory *memory = &graph->memory;
    double *data = pgi_take(memory, graph->nodes.count, sizeof *data);
    int status = data ? PG_OK : PG_NO_MEMORY;
    *node = 0;
    for (pg_id i = 0; !status && i < graph->nodes.count; i++) {
        const pg_instruction *r = &PG_NODES(graph)[i];
        *node = i;
        if (r->op == PG_OP_input) data[i] = inputs[i];
        else if (r->op == PG_OP_number) data[i] = r->number;
        else {
            pg_id some[3] = {0, 0, 0};
            size_t count;
            const pg_id *x = pgi_graph_operands(graph, i, some, &count);
            status = pgi_takes_list(r->op) ? pgi_forward_list(r->op, data, count, x, &data[i])
                                           : pgi_evaluate(r->op, data[x[0]], count > 1 ? data[x[1]] : 0.0,
                                                          count > 2 ? data[x[2]] : 0.0, &data[i]);
            if (!r->checked) status = PG_OK;
        }
    }
    pgi_give(memory, data);
    return status;
}
