/* A graph as a program. In two steps: instructions in the order of the graph, made better as they are emitted; then
 * those that are needed, grouped by depth and operation. */
#include "derive.h"

#include <string.h>

typedef struct lowering {
    const pg_graph *graph;
    pg_memory memory;
    int passes, failed;
    pg_vector code;                     /* pg_instruction: the inputs, then as emitted */
    uint32_t *table;                    /* of equal instructions: id + 1 at a place by hash, 0 where it is free */
    size_t mask;
} lowering;

#define CODE(l) ((pg_instruction *)(l)->code.items)

static void *take(const pg_memory *memory, size_t count, size_t element)
{
    void *block = count > SIZE_MAX / element - 1 ? NULL : memory->resize(memory->context, NULL, (count + 1) * element);
    if (block) memset(block, 0, (count + 1) * element);
    return block;
}

static void give(const pg_memory *memory, void *block)
{
    if (block) memory->resize(memory->context, block, 0);
}

/* -- equal instructions ---------------------------------------------------------------------------- */

static size_t place_of(const lowering *l, const pg_instruction *i)
{
    uint64_t hash = ((uint64_t)i->x << 32 | i->y) * 0x9E3779B97F4A7C15u;
    hash = (hash ^ hash >> 29 ^ i->w ^ (uint64_t)i->op << 48) * 0xBF58476D1CE4E5B9u;
    return (size_t)(hash >> 32 ^ hash >> 7) & l->mask;
}

static int make_table(lowering *l, size_t instructions)
{
    size_t size = 64;
    while (size < 2 * instructions) size *= 2;
    give(&l->memory, l->table);
    l->mask = size - 1;
    if (!(l->table = take(&l->memory, size, sizeof *l->table))) return 0;
    for (uint32_t id = 0; id < l->code.count; id++) {
        size_t place = place_of(l, &CODE(l)[id]);
        while (l->table[place]) place = (place + 1) & l->mask;
        l->table[place] = id + 1;
    }
    return 1;
}

/* The id of an instruction: that of an equal one, or a new one. */
static pg_id append(lowering *l, pg_instruction made)
{
    pg_instruction *place;
    size_t at = 0;
    if (l->failed) return 0;
    if (l->passes & PG_SHARE) {
        if (2 * l->code.count > l->mask && !make_table(l, 2 * l->code.count)) l->failed = 1;
        if (l->failed) return 0;
        for (at = place_of(l, &made); l->table[at]; at = (at + 1) & l->mask) {
            pg_instruction *other = &CODE(l)[l->table[at] - 1];
            if (other->op == made.op && other->x == made.x && other->y == made.y && other->w == made.w) {
                other->checked |= made.checked;
                return l->table[at] - 1;
            }
        }
    }
    if (!(place = pgi_extend(&l->memory, &l->code, 1, sizeof *place))) {
        l->failed = 1;
        return 0;
    }
    *place = made;
    if (l->passes & PG_SHARE) l->table[at] = (uint32_t)l->code.count;
    return (pg_id)(l->code.count - 1);
}

static pg_id number(lowering *l, double value)
{
    pg_instruction made = {.op = PG_OP_number};
    made.number = value;
    return append(l, made);
}

/* -- emission -------------------------------------------------------------------------------------- */

static int is_number(const lowering *l, pg_id id) { return CODE(l)[id].op == PG_OP_number; }

/* Whether it is that number; -0 is not 0. */
static int is(const lowering *l, pg_id id, double value)
{ return is_number(l, id) && CODE(l)[id].number == value && !signbit(CODE(l)[id].number) == !signbit(value); }

/* Whether 1 / value is exact: then division is multiplication by it. */
static int has_exact_inverse(double value)
{
    int exponent;
    return fabs(frexp(value, &exponent)) == 0.5 && exponent > -1000 && exponent < 1000;
}

#define PG_NONE UINT32_MAX
static pg_id emit(lowering *l, int op, pg_id x, pg_id y, pg_id w, int checked);

