/* Instructions as a program: those that are needed, products fused with sums, grouped by depth and operation. */
#include "schedule.h"

#include <string.h>

/* How often each instruction is used, by those that are needed; by an output as often as forbids to fuse it. What may
 * raise is needed where its result is not: a `where` of a number has lost what it does not choose. */
static void count_uses(const pg_emitter *e, const pg_vector *outputs, uint32_t *uses)
{
    memset(uses, 0, e->code.count * sizeof *uses);
    for (size_t k = 0; k < outputs->count; k++) uses[PG_IDS(*outputs)[k]] = 2;
    for (size_t i = e->code.count; i-- > 0;) {
        const pg_instruction *r = &CODE(e)[i];
        const int arity = uses[i] || (r->checked && pgi_can_fail(r->op)) ? pgi_arity(r->op) : 0;
        if (arity && !uses[i]) uses[i] = 1;
        if (arity > 0) uses[r->x]++;
        if (arity > 1) uses[r->y]++;
        if (arity > 2) uses[r->w]++;
    }
}

/* A product that a sum alone uses becomes a part of it: muladd rounds twice, as the two do. Not one that is the same in
 * all rows. */
static void fuse(pg_emitter *e, const uint8_t *varies, uint32_t *uses)
{
    for (size_t i = 0; i < e->code.count; i++) {
        pg_instruction *r = &CODE(e)[i];
        const pg_instruction *product;
        pg_id of, other;
        if (r->op != PG_OP_add || !uses[i]) continue;
        of = r->y, other = r->x;
        if (CODE(e)[of].op != PG_OP_mul || uses[of] != 1) of = r->x, other = r->y;
        product = &CODE(e)[of];
        if (product->op != PG_OP_mul || uses[of] != 1 || varies[of] != varies[i]) continue;
        uses[of] = 0;
        *r = (pg_instruction){.op = PG_OP_muladd, .x = product->x, .y = product->y, .w = other};
    }
}

enum { PG_KINDS = PG_OP_ALL << 4 };

/* Bit k: operand k of an instruction that varies does not. */
static uint32_t steady_operands(const pg_instruction *r, const uint8_t *varies)
{
    const int arity = pgi_arity(r->op);
    return (arity > 0 && !varies[r->x]) | (uint32_t)(arity > 1 && !varies[r->y]) << 1 |
           (uint32_t)(arity > 2 && !varies[r->w]) << 2;
}

/* Of an instruction: those of one depth and kind are one run. */
static uint32_t kind_of(const pg_instruction *code, pg_id i, const uint8_t *varies)
{
    const pg_instruction *r = &code[i];
    return (uint32_t)r->op << 4 | (varies[i] ? steady_operands(r, varies) << 1 : 0) | r->checked;
}

/* Raises `deepest` to the depth of what varies, or of what does not, among the instructions that are needed, and counts
 * these by kind. Inputs and numbers have depth 0. */
static uint32_t measure_part(const pg_emitter *e, const uint32_t *uses, const uint8_t *varies, int varying,
                             uint32_t deepest, uint32_t *depth, uint32_t *kinds)
{
    const uint32_t least = deepest;
    for (pg_id i = 0; i < e->code.count; i++) {
        const pg_instruction *r = &CODE(e)[i];
        const int arity = pgi_arity(r->op);
        uint32_t below = least;
        if (varies[i] != varying) continue;
        depth[i] = 0;
        if (!arity || !uses[i]) continue;
        if (e->passes & PG_SCHEDULE) {
            if (depth[r->x] > below) below = depth[r->x];
            if (arity > 1 && depth[r->y] > below) below = depth[r->y];
            if (arity > 2 && depth[r->w] > below) below = depth[r->w];
        }
        else below = deepest;           /* as emitted, each in a run of its own */
        depth[i] = below + 1;
        kinds[kind_of(CODE(e), i, varies)]++;
        if (depth[i] > deepest) deepest = depth[i];
    }
    return deepest;
}

/* -- order ---------------------------------------------------------------------------------------- */

