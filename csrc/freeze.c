/* From the arena to a graph, and the traces that say what was there before. */
#include "freeze.h"

/* -- traces ---------------------------------------------------------------------------------------- */

int pgi_begin_trace(pg_arena *arena)
{
    if (arena->era == UINT8_MAX) {
        if (arena->traces) return 0;
        for (uint64_t n = 0; n < arena->slots.top; n++) arena->nodes[n].era = 0;
        arena->era = 0;
    }
    arena->traces++;
    return ++arena->era;
}

void pgi_end_trace(pg_arena *arena)
{
    if (arena->traces) arena->traces--;
}

int pgi_depends(pg_arena *arena, pg_node node, int era)
{
    pg_pass *pass = pgi_pass_take(arena);
    int older = 0;
    if (!pass) return PG_NO_MEMORY;
    pgi_bits_add(&pass->marks, node);
    for (uint64_t word_index, word; pgi_bits_take_last(&pass->marks, &word_index, &word);) {
        while (word) {
            const unsigned bit = pgi_highest(word);
            const pg_node n = (pg_node)(word_index << 6 | bit);
            pg_node pair[2];
            size_t count;
            const pg_node *operands = pgi_edges_of(arena, n, pair, &count);
            word ^= (uint64_t)1 << bit;
            if (arena->nodes[n].era < era) older = 1;
            for (size_t i = 0; !older && i < count; i++) {
                if (operands[i] >> 6 == word_index) word |= (uint64_t)1 << (operands[i] & 63);
                else pgi_bits_add(&pass->marks, operands[i]);
            }
        }
    }
    pgi_pass_give(pass);
    return older;
}

/* -- freezing -------------------------------------------------------------------------------------- */

static const uint32_t INPUT = (uint32_t)1 << 31;    /* in the map: the rest is the input's place */

typedef struct freezer {
    pg_arena *arena;
    pg_graph *graph;
    uint32_t *map;                      /* for each node: how often the graph uses it, then its id in the graph */
    pg_vector found;                    /* pg_node: reached, highest first */
    int era;
} freezer;

static int is_boundary(const freezer *f, pg_node n)
{
    const pg_record *r = &f->arena->nodes[n];
    if (f->era) return r->era < f->era;
    return r->op == PG_OP_leaf && !(r->flags & PG_NUMBER);
}

/* Collects what the outputs reach, without going below inputs and the boundary. */
static int collect(freezer *f, size_t outputs, const pg_node *output)
{
    pg_arena *arena = f->arena;
    pg_pass *pass = pgi_pass_take(arena);
    int status = PG_OK;
    if (!pass) return PG_NO_MEMORY;
    for (size_t k = 0; k < outputs; k++) pgi_bits_add(&pass->marks, output[k]);
    for (uint64_t word_index, word; pgi_bits_take_last(&pass->marks, &word_index, &word);) {
        while (word) {
            const unsigned bit = pgi_highest(word);
            const pg_node n = (pg_node)(word_index << 6 | bit);
            const pg_record *r = &arena->nodes[n];
            pg_node pair[2], *place;
            size_t count;
            const pg_node *operands = pgi_edges_of(arena, n, pair, &count);
            word ^= (uint64_t)1 << bit;
            if (status || f->map[n] & INPUT) continue;
            if (!(place = pgi_extend(&f->graph->memory, &f->found, 1, sizeof *place))) {
                status = PG_NO_MEMORY;
                continue;
            }
            *place = n;
            if (is_boundary(f, n)) continue;
            if (r->step == PG_EXTERNAL || r->op == PG_OP_custom) status = PG_NO_FORMULA;
            for (size_t i = 0; !status && i < count; i++) {
                if (!(f->map[operands[i]] & INPUT)) f->map[operands[i]]++;
                if (operands[i] >> 6 == word_index) word |= (uint64_t)1 << (operands[i] & 63);
                else pgi_bits_add(&pass->marks, operands[i]);
            }
        }
    }
    pgi_pass_give(pass);
    return status;
}

/* Whether a node that was reached is an input. So is a leaf of the trace that somebody else holds: it was made by the
 * function to be kept, as a parameter that is made when first needed. */