/* The id of what an instruction is the same as, to the bit; or else PG_NONE. */
static pg_id simpler(lowering *l, int op, pg_id x, pg_id y, pg_id w, int checked)
{
    const pg_instruction *i = CODE(l);
    switch (op) {
    case PG_OP_add:
        if (is(l, x, -0.0)) return y;
        if (is(l, y, -0.0)) return x;
        break;
    case PG_OP_sub:
        if (is(l, y, 0.0)) return x;
        break;
    case PG_OP_mul:
        if (is(l, x, 1.0)) return y;
        if (is(l, y, 1.0)) return x;
        if (is(l, x, -1.0)) return emit(l, PG_OP_neg, y, 0, 0, checked);
        if (is(l, y, -1.0)) return emit(l, PG_OP_neg, x, 0, 0, checked);
        break;
    case PG_OP_div:
        if (is(l, y, 1.0)) return x;
        if (is_number(l, y) && has_exact_inverse(i[y].number))
            return emit(l, PG_OP_mul, x, number(l, 1.0 / i[y].number), 0, checked);
        break;
    case PG_OP_neg:
        if (i[x].op == PG_OP_neg) return i[x].x;
        break;
    case PG_OP_gate:
        if (is(l, y, 1.0)) return x;
        if (is_number(l, y) && i[y].number == 0.0) return number(l, 0.0);
        break;
    case PG_OP_where:
        if (is_number(l, x)) return i[x].number != 0.0 ? y : w;
        if (y == w) return y;
        break;
    case PG_OP_pow:
    case PG_OP_pow_scalar:
        if (is(l, y, 1.0)) return x;
        if (is(l, y, 2.0) && !checked) return emit(l, PG_OP_mul, x, x, 0, 0);
        break;
    case PG_OP_pow_dx:
        if (is(l, y, 2.0)) return emit(l, PG_OP_mul, number(l, 2.0), x, 0, 0);
        if (is(l, y, 1.0)) return number(l, 1.0);
        if (is_number(l, y) && i[y].number == 0.0) return number(l, 0.0);
        break;
    }
    return PG_NONE;
}

static pg_id emit(lowering *l, int op, pg_id x, pg_id y, pg_id w, int checked)
{
    const int arity = pgi_arity(op);
    if (l->failed) return 0;
    if (l->passes & PG_FOLD && is_number(l, x) && (arity < 2 || is_number(l, y)) && (arity < 3 || is_number(l, w))) {
        double z;
        const int error = pgi_evaluate(op, CODE(l)[x].number, arity > 1 ? CODE(l)[y].number : 0.0,
                                       arity > 2 ? CODE(l)[w].number : 0.0, &z);
        if (!error || !checked) return number(l, z);
    }
    if (l->passes & PG_SIMPLIFY) {
        const pg_id same = simpler(l, op, x, y, w, checked);
        if (same != PG_NONE) return same;
    }
    if (l->passes & PG_SHARE && (op == PG_OP_add || op == PG_OP_mul) && x > y) {    /* they commute */
        const pg_id z = x;
        x = y;
        y = z;
    }
    return append(l, (pg_instruction){.op = (uint8_t)op, .x = x, .y = y, .w = w, .checked = (uint8_t)checked});
}

/* -- lists, written out in the order of the eager loops --------------------------------------------- */

/* `at` has the instructions of a graph's nodes. */
static pg_id emit_sum(lowering *l, const pg_id *x, pg_id count, const pg_id *at)
{
    pg_id total = number(l, 0.0);
    for (pg_id k = 0; k < count; k++) total = emit(l, PG_OP_add, total, at[x[k]], 0, 0);
    return total;
}

static pg_id emit_logsumexp(lowering *l, const pg_id *x, pg_id count, const pg_id *at)
{
    pg_id top = count ? at[x[0]] : number(l, -INFINITY), total = number(l, 0.0);
    for (pg_id k = 1; k < count; k++) top = emit(l, PG_OP_maximum, at[x[k]], top, 0, 0);
    for (pg_id k = 0; k < count; k++)
        total = emit(l, PG_OP_add, total, emit(l, PG_OP_exp_minus, at[x[k]], top, 0, 0), 0, 0);
    return emit(l, PG_OP_finish_logsumexp, top, total, 0, 0);
}