/* Turns counts into where each begins, and returns their sum. */
static uint32_t sum_up(uint32_t *starts, size_t count)
{
    uint32_t total = 0;
    for (size_t i = 0; i < count; i++) {
        const uint32_t its = starts[i];
        starts[i] = total;
        total += its;
    }
    return total;
}

/* Sorts the instructions that have a depth by it, and those of one depth by kind, in the order of emission. Returns how
 * many there are. `starts` has a place for each depth, and `kinds` says how many there are of each kind. */
static size_t sort(const pg_emitter *e, const uint8_t *varies, const uint32_t *depth, uint32_t deepest,
                   uint32_t *starts, uint32_t *kinds, pg_id *some, pg_id *sorted)
{
    const pg_instruction *code = CODE(e);
    const size_t count = sum_up(kinds, PG_KINDS);
    memset(starts, 0, ((size_t)deepest + 1) * sizeof *starts);
    for (pg_id i = 0; i < e->code.count; i++) {
        if (!depth[i]) continue;
        some[kinds[kind_of(code, i, varies)]++] = i;
        starts[depth[i]]++;
    }
    sum_up(starts, (size_t)deepest + 1);
    for (size_t i = 0; i < count; i++) sorted[starts[depth[some[i]]]++] = some[i];
    return count;
}

/* Gives numbers and inputs their registers, the first ones. */
static int place_leaves(const pg_emitter *e, pg_program *p, const uint32_t *uses, pg_id *registers)
{
    pg_id count = 0;
    for (size_t i = 0; i < e->code.count; i++) {
        const pg_instruction *r = &CODE(e)[i];
        double *place;
        if (r->op != PG_OP_number || !uses[i]) continue;
        if (!(place = pgi_extend(&p->memory, &p->numbers, 1, sizeof *place))) return 0;
        *place = r->number;
        registers[i] = count++;
    }
    for (pg_id i = 0; i < p->inputs; i++) registers[i] = count + i;
    return 1;
}

/* Of an instruction that is placed: the register of an operand. */
static pg_id register_of(const pg_instruction *r, int operand, const pg_id *registers)
{ return registers[operand == 0 ? r->x : operand == 1 ? r->y : r->w]; }

typedef struct placing {
    const pg_instruction *code;
    const uint8_t *varies;
    const uint32_t *depth;
    pg_program *program;
    pg_id *sorted, *registers;
} placing;

/* The distance between an operand of one instruction and of the next. */
static uint32_t stride(const placing *p, size_t i, int operand)
{
    return register_of(&p->code[p->sorted[i + 1]], operand, p->registers) -
           register_of(&p->code[p->sorted[i]], operand, p->registers);
}

/* How many instructions from there on have their operands at constant distances. */
static size_t count_strided(const placing *p, size_t from, size_t to)
{
    const int arity = pgi_arity(p->code[p->sorted[from]].op);
    uint32_t strides[3];
    size_t i = from + 1;
    if (i == to) return 1;
    for (int k = 0; k < arity; k++) strides[k] = stride(p, from, k);
    for (; i + 1 < to; i++)
        for (int k = 0; k < arity; k++)
            if (stride(p, i, k) != strides[k]) return i + 1 - from;
    return to - from;
}

/* Writes where a run's instructions find their operands, each by its register. */
static void write_indices(const placing *p, size_t from, size_t to, int arity, pg_id *operands)
{
    for (size_t i = from; i < to; i++)
        for (int k = 0; k < arity; k++)
            *(operands + (size_t)k * (to - from) + i - from) = register_of(&p->code[p->sorted[i]], k, p->registers);
}

