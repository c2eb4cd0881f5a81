/* Recording: a node for a result. What is inline here is so for callers with a constant op, whose switch over the
 * table folds to the one expression. */
#ifndef PYGRAD_RECORD_H
#define PYGRAD_RECORD_H

#include "arena.h"

pg_result pgi_record_nary(pg_arena *arena, int op, size_t count, const pg_node *operands);
pg_result pgi_record_custom(pg_arena *arena, double data, size_t count, const pg_node *operands, const double *partials,
                            const char *symbol);
pg_result pgi_record_restored(pg_arena *arena, int op, double data, double grad, size_t count, const pg_node *operands,
                              double exponent, int exponent_is_int, const double *partials, const char *symbol);
int pgi_set_external(pg_arena *arena, pg_node node, int on);

/* Fills a slot. */
PG_INLINE void pgi_fill(pg_arena *arena, pg_node node, double data, pg_record record)
{
    PG_ASSERT(arena->slots.top > node && (record.flags & PG_LIST || (record.x < node && record.y < node)));
    record.step = record.op;
    record.era = arena->era;
    arena->data[node] = data;
    arena->grad[node] = 0.0;
    arena->nodes[node] = record;
}

PG_INLINE pg_result pgi_fill_leaf(pg_arena *arena, pg_node node, double data, uint32_t refs, int flags)
{
    if (PG_UNLIKELY(!node)) return PG_FULL;
    flags |= PG_X_IS_LEAF | PG_Y_IS_LEAF;
    pgi_fill(arena, node, data, (pg_record){.op = PG_OP_leaf, .refs = refs, .flags = (uint8_t)flags});
    return node;
}

PG_INLINE pg_result pgi_record_leaf(pg_arena *arena, double data)
{ return pgi_fill_leaf(arena, pgi_slots_take_lowest(&arena->slots), data, 1, 0); }

PG_INLINE int pgi_is_plain_leaf(const pg_record *r) { return r->step == PG_OP_leaf; }

/* One operand, the value z known. */
PG_INLINE pg_result pgi_record_single(pg_arena *arena, int op, pg_node x, double z)
{
    pg_record *nodes = arena->nodes;
    pg_record record = {.x = x, .op = (uint8_t)op, .refs = 1, .flags = PG_Y_IS_LEAF};
    pg_node node = pgi_slots_take(&arena->slots, x);
    if (PG_UNLIKELY(!node)) return PG_FULL;
    if (pgi_is_plain_leaf(&nodes[x])) record.flags |= PG_X_IS_LEAF;
    record.flags |= nodes[x].flags & PG_NEEDS_OBJECT;
    nodes[x].refs++;
    pgi_fill(arena, node, z, record);
    return record.flags & PG_NEEDS_OBJECT ? node | PG_HOLD_OPERANDS : node;
}

PG_INLINE pg_result pgi_record_unary(pg_arena *arena, int op, pg_node x)
{
    double z;
    int error = pgi_forward_unary(op, arena->data[x], &z);
    if (PG_UNLIKELY(error)) return error;
    return pgi_record_single(arena, op, x, z);
}

/* Two operands, the value z known. */
PG_INLINE pg_result pgi_record_pair(pg_arena *arena, int op, pg_node x, pg_node y, double z, int flags)
{
    pg_record *nodes = arena->nodes;
    pg_record record = {.x = x, .y = y, .op = (uint8_t)op, .refs = 1, .flags = (uint8_t)flags};
    pg_node node = pgi_slots_take(&arena->slots, x > y ? x : y);
    if (PG_UNLIKELY(!node)) return PG_FULL;
    if (pgi_is_plain_leaf(&nodes[x])) record.flags |= PG_X_IS_LEAF;
    if (pgi_is_plain_leaf(&nodes[y])) record.flags |= PG_Y_IS_LEAF;
    record.flags |= (nodes[x].flags | nodes[y].flags) & PG_NEEDS_OBJECT;
    nodes[x].refs++;
    nodes[y].refs++;
    pgi_fill(arena, node, z, record);
    return record.flags & PG_NEEDS_OBJECT ? node | PG_HOLD_OPERANDS : node;
}

PG_INLINE pg_result pgi_record_binary(pg_arena *arena, int op, pg_node x, pg_node y)
{
    double z;
    int error = pgi_forward_binary(op, arena->data[x], arena->data[y], &z);
    if (PG_UNLIKELY(error)) return error;
    return pgi_record_pair(arena, op, x, y, z, 0);
}

/* One operand is a number: it becomes a leaf with the result's reference alone. */
PG_INLINE pg_result pgi_record_with_number(pg_arena *arena, int op, pg_node node, double number, int number_is_x,
                                           double z, int flags)
{
    pg_result leaf = pgi_fill_leaf(arena, pgi_slots_take(&arena->slots, 0), number, 0, PG_NUMBER), result;
    if (PG_UNLIKELY(leaf < 0)) return leaf;
    result = number_is_x ? pgi_record_pair(arena, op, (pg_node)leaf, node, z, flags)
                         : pgi_record_pair(arena, op, node, (pg_node)leaf, z, flags);
    if (PG_UNLIKELY(result < 0)) pgi_free_nodes(arena, (pg_node)leaf);
    return result;
}

PG_INLINE pg_result pgi_record_constant(pg_arena *arena, int op, pg_node node, double number, int number_is_x,
                                        int flags)
{
    double data = arena->data[node], z;
    int error = pgi_forward_binary(op, number_is_x ? number : data, number_is_x ? data : number, &z);
    if (PG_UNLIKELY(error)) return error;
    return pgi_record_with_number(arena, op, node, number, number_is_x, z, flags);
}

#endif