static pg_id emit_take(lowering *l, const pg_id *x, pg_id count, const pg_id *at)
{
    const pg_id last = count - 1, index = emit(l, PG_OP_index, at[x[last]], number(l, (double)last), 0, 1);
    pg_id taken = last ? at[x[0]] : number(l, NAN);
    for (pg_id k = 1; k < last; k++)
        taken = emit(l, PG_OP_where, emit(l, PG_OP_equal, index, number(l, (double)k), 0, 0), at[x[k]], taken, 0);
    return taken;
}

static pg_id emit_mean(lowering *l, const pg_id *x, pg_id count, const pg_id *at)
{ return emit(l, PG_OP_div, emit_sum(l, x, count, at), number(l, (double)count), 0, 0); }

static pg_id emit_dot(lowering *l, const pg_id *x, pg_id count, const pg_id *at)
{
    const pg_id *y = x + count / 2;
    pg_id total = number(l, 0.0);
    for (pg_id k = 0; k < count / 2; k++)
        total = emit(l, PG_OP_add, total, emit(l, PG_OP_mul, at[x[k]], at[y[k]], 0, 0), 0, 0);
    return total;
}

static pg_id emit_list(lowering *l, int op, const pg_id *x, pg_id count, const pg_id *at)
{
    switch (op) {
#define PG_OP_NARY(name, ...) \
    case PG_OP_##name: return emit_##name(l, x, count, at);
#define PG_OP_PAIRED PG_OP_NARY
#define PG_OP_INDEXED PG_OP_NARY
#include "ops.def"
    }
    return 0;
}

/* Instructions for all nodes that the outputs need, and which they are. */
static int emit_graph(lowering *l, uint8_t *needed, pg_id *at)
{
    const pg_graph *graph = l->graph;
    pg_id some[3];
    size_t n;
    for (size_t k = 0; k < graph->outputs.count; k++) needed[PG_IDS(graph->outputs)[k]] = 1;
    for (pg_id i = (pg_id)graph->nodes.count; i-- > graph->inputs;) {
        const pg_id *operands = pgi_graph_operands(graph, i, some, &n);
        for (size_t k = 0; needed[i] && k < n; k++) needed[operands[k]] = 1;
    }
    if (!pgi_extend(&l->memory, &l->code, graph->inputs, sizeof(pg_instruction))) return 0;
    for (pg_id i = 0; i < graph->inputs; i++) {
        CODE(l)[i] = (pg_instruction){.op = PG_OP_input, .x = i};
        at[i] = i;
    }
    if (l->passes & PG_SHARE && !make_table(l, graph->nodes.count)) return 0;
    for (pg_id i = graph->inputs; i < graph->nodes.count && !l->failed; i++) {
        const pg_instruction *r = &PG_NODES(graph)[i];
        if (!needed[i]) continue;
        if (r->op == PG_OP_number) at[i] = number(l, r->number);
        else if (pgi_takes_list(r->op)) at[i] = emit_list(l, r->op, PG_IDS(graph->lists) + r->x, r->y, at);
        else
            at[i] = emit(l, r->op, at[r->x], pgi_arity(r->op) > 1 ? at[r->y] : 0, pgi_arity(r->op) > 2 ? at[r->w] : 0,
                         r->checked);
    }
    return !l->failed;
}

/* -- a program of the instructions ------------------------------------------------------------------ */

/* Whether an operation has operands for which there is no value. */
static int can_fail(int op)
{
    switch (op) {
#define PG_OP_UNARY(name, special, symbol, formula, forward, dx, error) \
    case PG_OP_##name: return strcmp(#error, "PG_OK") != 0;
#define PG_OP_SCALAR PG_OP_UNARY
#define PG_OP_BINARY(name, special, symbol, formula, forward, dx, dy, error) \
    case PG_OP_##name: return strcmp(#error, "PG_OK") != 0;
#define PG_OP_HELPER2(name, forward, dx, dy, error) \
    case PG_OP_##name: return strcmp(#error, "PG_OK") != 0;
#include "ops.def"
    }
    return 0;
}

