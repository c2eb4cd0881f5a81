/* The arena's memory, references, and the freeing of nodes. */
#include "arena.h"

#include <stdlib.h>

enum { PG_FIRST_CAPACITY = 1024 };

#ifndef PG_MOST_NODES       /* a test compiles with few */
#define PG_MOST_NODES (UINT32_MAX - 1u)
#endif

static void *reallocate(void *context, void *block, size_t size)
{
    (void)context;
    if (size) return realloc(block, size);
    free(block);
    return NULL;
}

void *pgi_allocate(pg_arena *arena, void *block, uint64_t size)
{ return size > SIZE_MAX ? NULL : arena->resize(arena->context, block, (size_t)size); }

void pgi_deallocate(pg_arena *arena, void *block)
{
    if (block) arena->resize(arena->context, block, 0);
}

/* -- arenas ------------------------------------------------------------------------------------ */

static pg_pass *new_pass(pg_arena *arena)
{
    pg_pass *pass = pgi_allocate(arena, NULL, sizeof *pass);
    if (pass) *pass = (pg_pass){.arena = arena};
    return pass;
}

static void free_pass(pg_pass *pass)
{
    pgi_deallocate(pass->arena, pass->marks.level[0]);
    pgi_deallocate(pass->arena, pass);
}

pg_arena *pg_arena_new(uint64_t limit, pg_resize resize, void *context, int objects)
{
    pg_arena *arena;
    if (!resize) resize = reallocate;
    if (!limit || limit > PG_MOST_NODES) limit = PG_MOST_NODES;
    arena = resize(context, NULL, sizeof *arena);
    if (!arena) return NULL;
    *arena = (pg_arena){.limit = limit, .has_objects = objects, .resize = resize, .context = context};
    arena->slots = (pg_slots){.top = 1, .free_begin = 1, .free_end = 1, .quota = PG_NO_QUOTA};
    if (pgi_grow(arena, limit < PG_FIRST_CAPACITY ? limit : PG_FIRST_CAPACITY)) {
        pg_arena_free(arena);
        return NULL;
    }
    arena->data[PG_NO_NODE] = arena->grad[PG_NO_NODE] = NAN;
    arena->nodes[PG_NO_NODE] =
        (pg_record){.op = PG_OP_leaf, .refs = 1, .flags = PG_X_IS_LEAF | PG_Y_IS_LEAF | PG_NEEDS_OBJECT};
    return arena;
}

void pg_arena_free(pg_arena *arena)
{
    for (uint64_t n = 1; n < arena->slots.top; n++)
        if (arena->nodes[n].flags & PG_LIST) pgi_deallocate(arena, arena->nodes[n].edges);
    if (arena->idle) free_pass(arena->idle);
    pgi_deallocate(arena, arena->slots.free.level[0]);
    pgi_deallocate(arena, arena->data);
    pgi_deallocate(arena, arena->grad);
    pgi_deallocate(arena, arena->nodes);
    pgi_deallocate(arena, arena->objects);
    arena->resize(arena->context, arena, 0);
}

/* Resizes one column to `count` elements. Where it fails, the old one stays. */
static int resize_column(pg_arena *arena, void *column, uint64_t count, size_t element)
{
    void **block = column, *resized = pgi_allocate(arena, *block, count * element);
    if (!resized) return PG_NO_MEMORY;
    *block = resized;
    return PG_OK;
}

static int reserve_bits(pg_arena *arena, pg_bits *bits, uint64_t indices)
{
    uint64_t *old = bits->level[0], *block;
    if (bits->indices >= indices) return PG_OK;
    block = pgi_allocate(arena, NULL, pgi_bits_size(indices) * sizeof *block);
    if (!block) return PG_NO_MEMORY;
    pgi_bits_move(bits, block, indices);
    pgi_deallocate(arena, old);
    return PG_OK;
}

/* How many nodes there is to be room for. Twice as many, or half as many again where most slots are free: then it is
 * for one graph that stands on a high node, and no lower slot would do. */
static uint64_t wanted_nodes(const pg_arena *arena)
{
    uint64_t now = arena->slots.capacity - 1;
    uint64_t more = now + (pgi_slots_used(&arena->slots) > now / 2 ? now : now / 2 + 1);
    return more > arena->limit && now < arena->limit ? arena->limit : more;
}