static int is_source(const freezer *f, pg_node n)
{
    const pg_record *r = &f->arena->nodes[n];
    return is_boundary(f, n) || (f->era && r->op == PG_OP_leaf && r->refs > f->map[n]);
}

static int add_source(freezer *f, pg_node n)
{
    pg_instruction *r = pgi_extend(&f->graph->memory, &f->graph->nodes, 1, sizeof *r);
    if (!r || !pgi_append(&f->graph->memory, &f->graph->sources, n)) return PG_NO_MEMORY;
    *r = (pg_instruction){.op = PG_OP_input};
    f->map[n] = INPUT | f->graph->inputs++;
    return PG_OK;
}

static int add_node(freezer *f, pg_node n)
{
    const pg_record *r = &f->arena->nodes[n];
    pg_graph *g = f->graph;
    pg_instruction *made = pgi_extend(&g->memory, &g->nodes, 1, sizeof *made);
    pg_id *list;
    if (!made) return PG_NO_MEMORY;
    *made = (pg_instruction){.op = r->op, .checked = 1};
    if (r->op == PG_OP_leaf) {
        made->op = PG_OP_number;
        made->number = f->arena->data[n];
    }
    else if (!(r->flags & PG_LIST)) {
        made->x = f->map[r->x] & ~INPUT;
        if (r->y) made->y = f->map[r->y] & ~INPUT;
    }
    else if (pg_op(r->op)->kind == PG_TERNARY) {
        made->x = f->map[r->edges->operand[0]] & ~INPUT;
        made->y = f->map[r->edges->operand[1]] & ~INPUT;
        made->w = f->map[r->edges->operand[2]] & ~INPUT;
    }
    else {
        const int status = r->edges->count ? PG_OK : pgi_empty_status(r->op);
        if (status) return status;      /* such a node was restored; it can't be recorded */
        made->x = (pg_id)g->lists.count;
        made->y = (pg_id)r->edges->count;
        if (!(list = pgi_extend(&g->memory, &g->lists, r->edges->count, sizeof *list))) return PG_NO_MEMORY;
        for (size_t i = 0; i < r->edges->count; i++) list[i] = f->map[r->edges->operand[i]] & ~INPUT;
    }
    f->map[n] = (uint32_t)(g->nodes.count - 1);
    return PG_OK;
}

int pgi_freeze(pg_arena *arena, size_t outputs, const pg_node *output, size_t inputs, const pg_node *input, int era,
               pg_graph **graph)
{
    const pg_memory memory = {arena->resize, arena->context};
    freezer f = {arena,
                 pgi_graph_new(&memory),
                 pgi_allocate(arena, NULL, arena->slots.top * sizeof(uint32_t)),
                 {NULL, 0, 0},
                 era};
    const pg_node *found;
    int status = f.graph && f.map ? PG_OK : PG_NO_MEMORY;
    if (!status) memset(f.map, 0, arena->slots.top * sizeof *f.map);
    for (size_t k = 0; !status && k < inputs; k++) status = add_source(&f, input[k]);
    if (!status) status = collect(&f, outputs, output);
    found = f.found.items;
    for (size_t k = f.found.count; !status && k-- > 0;)
        if (is_source(&f, found[k])) status = add_source(&f, found[k]);
    for (size_t k = f.found.count; !status && k-- > 0;)
        if (!(f.map[found[k]] & INPUT)) status = add_node(&f, found[k]);
    for (size_t k = 0; !status && k < outputs; k++)
        if (!pgi_append(&memory, &f.graph->outputs, f.map[output[k]] & ~INPUT)) status = PG_NO_MEMORY;
    pgi_forget(&memory, &f.found);
    pgi_deallocate(arena, f.map);
    if (status) pg_graph_free(f.graph);
    *graph = status ? NULL : f.graph;
    return status;
}

/* -- numbers in and out ----------------------------------------------------------------------------- */

void pgi_gather(const pg_arena *arena, size_t count, const pg_node *nodes, double *data)
{
    for (size_t i = 0; i < count; i++) data[i] = arena->data[nodes[i]];
}

void pgi_scatter(pg_arena *arena, size_t count, const pg_node *nodes, const double *grads)
{
    for (size_t i = 0; i < count; i++) arena->grad[nodes[i]] += grads[i];
}