/* How often each instruction is used, by those that are needed; by an output as often as forbids to fuse it. What may
 * raise is needed where its result is not: a `where` of a number has lost what it does not choose. */
static void count_uses(const lowering *l, const pg_id *at, uint32_t *uses)
{
    memset(uses, 0, l->code.count * sizeof *uses);
    for (size_t k = 0; k < l->graph->outputs.count; k++) uses[at[PG_IDS(l->graph->outputs)[k]]] = 2;
    for (size_t i = l->code.count; i-- > 0;) {
        const pg_instruction *r = &CODE(l)[i];
        const int arity = uses[i] || (r->checked && can_fail(r->op)) ? pgi_arity(r->op) : 0;
        if (arity && !uses[i]) uses[i] = 1;
        if (arity > 0) uses[r->x]++;
        if (arity > 1) uses[r->y]++;
        if (arity > 2) uses[r->w]++;
    }
}

/* A product that a sum alone uses becomes a part of it: muladd rounds twice, as the two do. */
static void fuse(lowering *l, uint32_t *uses)
{
    for (size_t i = 0; i < l->code.count; i++) {
        pg_instruction *r = &CODE(l)[i];
        const pg_instruction *product;
        pg_id of, other;
        if (r->op != PG_OP_add || !uses[i]) continue;
        of = r->y, other = r->x;
        if (CODE(l)[of].op != PG_OP_mul || uses[of] != 1) of = r->x, other = r->y;
        product = &CODE(l)[of];
        if (product->op != PG_OP_mul || uses[of] != 1) continue;
        uses[of] = 0;
        *r = (pg_instruction){.op = PG_OP_muladd, .x = product->x, .y = product->y, .w = other};
    }
}

/* The depth of each instruction that is needed: 0 for inputs and numbers. Returns the largest. */
static uint32_t measure_depths(const lowering *l, const uint32_t *uses, uint32_t *depth)
{
    uint32_t deepest = 0, order = 0;
    for (size_t i = 0; i < l->code.count; i++) {
        const pg_instruction *r = &CODE(l)[i];
        const int arity = pgi_arity(r->op);
        uint32_t below = 0;
        depth[i] = 0;
        if (!arity || !uses[i]) continue;
        if (l->passes & PG_SCHEDULE) {
            below = depth[r->x];
            if (arity > 1 && depth[r->y] > below) below = depth[r->y];
            if (arity > 2 && depth[r->w] > below) below = depth[r->w];
        }
        else below = order++;
        depth[i] = below + 1;
        if (depth[i] > deepest) deepest = depth[i];
    }
    return deepest;
}

/* Sorts ids by key, those of equal keys staying in their order. `starts` has keys + 1 places. */
static void sort_by(const pg_id *ids, size_t count, pg_id *sorted, uint32_t *starts, size_t keys, const uint32_t *key)
{
    memset(starts, 0, (keys + 1) * sizeof *starts);
    for (size_t i = 0; i < count; i++) starts[key[ids[i]] + 1]++;
    for (size_t k = 0; k < keys; k++) starts[k + 1] += starts[k];
    for (size_t i = 0; i < count; i++) sorted[starts[key[ids[i]]]++] = ids[i];
}

static int lay_out(const lowering *l, pg_program *p, const pg_id *order, size_t count, const uint32_t *depth, pg_id *at)
{
    pg_id *registers = at;              /* of each instruction */
    pg_id next = (pg_id)p->numbers.count + p->inputs;
    for (size_t from = 0, to; from < count; from = to) {
        const pg_instruction *first = &CODE(l)[order[from]];
        const size_t arity = (size_t)pgi_arity(first->op);
        pg_run_of *run = pgi_extend(&p->memory, &p->runs, 1, sizeof *run);
        pg_id *operands;
        for (to = from; to < count; to++) {
            const pg_instruction *r = &CODE(l)[order[to]];
            if (r->op != first->op || r->checked != first->checked || depth[order[to]] != depth[order[from]]) break;
        }
        operands = pgi_extend(&p->memory, &p->operands, arity * (to - from), sizeof *operands);
        if (!run || !operands) return 0;
        *run = (pg_run_of){(uint32_t)(to - from), next, first->op, first->checked};
        for (size_t i = from; i < to; i++) {
            const pg_instruction *r = &CODE(l)[order[i]];
            *operands = registers[r->x];
            if (arity > 1) operands[to - from] = registers[r->y];
            if (arity > 2) operands[2 * (to - from)] = registers[r->w];
            operands++;
            registers[order[i]] = next++;
        }
    }
    p->registers = next;
    return 1;
}