int pgi_grow(pg_arena *arena, uint64_t nodes)
{
    uint64_t wanted = nodes ? nodes : wanted_nodes(arena), count = wanted + 1, old = arena->slots.capacity;
    if (wanted > arena->limit) return PG_NO_INDEX;
    if (count <= old) return PG_OK;
    if (resize_column(arena, &arena->data, count, sizeof *arena->data) ||
        resize_column(arena, &arena->grad, count, sizeof *arena->grad) ||
        resize_column(arena, &arena->nodes, count, sizeof *arena->nodes) ||
        (arena->has_objects && resize_column(arena, &arena->objects, count, sizeof *arena->objects)) ||
        reserve_bits(arena, &arena->slots.free, count))
        return PG_NO_MEMORY;
    if (arena->has_objects) memset(arena->objects + old, 0, (size_t)(count - old) * sizeof *arena->objects);
    if (!arena->idle) arena->idle = new_pass(arena);
    if (!arena->idle || reserve_bits(arena, &arena->idle->marks, count)) return PG_NO_MEMORY;
    arena->slots.capacity = count;
    pgi_slots_renew(&arena->slots);
    return PG_OK;
}

pg_pass *pgi_pass_take(pg_arena *arena)
{
    pg_pass *pass = arena->idle;
    arena->idle = NULL;
    if (!pass && !(pass = new_pass(arena))) return NULL;
    if (reserve_bits(arena, &pass->marks, arena->slots.capacity)) {
        pgi_pass_give(pass);
        return NULL;
    }
    PG_ASSERT(pgi_bits_empty(&pass->marks) && !pass->holds_root);
    return pass;
}

void pgi_pass_give(pg_pass *pass)
{
    pg_pass **idle = &pass->arena->idle, *smaller = *idle;
    if (smaller && smaller->marks.indices >= pass->marks.indices) smaller = pass;
    else *idle = pass;
    if (smaller) free_pass(smaller);
}

/* -- operands ---------------------------------------------------------------------------------- */

const pg_node *pgi_edges_of(const pg_arena *arena, pg_node node, pg_node pair[2], size_t *count)
{
    const pg_record *r = &arena->nodes[node];
    if (r->flags & PG_LIST) {
        *count = r->edges->count;
        return r->edges->operand;
    }
    pair[0] = r->x;
    pair[1] = r->y;
    *count = (size_t)(pair[0] != 0) + (pair[1] != 0);
    return pair;
}

const pg_node *pgi_operands_of(const pg_arena *arena, pg_node node, pg_node pair[2], size_t *count)
{
    const pg_node *operands = pgi_edges_of(arena, node, pair, count);
    if (pg_op(arena->nodes[node].op)->kind == PG_SCALAR) *count = 1;
    return operands;
}

/* -- freeing ----------------------------------------------------------------------------------- */

/* Takes a dead node's reference from an operand. `dead` is a list of nodes to free, linked through their records. */
static inline pg_node drop_operand(pg_record *nodes, pg_node operand, pg_node dead)
{
    PG_ASSERT(nodes[operand].refs > 0);
    if (--nodes[operand].refs) return dead;
    nodes[operand].refs = dead;
    return operand;
}

static PG_NOINLINE pg_node free_slow(pg_arena *arena, pg_node node, pg_node dead)
{
    pg_record *r = &arena->nodes[node];
    pg_node pair[2];
    size_t count;
    const pg_node *operands = pgi_edges_of(arena, node, pair, &count);
    while (count-- > 0) dead = drop_operand(arena->nodes, operands[count], dead);
    if (r->flags & PG_LIST) {
        arena->edge_bytes -= r->edges->bytes;
        pgi_deallocate(arena, r->edges);
        r->flags &= (uint8_t)~PG_LIST;
    }
    if (r->flags & PG_NOTIFY_FREE) pgi_quarantine(arena, node);
    else pgi_slots_give(&arena->slots, node);
    return dead;
}

void pgi_free_nodes(pg_arena *arena, pg_node node)
{
    pg_record *nodes = arena->nodes;
    pg_node dead = 0;
    PG_ASSERT(nodes[node].refs == 0);
    for (;;) {
        const pg_record *r = &nodes[node];
        const pg_node x = r->x, y = r->y;
        PG_ASSERT(pgi_in_use(arena, node));
        if (PG_UNLIKELY(r->flags & PG_FREE_SLOW)) dead = free_slow(arena, node, dead);
        else {
            if (y) dead = drop_operand(nodes, y, dead);
            if (x) dead = drop_operand(nodes, x, dead);
            pgi_slots_give(&arena->slots, node);
        }
        if (!dead) return;
        node = dead;
        dead = nodes[node].refs;
    }
}

void pgi_quarantine(pg_arena *arena, pg_node freed)
{
    arena->nodes[freed].flags = PG_DEAD | PG_NOTIFY_FREE;
    arena->nodes[freed].refs = arena->freed;
    arena->freed = freed;
}

pg_node pgi_pop_freed(pg_arena *arena)
{
    pg_node freed = arena->freed;
    if (freed) {
        arena->freed = arena->nodes[freed].refs;
        arena->nodes[freed].flags = PG_DEAD;
    }
    return freed;
}

void pgi_recycle(pg_arena *arena, pg_node freed)
{
    PG_ASSERT(arena->nodes[freed].flags == PG_DEAD);    /* of pgi_pop_freed */
    pgi_slots_give(&arena->slots, freed);
}
