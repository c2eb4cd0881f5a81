/* Instructions as they are emitted: numbers are folded, what is the same is made once. */
#include "emit.h"

#include <string.h>

/* -- equal instructions ---------------------------------------------------------------------------- */

/* The place of an instruction in the table: near those of others with operands as recent, so that the processor's
 * nearest cache has the places that are looked at. */
static size_t place_of(const pg_instruction *i)
{
    const uint64_t all = ((uint64_t)i->x << 32 | i->y) ^ (uint64_t)i->w << 16 ^ (uint64_t)i->op << 24;
    const size_t hash = (size_t)(all * 0x9E3779B97F4A7C15u >> 40);
    return i->op == PG_OP_number ? hash : (i->x > i->y ? i->x : i->y) + hash % PG_NEAR;
}

/* The id of an instruction: that of an equal one, or a new one. Of two instructions with one place in the table the
 * later is remembered, so that it needs no more room and no search; an equal one is lost now and then in large graphs. */
static pg_id append(pg_emitter *e, pg_instruction made)
{
    const pg_id id = (pg_id)e->code.count;
    pg_instruction *place;
    if (e->failed) return 0;
    if (e->passes & PG_SHARE) {
        pg_id *seen = &e->seen[place_of(&made) & e->mask];
        pg_instruction *other = &CODE(e)[*seen];
        if (other->x == made.x && other->y == made.y && other->w == made.w && other->op == made.op) {
            other->checked |= made.checked;
            return *seen;
        }
        *seen = id;
    }
    if (!(place = pgi_extend(&e->memory, &e->code, 1, sizeof *place))) {
        e->failed = 1;
        return 0;
    }
    *place = made;
    return id;
}

pg_id pgi_emit_number(pg_emitter *e, double value)
{
    pg_instruction made = {.op = PG_OP_number};
    made.number = value;
    return append(e, made);
}

/* -- emission -------------------------------------------------------------------------------------- */

static int is_number(const pg_emitter *e, pg_id id) { return CODE(e)[id].op == PG_OP_number; }

/* Whether it is that number; -0 is not 0. */
static int is(const pg_emitter *e, pg_id id, double value)
{ return is_number(e, id) && CODE(e)[id].number == value && !signbit(CODE(e)[id].number) == !signbit(value); }

/* Whether 1 / value is exact: then division is multiplication by it. */
static int has_exact_inverse(double value)
{
    int exponent;
    return fabs(frexp(value, &exponent)) == 0.5 && exponent > -1000 && exponent < 1000;
}

/* The id of what an instruction is the same as, to the bit; or else PG_NONE. */
static PG_NOINLINE pg_id simpler(pg_emitter *e, int op, pg_id x, pg_id y, pg_id w, int checked)
{
    const pg_instruction *i = CODE(e);
    switch (op) {
    case PG_OP_add:
        if (is(e, x, -0.0)) return y;
        if (is(e, y, -0.0)) return x;
        break;
    case PG_OP_sub:
        if (is(e, y, 0.0)) return x;
        break;
    case PG_OP_mul:
        if (is(e, x, 1.0)) return y;
        if (is(e, y, 1.0)) return x;
        if (is(e, x, -1.0)) return pgi_emit(e, PG_OP_neg, y, 0, 0, checked);
        if (is(e, y, -1.0)) return pgi_emit(e, PG_OP_neg, x, 0, 0, checked);
        break;
    case PG_OP_div:
        if (is(e, y, 1.0)) return x;
        if (is_number(e, y) && has_exact_inverse(i[y].number))
            return pgi_emit(e, PG_OP_mul, x, pgi_emit_number(e, 1.0 / i[y].number), 0, checked);
        break;
    case PG_OP_neg:
        if (i[x].op == PG_OP_neg) return i[x].x;
        break;
    case PG_OP_gate:
        if (is(e, y, 1.0)) return x;
        if (is_number(e, y) && i[y].number == 0.0) return pgi_emit_number(e, 0.0);
        break;
    case PG_OP_where:
        if (is_number(e, x)) return i[x].number != 0.0 ? y : w;
        if (y == w) return y;
        break;
    case PG_OP_exp_minus: return pgi_emit(e, PG_OP_exp, pgi_emit(e, PG_OP_sub, x, y, 0, 0), 0, 0, checked);
    case PG_OP_pow:
    case PG_OP_pow_scalar:
        if (is(e, y, 1.0)) return x;
        if (is(e, y, 2.0)) return pgi_emit(e, checked ? PG_OP_squared : PG_OP_mul, x, x, 0, checked);
        break;
    case PG_OP_pow_dx:
        if (is(e, y, 2.0)) return pgi_emit(e, PG_OP_mul, pgi_emit_number(e, 2.0), x, 0, 0);
        if (is(e, y, 1.0)) return pgi_emit_number(e, 1.0);
        if (is_number(e, y) && i[y].number == 0.0) return pgi_emit_number(e, 0.0);
        break;
    }
    return PG_NONE;
}

pg_id pgi_emit(pg_emitter *e, int op, pg_id x, pg_id y, pg_id w, int checked)
{
    const int arity = pgi_arity(op);
    const int numbers = is_number(e, x) + (arity > 1 && is_number(e, y)) + (arity > 2 && is_number(e, w));
    if (e->failed) return 0;
    if (e->passes & PG_FOLD && numbers == arity) {
        double z;
        const int error = pgi_evaluate(op, CODE(e)[x].number, arity > 1 ? CODE(e)[y].number : 0.0,
                                       arity > 2 ? CODE(e)[w].number : 0.0, &z);
        if (!error || !checked) return pgi_emit_number(e, z);
    }
    if (e->passes & PG_SIMPLIFY && (numbers || op == PG_OP_neg || op == PG_OP_where || op == PG_OP_exp_minus)) {
        const pg_id same = simpler(e, op, x, y, w, checked);
        if (same != PG_NONE) return same;
    }
    if (e->passes & PG_SHARE && (op == PG_OP_add || op == PG_OP_mul) && x > y) {    /* they commute */
        const pg_id z = x;
        x = y;
        y = z;
    }
    return append(e, (pg_instruction){.op = (uint8_t)op, .x = x, .y = y, .w = w, .checked = (uint8_t)checked});
}

/* -- its memory ------------------------------------------------------------------------------------ */

int pgi_emitter_begin(pg_emitter *e, const pg_graph *graph, pg_id inputs, int passes)
{
    const pg_memory *m = &graph->memory;
    pg_instruction *code;
    size_t places = 64;
    while (places < 2 * graph->nodes.count && places < PG_MOST_SEEN) places *= 2;
    memset(e, 0, sizeof *e);
    e->memory = *m;
    e->passes = passes;
    e->mask = places - 1;
    e->seen = pgi_take(m, places, sizeof *e->seen);
    if (!e->seen || !pgi_reserve(m, &e->code, 3 * graph->nodes.count, sizeof *code)) return 0;
    code = e->code.items;
    code[0] = (pg_instruction){.op = PG_OP_leaf};   /* where there are no inputs, and equal to none */
    if (!(code = pgi_extend(m, &e->code, inputs, sizeof *code))) return 0;
    memset(e->seen, 0, places * sizeof *e->seen);
    for (pg_id i = 0; i < inputs; i++) code[i] = (pg_instruction){.op = PG_OP_input, .x = i};
    return 1;
}

void pgi_emitter_close(pg_emitter *e)
{
    pgi_give(&e->memory, e->seen);
    e->seen = NULL;
}

void pgi_emitter_end(pg_emitter *e)
{
    pgi_emitter_close(e);
    pgi_forget(&e->memory, &e->code);
}
