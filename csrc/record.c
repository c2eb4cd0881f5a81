/* Recording nodes with lists of operands, custom ones, and copies. */
#include "record.h"

/* A side block with the operands and room for what else a custom node brings. */
static pg_edges *new_edges(pg_arena *arena, size_t count, const pg_node *operands, const double *partials,
                           const char *symbol)
{
    size_t length = symbol ? strlen(symbol) + 1 : 0;
    uint64_t partials_at = (sizeof(pg_edges) + (uint64_t)count * sizeof(pg_node) + 7) & ~(uint64_t)7;
    uint64_t symbol_at = partials_at + (partials ? (uint64_t)count * sizeof(double) : 0);
    pg_edges *edges = pgi_allocate(arena, NULL, symbol_at + length);
    if (!edges) return NULL;
    edges->count = edges->first = count;
    edges->bytes = (size_t)(symbol_at + length);
    edges->partials = partials ? (double *)((char *)edges + partials_at) : NULL;
    edges->symbol = symbol ? (char *)edges + symbol_at : NULL;
    if (count) memcpy(edges->operand, operands, count * sizeof *operands);
    if (partials) memcpy(edges->partials, partials, count * sizeof *partials);
    if (symbol) memcpy(edges->symbol, symbol, length);
    return edges;
}

/* Refers to the operands from..to and notes the highest. Returns their flags; *leaves is 0 if one is no plain leaf. */
static inline int refer(pg_record *nodes, const pg_edges *edges, size_t from, size_t to, pg_node *highest, int *leaves)
{
    pg_node top = *highest;
    int flags = 0, steps = 0;
    for (size_t i = from; i < to; i++) {
        pg_node operand = edges->operand[i];
        top = operand > top ? operand : top;
        steps |= nodes[operand].step;
        flags |= nodes[operand].flags;
        nodes[operand].refs++;
    }
    *highest = top;
    *leaves = steps == PG_OP_leaf;
    return flags;
}

/* Records a node from a side block: takes a slot above all operands, and a reference to each. The block is the node's,
 * or freed where this fails. */
static pg_result record_edges(pg_arena *arena, int op, double z, pg_edges *edges)
{
    pg_record *nodes = arena->nodes, record = {.op = (uint8_t)op, .refs = 1, .flags = PG_LIST};
    pg_node highest = 0, node;
    int flags, leaves_x, leaves_y;
    if (!edges) return PG_NO_MEMORY;
    if (pg_op(op)->kind == PG_PAIRED) edges->first /= 2;
    flags = refer(nodes, edges, 0, edges->first, &highest, &leaves_x);
    flags |= refer(nodes, edges, edges->first, edges->count, &highest, &leaves_y);
    node = pgi_slots_take(&arena->slots, highest);
    if (!node) {
        for (size_t i = 0; i < edges->count; i++) nodes[edges->operand[i]].refs--;
        pgi_deallocate(arena, edges);
        return PG_FULL;
    }
    PG_ASSERT(highest < node);
    record.flags |= flags & PG_NEEDS_OBJECT;
    if (leaves_x) record.flags |= PG_X_IS_LEAF;
    if (leaves_y) record.flags |= PG_Y_IS_LEAF;
    record.edges = edges;
    arena->edge_bytes += edges->bytes;
    pgi_fill(arena, node, z, record);
    return record.flags & PG_NEEDS_OBJECT ? node | PG_HOLD_OPERANDS : node;
}

pg_result pgi_record_nary(pg_arena *arena, int op, size_t count, const pg_node *operands)
{
    double z;
    int error = pgi_forward_list(op, arena->data, count, operands, &z);
    return error ? error : record_edges(arena, op, z, new_edges(arena, count, operands, NULL, NULL));
}

pg_result pgi_record_custom(pg_arena *arena, double data, size_t count, const pg_node *operands, const double *partials,
                            const char *symbol)
{
    pg_result result = record_edges(arena, PG_OP_custom, data, new_edges(arena, count, operands, partials, symbol));
    if (result >= 0 && !partials) {
        pg_record *r = &arena->nodes[pgi_node_of(result)];
        r->flags |= PG_NEEDS_OBJECT;
        r->step = PG_EXTERNAL;
        result |= PG_HOLD_OPERANDS;
    }
    return result;
}

/* See pg_restore. */
pg_result pgi_record_restored(pg_arena *arena, int op, double data, double grad, size_t count, const pg_node *operands,
                              double exponent, int exponent_is_int, const double *partials, const char *symbol)
{
    pg_result node;
    switch (pg_op(op)->kind) {
    case PG_LEAF: node = pgi_record_leaf(arena, data); break;
    case PG_UNARY: node = pgi_record_single(arena, op, operands[0], data); break;
    case PG_BINARY: node = pgi_record_pair(arena, op, operands[0], operands[1], data, 0); break;
    case PG_SCALAR:
        node =
            pgi_record_with_number(arena, op, operands[0], exponent, 0, data, exponent_is_int ? PG_EXPONENT_IS_INT : 0);
        break;
    case PG_CUSTOM: node = pgi_record_custom(arena, data, count, operands, partials, symbol); break;
    default: node = record_edges(arena, op, data, new_edges(arena, count, operands, NULL, NULL));
    }
    if (node > 0) arena->grad[pgi_node_of(node)] = grad;
    return node;
}

/* Whether the reverse pass stops at the node for its host. 0 for a leaf that has results, which take it for a plain
 * one: then nothing is changed. */
int pgi_set_external(pg_arena *arena, pg_node node, int on)
{
    pg_record *r = &arena->nodes[node];
    if (r->op == PG_OP_leaf && r->refs > 1) return 0;
    r->step = on ? PG_EXTERNAL : r->op;
    return 1;
}
