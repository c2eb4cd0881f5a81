/* The invariants of arena.h and slots.h, looked at for tests. Takes time with the nodes in use. */
#include "arena.h"

/* A level's bit says whether the word below it is zero; the set holds `members` indices. */
static int bits_are_sound(const pg_bits *bits, uint64_t members)
{
    if (!bits->levels) return members == 0;     /* a pass for which there was no memory yet */
    for (int l = 1; l < bits->levels; l++)
        for (uint64_t w = 0; w < pgi_bits_words(bits->indices, l - 1); w++)
            if ((bits->level[l][w >> 6] >> (w & 63) & 1) != (bits->level[l - 1][w] != 0)) return 0;
    for (uint64_t w = 0; w < pgi_bits_words(bits->indices, 0); w++)
        for (uint64_t rest = bits->level[0][w]; rest; rest &= rest - 1) members--;
    return members == 0;
}

static const char *fault_of_slots(const pg_slots *slots)
{
    if (!bits_are_sound(&slots->free, slots->free_count)) return "the set of free slots disagrees with itself";
    if (slots->top < 1 || slots->top > slots->capacity) return "the top is outside the arena";
    if (pgi_bits_has(&slots->free, 0)) return "slot 0 is free";
    if (slots->span_next > slots->span_end || slots->span_begin > slots->span_next) return "the span is no range";
    if (slots->span_next < slots->span_end && slots->span_end > slots->top) return "the span goes beyond the top";
    for (uint64_t slot = slots->span_next; slot < slots->span_end; slot++)
        if (pgi_bits_has(&slots->free, (uint32_t)slot)) return "a slot of the span is among the free ones too";
    if (pgi_bits_next(&slots->free, slots->free_end) < slots->free.indices)
        return "a free slot lies at or above free_end";
    if (pgi_bits_next(&slots->free, 0) < slots->free_begin) return "a free slot lies below free_begin";
    if (slots->top > 1 && pgi_bits_has(&slots->free, (uint32_t)(slots->top - 1)))
        return "the slot below the top is free";
    return NULL;
}

static const char *fault_of_nodes(const pg_arena *arena, uint32_t *refs)
{
    for (uint64_t n = 1; n < arena->slots.top; n++) {
        const pg_record *r = &arena->nodes[n];
        pg_node pair[2];
        size_t count;
        const pg_node *list;
        int needs_object = r->flags & PG_NEEDS_OBJECT;
        if (!pgi_in_use(arena, (pg_node)n)) continue;
        if (r->refs == 0) return "a node in use has no reference";
        if (r->op >= PG_OP_COUNT) return "a node has no operation of the table";
        if (r->step != r->op && r->step != PG_EXTERNAL) return "a node's step is of another operation";
        list = pgi_edges_of(arena, (pg_node)n, pair, &count);
        for (size_t i = 0; i < count; i++) {
            if (list[i] >= n || !list[i]) return "an operand does not precede its result";
            if (!pgi_in_use(arena, list[i])) return "an operand is not in use";
            if (arena->nodes[list[i]].flags & ~needs_object & PG_NEEDS_OBJECT)
                return "a result does not hold an object that an operand needs";
            if (arena->nodes[list[i]].step != PG_OP_leaf &&
                (r->flags & PG_LIST ? (r->flags & PG_X_IS_LEAF && r->flags & PG_Y_IS_LEAF)
                                    : r->flags & (i ? PG_Y_IS_LEAF : PG_X_IS_LEAF)))
                return "an operand that has a step is taken for a leaf";
            refs[list[i]]++;
        }
    }
    for (uint64_t n = 1; n < arena->slots.top; n++)
        if (pgi_in_use(arena, (pg_node)n) && arena->nodes[n].refs < refs[n])
            return "a node has fewer references than results";
    return NULL;
}

const char *pg_check(pg_arena *arena)
{
    const char *fault = "out of memory";
    uint32_t *refs;
    pg_lock(arena);
    refs = pgi_allocate(arena, NULL, arena->slots.top * sizeof *refs);
    if (refs) {
        memset(refs, 0, (size_t)arena->slots.top * sizeof *refs);
        fault = fault_of_slots(&arena->slots);
        if (!fault && (arena->nodes[PG_NO_NODE].refs == 0 || !(arena->nodes[PG_NO_NODE].flags & PG_NEEDS_OBJECT)))
            fault = "slot 0 is no longer what stands for no node";
        if (!fault && arena->idle && !bits_are_sound(&arena->idle->marks, 0)) fault = "a pass has left marks behind";
        if (!fault) fault = fault_of_nodes(arena, refs);
        pgi_deallocate(arena, refs);
    }
    pg_unlock(arena);
    return fault;
}