/* Numbers and inputs get the first registers; the rest is sorted by depth, then by operation. */
static int schedule(lowering *l, pg_program *p, const pg_id *at, uint32_t *uses)
{
    const size_t size = l->code.count;
    const pg_memory *m = &l->memory;
    uint32_t *depth = take(m, size, sizeof *depth), *key = take(m, size, sizeof *key), deepest, *starts = NULL;
    pg_id *ids = take(m, size, sizeof *ids), *sorted = take(m, size, sizeof *sorted);
    size_t count = 0;
    int done = depth && key && ids && sorted;
    if (done) {
        deepest = measure_depths(l, uses, depth);
        done = (starts = take(m, (size_t)(deepest > 1024 ? deepest : 1024) + 1, sizeof *starts)) != NULL;
    }
    for (size_t i = 0; done && i < size; i++) {
        const pg_instruction *r = &CODE(l)[i];
        key[i] = (uint32_t)r->op * 2 + r->checked;
        if (depth[i]) ids[count++] = (pg_id)i;
        else if (r->op == PG_OP_number && uses[i]) {
            double *place = pgi_extend(&p->memory, &p->numbers, 1, sizeof *place);
            if (!(done = place != NULL)) break;
            *place = r->number;
        }
    }
    if (done) {
        pg_id numbers = 0, *registers = key;
        sort_by(ids, count, sorted, starts, 512, key);
        sort_by(sorted, count, ids, starts, (size_t)deepest + 1, depth);
        for (size_t i = 0; i < size; i++) {     /* the keys have served */
            const int op = CODE(l)[i].op;
            if (op == PG_OP_number && uses[i]) registers[i] = numbers++;
            else if (op == PG_OP_input) registers[i] = (pg_id)p->numbers.count + CODE(l)[i].x;
        }
        done = lay_out(l, p, ids, count, depth, registers);
        for (size_t k = 0; done && k < l->graph->outputs.count; k++)
            done = pgi_append(&p->memory, &p->outputs, registers[at[PG_IDS(l->graph->outputs)[k]]]);
    }
    give(m, depth), give(m, key), give(m, ids), give(m, sorted), give(m, starts);
    return done;
}

static pg_program *lower(const pg_graph *graph, int passes)
{
    lowering l = {.graph = graph, .memory = graph->memory, .passes = passes};
    const pg_memory *m = &l.memory;
    pg_program *p = take(m, 1, sizeof *p);
    uint8_t *needed = take(m, graph->nodes.count, 1);
    pg_id *at = take(m, graph->nodes.count, sizeof *at);
    uint32_t *uses = NULL;
    int done = p && needed && at && emit_graph(&l, needed, at);
    if (p) {
        p->memory = l.memory;
        p->inputs = graph->inputs;
    }
    if (done) done = (uses = take(m, l.code.count, sizeof *uses)) != NULL;
    if (done) {
        count_uses(&l, at, uses);
        if (passes & PG_FUSE) fuse(&l, uses);
        done = schedule(&l, p, at, uses);
    }
    give(m, needed), give(m, at), give(m, uses), give(m, l.table);
    pgi_forget(m, &l.code);
    if (!done) {
        pg_program_free(p);
        p = NULL;
    }
    return p;
}

pg_program *pg_compile(const pg_graph *graph, size_t count, const uint32_t *wanted, int passes)
{
    pg_graph *derived = NULL;
    pg_program *program;
    for (size_t k = 0; k < count; k++)
        if (wanted[k] >= graph->inputs) return NULL;
    if (count && !(derived = pgi_derive(graph, count, wanted))) return NULL;
    program = lower(derived ? derived : graph, passes);
    pg_graph_free(derived);
    return program;
}