/* Adds a run to the part `once`. The answer is 0 without memory. */
static int add_run(const placing *p, size_t from, size_t to, int pattern)
{
    const size_t n = to - from, words = pattern == PG_BY_INDEX ? n : 2;
    const pg_memory *m = &p->program->memory;
    pg_part *once = &p->program->once;
    const pg_instruction *first;
    pg_run_of *run;
    pg_id *operands;
    int arity;
    if (!n) return 1;                   /* and there may be no instruction at `from` */
    first = &p->code[p->sorted[from]];
    arity = pgi_arity(first->op);
    run = pgi_extend(m, &once->runs, 1, sizeof *run);
    operands = pgi_extend(m, &once->operands, (size_t)arity * words, sizeof *operands);
    if (!run || !operands) return 0;
    if (pattern != PG_BY_INDEX) {
        uint32_t strides[3] = {1, 1, 1};
        for (int k = 0; k < arity; k++) {
            operands[2 * k] = register_of(first, k, p->registers);
            operands[2 * k + 1] = strides[k] = stride(p, from, k);
        }
        if (strides[0] == 1 && strides[1] == 1 && strides[2] == 1) pattern = PG_ALL_NEXT;
        if (strides[0] == 1 && strides[1] == 0 && strides[2] == 1) pattern = PG_Y_STAYS;
        if (arity > 1 && strides[0] == 0 && strides[1] == 1 && strides[2] == 1) pattern = PG_X_STAYS;
    }
    else write_indices(p, from, to, arity, operands);
    *run = (pg_run_of){(uint32_t)n, p->registers[p->sorted[from]], first->op, first->checked, (uint8_t)pattern};
    return 1;
}

/* Adds a run to the part `each`, whose registers are counted from its own first one. */
static int add_run_of_lanes(const placing *p, size_t from, size_t to)
{
    const size_t n = to - from;
    const pg_memory *m = &p->program->memory;
    pg_part *each = &p->program->each;
    const pg_id base = p->program->once.registers, first = p->sorted[from];
    const pg_instruction *r = &p->code[first];
    const int arity = pgi_arity(r->op);
    const uint32_t steady = steady_operands(r, p->varies);
    pg_run_of *run = pgi_extend(m, &each->runs, 1, sizeof *run);
    pg_id *operands = pgi_extend(m, &each->operands, (size_t)arity * n, sizeof *operands);
    if (!run || !operands) return 0;
    write_indices(p, from, to, arity, operands);
    for (size_t i = 0; i < (size_t)arity * n; i++)
        if (!(steady >> (i / n) & 1)) operands[i] -= base;
    *run = (pg_run_of){(uint32_t)n, p->registers[first] - base, r->op, r->checked, (uint8_t)steady};
    return 1;
}

/* The reverse pass meets what it writes to from the end: such instructions are turned round, so that their operands'
 * registers go up. */
static void turn(const placing *p, size_t from, size_t to)
{
    int64_t rising = 0;
    for (size_t i = from; i + 1 < to; i++) {
        const int32_t step = (int32_t)stride(p, i, 0);
        rising += (step > 0) - (step < 0);
    }
    for (size_t i = from, j = to; rising < 0 && i + 1 < j; i++) {
        const pg_id id = p->sorted[i];
        p->sorted[i] = p->sorted[--j];
        p->sorted[j] = id;
    }
}

enum { PG_SHORT = 8 };                  /* fewer are not worth a run of their own */

/* Makes runs of sorted instructions of one depth and kind, in their registers. */
static int make_runs(const placing *p, size_t from, size_t to)
{
    size_t waiting = from;              /* for a run by index */
    for (size_t i = from, n; i < to; i += n) {
        n = count_strided(p, i, to);
        if (n < PG_SHORT) n = n > 2 ? n - 1 : 1;        /* the last may begin a longer one */
        else {
            if (!add_run(p, waiting, i, PG_BY_INDEX) || !add_run(p, i, i + n, PG_BY_STRIDE)) return 0;
            waiting = i + n;
        }
    }
    return add_run(p, waiting, to, PG_BY_INDEX);
}

