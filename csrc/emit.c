/* Instructions as they are emitted: numbers are folded, what is the same is made once. */
#include "emit.h"

#include <string.h>

/* -- equal instructions ---------------------------------------------------------------------------- */

enum { PG_LOOKS = 32 };

static int is_same(const pg_instruction *a, const pg_instruction *b)
{ return a->op == b->op && a->x == b->x && a->y == b->y && a->w == b->w; }

/* Where to look for an instruction that is equal to one: among those with the same last operand, most of which were
 * made not long ago; numbers have a hash table. */
static uint32_t *chain_of(pg_emitter *e, const pg_instruction *i)
{
    uint64_t hash;
    pg_id last = i->x;
    if (i->op != PG_OP_number) {
        if (pgi_arity(i->op) > 1 && i->y > last) last = i->y;
        if (pgi_arity(i->op) > 2 && i->w > last) last = i->w;
        return &((pg_link *)e->links.items)[last].first;
    }
    hash = ((uint64_t)i->x << 32 | i->y) * 0x9E3779B97F4A7C15u;
    return &e->numbers[(size_t)(hash >> 40) & (PG_NUMBERS - 1)];
}

/* The id of an instruction: that of an equal one, or a new one. */
static pg_id append(pg_emitter *e, pg_instruction made)
{
    const pg_id id = (pg_id)e->code.count;
    pg_instruction *place;
    pg_link *link;
    uint32_t *first = NULL;
    if (e->failed) return 0;
    if (e->passes & PG_SHARE) {
        const pg_link *links = e->links.items;
        int looks = PG_LOOKS;
        first = chain_of(e, &made);
        for (pg_id other = *first; other && looks--; other = links[other - 1].next)
            if (is_same(&CODE(e)[other - 1], &made)) {
                CODE(e)[other - 1].checked |= made.checked;
                return other - 1;
            }
    }
    link = pgi_extend(&e->memory, &e->links, 1, sizeof *link);
    place = pgi_extend(&e->memory, &e->code, 1, sizeof *place);
    if (!link || !place) {
        e->failed = 1;
        return 0;
    }
    if (e->passes & PG_SHARE) first = chain_of(e, &made);   /* the links may have moved */
    *link = (pg_link){0, first ? *first : 0};
    if (first) *first = id + 1;
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
static pg_id simpler(pg_emitter *e, int op, pg_id x, pg_id y, pg_id w, int checked)
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
    case PG_OP_pow:
    case PG_OP_pow_scalar:
        if (is(e, y, 1.0)) return x;
        if (is(e, y, 2.0) && !checked) return pgi_emit(e, PG_OP_mul, x, x, 0, 0);
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
    if (e->failed) return 0;
    if (e->passes & PG_FOLD && is_number(e, x) && (arity < 2 || is_number(e, y)) && (arity < 3 || is_number(e, w))) {
        double z;
        const int error = pgi_evaluate(op, CODE(e)[x].number, arity > 1 ? CODE(e)[y].number : 0.0,
                                       arity > 2 ? CODE(e)[w].number : 0.0, &z);
        if (!error || !checked) return pgi_emit_number(e, z);
    }
    if (e->passes & PG_SIMPLIFY) {
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

int pgi_emitter_begin(pg_emitter *e, const pg_memory *memory, int passes, pg_id inputs)
{
    pg_instruction *code;
    pg_link *links;
    memset(e, 0, sizeof *e);
    e->memory = *memory;
    e->passes = passes;
    code = pgi_extend(memory, &e->code, inputs, sizeof *code);
    links = pgi_extend(memory, &e->links, inputs, sizeof *links);
    e->numbers = memory->resize(memory->context, NULL, PG_NUMBERS * sizeof *e->numbers);
    if (!code || !links || !e->numbers) return 0;
    memset(e->numbers, 0, PG_NUMBERS * sizeof *e->numbers);
    for (pg_id i = 0; i < inputs; i++) {
        code[i] = (pg_instruction){.op = PG_OP_input, .x = i};
        links[i] = (pg_link){0, 0};
    }
    return 1;
}

void pgi_emitter_end(pg_emitter *e)
{
    pgi_forget(&e->memory, &e->code);
    pgi_forget(&e->memory, &e->links);
    if (e->numbers) e->memory.resize(e->memory.context, e->numbers, 0);
}