/* Gives the sorted instructions registers, and makes the program's parts of them. */
static int make_parts(const placing *p, size_t count)
{
    pg_program *program = p->program;
    pg_id next = (pg_id)program->numbers.count + program->inputs;
    int in_lanes = 0;
    for (size_t from = 0, to; from <= count; from = to) {
        const pg_id first = p->sorted[from];
        if (!in_lanes && (from == count || p->varies[first])) {
            program->once.registers = next;
            for (size_t k = 0; k < program->columns.count; k++) p->registers[PG_IDS(program->columns)[k]] = next++;
            in_lanes = 1;
        }
        if (from == count) break;
        for (to = from; to < count; to++)
            if (kind_of(p->code, p->sorted[to], p->varies) != kind_of(p->code, first, p->varies) ||
                p->depth[p->sorted[to]] != p->depth[first])
                break;
        if (!in_lanes) turn(p, from, to);
        for (size_t i = from; i < to; i++) p->registers[p->sorted[i]] = next++;
        if (!(in_lanes ? add_run_of_lanes(p, from, to) : make_runs(p, from, to))) return 0;
    }
    program->each.registers = next - program->once.registers;
    return 1;
}

/* Which instructions depend on a column, an input that differs from row to row. */
static void mark_varying(const pg_emitter *e, const pg_vector *columns, uint8_t *varies)
{
    memset(varies, 0, e->code.count);
    if (!columns->count) return;
    for (size_t k = 0; k < columns->count; k++) varies[PG_IDS(*columns)[k]] = 1;
    for (size_t i = 0; i < e->code.count; i++) {
        const pg_instruction *r = &CODE(e)[i];
        const int arity = pgi_arity(r->op);
        varies[i] |= (arity > 0 && varies[r->x]) | (arity > 1 && varies[r->y]) | (arity > 2 && varies[r->w]);
    }
}

/* Makes outputs that vary sums over the rows: instructions that add to their own result, which stays from row to row. */
static int accumulate(pg_emitter *e, pg_vector *outputs, uint8_t *varies)
{
    for (size_t k = 0; k < outputs->count; k++) {
        const pg_id output = PG_IDS(*outputs)[k], sum = (pg_id)e->code.count;
        pg_instruction *r;
        if (!varies[output]) continue;
        if (!(r = pgi_extend(&e->memory, &e->code, 1, sizeof *r))) return 0;
        *r = (pg_instruction){.op = PG_OP_add, .x = output, .y = sum};
        varies[sum] = 1;
        PG_IDS(*outputs)[k] = sum;
    }
    return 1;
}

int pgi_schedule(pg_emitter *e, pg_vector *outputs, pg_program *p)
{
    const size_t size = e->code.count + outputs->count;     /* accumulate adds no more */
    const pg_memory *m = &e->memory;
    uint32_t *uses = pgi_take(m, size, sizeof *uses), *depth = pgi_take(m, size, sizeof *depth), *starts = NULL;
    pg_id *some = pgi_take(m, size, sizeof *some), *sorted = pgi_take(m, size, sizeof *sorted), *registers = some;
    uint8_t *varies = pgi_take(m, size, 1);
    int done = uses && depth && some && sorted && varies;
    if (done) {
        mark_varying(e, &p->columns, varies);
        done = !p->reduced || accumulate(e, outputs, varies);
    }
    if (done) {
        uint32_t deepest, kinds[PG_KINDS];
        count_uses(e, outputs, uses);
        if (e->passes & PG_FUSE) fuse(e, varies, uses);
        memset(kinds, 0, sizeof kinds);
        deepest = measure_part(e, uses, varies, 0, 0, depth, kinds);
        if (p->columns.count) deepest = measure_part(e, uses, varies, 1, deepest, depth, kinds);
        if ((done = (starts = pgi_take(m, deepest, sizeof *starts)) != NULL)) {
            const size_t count = sort(e, varies, depth, deepest, starts, kinds, some, sorted);
            sorted[count] = 0;          /* which is looked at, and not used */
            done = place_leaves(e, p, uses, registers) &&
                   make_parts(&(placing){CODE(e), varies, depth, p, sorted, registers}, count);
        }
    }
    for (size_t k = 0; done && k < outputs->count; k++)
        done = pgi_append(&p->memory, &p->outputs, registers[PG_IDS(*outputs)[k]]);
    pgi_give(m, uses), pgi_give(m, depth), pgi_give(m, starts), pgi_give(m, some), pgi_give(m, sorted),
        pgi_give(m, varies);
    return done;
}
