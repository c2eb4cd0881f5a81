/* Where nodes live: memory, references, the reuse of slots. Recording is in graph.c. */
#define _POSIX_C_SOURCE 200809L     /* nanosleep */

#include "arena.h"
#include "lock.h"
#include "pass.h"

#include <stdlib.h>

enum { PG_FIRST_CAPACITY = 1024 };

#ifndef PG_MOST_NODES       /* a test compiles with few */
#define PG_MOST_NODES (UINT32_MAX - 1u)
#endif

static void *pg_realloc(void *context, void *block, size_t size)
{
    (void)context;
    if (size) return realloc(block, size);
    free(block);
    return NULL;
}

void *pg_allocate(pg_arena *arena, void *block, uint64_t size)
{
    return size > SIZE_MAX ? NULL : arena->resize(arena->context, block, (size_t)size);
}

void pg_deallocate(pg_arena *arena, void *block)
{
    if (block) arena->resize(arena->context, block, 0);
}

/* -- arenas ------------------------------------------------------------------------------------ */

pg_arena *pg_arena_new(uint64_t limit, pg_resize resize, void *context, int hosts)
{
    pg_arena *arena;
    if (!resize) resize = pg_realloc;
    if (!limit || limit > PG_MOST_NODES) limit = PG_MOST_NODES;
    arena = resize(context, NULL, sizeof *arena);
    if (!arena) return NULL;
    memset(arena, 0, sizeof *arena);
    arena->resize = resize;
    arena->context = context;
    arena->limit = limit;
    arena->hosts = hosts;
    arena->pace = UINT32_MAX;
    if (pg_make_room(arena, limit < PG_FIRST_CAPACITY ? limit : PG_FIRST_CAPACITY)) {
        pg_arena_free(arena);
        return NULL;
    }
    /* Slot 0 stands for "no node": a leaf that is never freed, nor counted. What a host records from it by
     * mistake comes back kept, so that the hot paths need not look for it. */
    arena->top = 1;
    pg_fill_slot(arena, 0, NAN, (pg_record){{{0, 0}}, 0, PG_OP_leaf, 0, PG_SKIP_X | PG_SKIP_Y | PG_KEEP, 0});
    return arena;
}

void pg_arena_free(pg_arena *arena)
{
    for (uint64_t n = 1; n < arena->top; n++)
        if (arena->rec[n].flags & PG_LIST)
            pg_deallocate(arena, arena->rec[n].of.edges);
    if (arena->idle) pg_pass_free(arena->idle);
    if (arena->free.indices) pg_deallocate(arena, arena->free.level[0]);
    pg_deallocate(arena, arena->data);
    pg_deallocate(arena, arena->grad);
    pg_deallocate(arena, arena->rec);
    pg_deallocate(arena, arena->host);
    arena->resize(arena->context, arena, 0);
}

void pg_lock(pg_arena *arena) { pg_acquire(&arena->lock); }
void pg_unlock(pg_arena *arena) { pg_set_free(&arena->lock); }

/* Resizes one array to `count` elements. Where it fails, the old one stays. */
static int pg_resize_array(pg_arena *arena, void *array, uint64_t count, size_t element)
{
    void **block = array, *resized = pg_allocate(arena, *block, count * element);
    if (!resized) return PG_NO_MEMORY;
    *block = resized;
    return PG_OK;
}

int pg_reserve_bits(pg_arena *arena, pg_bits *bits, uint64_t indices)
{
    uint64_t *old = bits->indices ? bits->level[0] : NULL, *block;
    if (bits->indices >= indices) return PG_OK;
    block = pg_allocate(arena, NULL, pg_bits_size(indices) * sizeof *block);
    if (!block) return PG_NO_MEMORY;
    pg_bits_move(bits, block, indices);
    pg_deallocate(arena, old);
    return PG_OK;
}

static void pg_open(pg_arena *arena)
{
    uint64_t end = arena->top + arena->pace;
    arena->open = end < arena->capacity ? end : arena->capacity;
}

int pg_make_room(pg_arena *arena, uint64_t nodes)
{
    uint64_t slots = nodes + 1;         /* and slot 0 */
    if (slots <= arena->capacity) return PG_OK;
    if (nodes > arena->limit) return PG_NO_INDEX;
    if (pg_resize_array(arena, &arena->data, slots, sizeof *arena->data) ||
        pg_resize_array(arena, &arena->grad, slots, sizeof *arena->grad) ||
        pg_resize_array(arena, &arena->rec, slots, sizeof *arena->rec) ||
        (arena->hosts && pg_resize_array(arena, &arena->host, slots, sizeof *arena->host)) ||
        pg_reserve_bits(arena, &arena->free, slots))
        return PG_NO_MEMORY;
    if (arena->hosts)
        memset(arena->host + arena->capacity, 0, (size_t)(slots - arena->capacity) * sizeof *arena->host);
    if (!arena->idle && !(arena->idle = pg_pass_new(arena))) return PG_NO_MEMORY;
    if (pg_pass_reserve(arena->idle, slots)) return PG_NO_MEMORY;
    arena->capacity = slots;
    pg_open(arena);
    return PG_OK;
}

int pg_make_more_room(pg_arena *arena)
{
    uint64_t used = arena->capacity - 1, wanted = used > arena->limit / 2 ? arena->limit : 2 * used;
    return used == arena->limit ? PG_NO_INDEX : pg_make_room(arena, wanted);
}

/* -- slots ------------------------------------------------------------------------------------- */

/* The top has come down to a free slot: take it, and the free ones below, back. */
static void pg_lower_top(pg_arena *arena)
{
    while (pg_bits_has(&arena->free, (uint32_t)(arena->top - 1))) {
        uint64_t last = arena->top - 1, *word = &arena->free.level[0][last >> 6];
        unsigned bit = (unsigned)(last & 63), run;
        uint64_t used = ~(*word << (63 - bit));         /* bit 63: whether `last` is in use */
        run = used ? 63 - pg_highest(used) : 64;
        if (run > bit + 1) run = bit + 1;
        *word &= ~((run == 64 ? ~(uint64_t)0 : ((uint64_t)1 << run) - 1) << (bit + 1 - run));
        if (!*word) pg_bits_lower(&arena->free, (uint32_t)(last >> 6));
        arena->free_count -= run;
        arena->top -= run;
    }
    if (arena->free_end > arena->top) arena->free_end = arena->top;
}

/* Puts what is left of the run back among the free slots. */
static void pg_end_run(pg_arena *arena)
{
    uint64_t from = arena->run_next, left = arena->run_end - from;
    arena->run_begin = arena->run_next = arena->run_end = 0;
    if (!left) return;
    pg_bits_add(&arena->free, (uint32_t)from);
    arena->free.level[0][from >> 6] |= (~(uint64_t)0 >> (64 - left)) << (from & 63);    /* runs stay in a word */
    arena->free_count += left;
    if (arena->free_end < from + left) arena->free_end = from + left;
    if (from + left == arena->top) pg_lower_top(arena);
}

/* Makes the free slots in a row from `slot` on, as far as its word goes, the run. */
static void pg_begin_run(pg_arena *arena, uint64_t slot)
{
    uint64_t *word = &arena->free.level[0][slot >> 6], row = *word >> (slot & 63);
    unsigned length = ~row ? pg_lowest(~row) : 64;
    *word &= ~((~(uint64_t)0 >> (64 - length)) << (slot & 63));
    if (!*word) pg_bits_lower(&arena->free, (uint32_t)(slot >> 6));
    arena->free_count -= length;
    arena->run_begin = arena->run_next = slot;
    arena->run_end = slot + length;
}

/* pg_take_slot where neither the run nor the top will do at once. */
pg_node pg_take_free_slot(pg_arena *arena, pg_node floor)
{
    uint64_t slot;
    pg_end_run(arena);
    slot = pg_bits_next(&arena->free, (uint64_t)floor + 1);
    if (slot < arena->free_end) {
        pg_begin_run(arena, slot);
        return (pg_node)arena->run_next++;
    }
    if (arena->free_end > (uint64_t)floor + 1) arena->free_end = (uint64_t)floor + 1;
    if (arena->top >= arena->open) return 0;
    return (pg_node)arena->top++;
}

static inline void pg_free_slot(pg_arena *arena, pg_node node)
{
    if ((uint64_t)node + 1 == arena->top) {
        arena->top = node;
        if (arena->free_end >= node) pg_lower_top(arena);
    }
    else if ((uint64_t)node + 1 == arena->run_next && node >= arena->run_begin) arena->run_next = node;
    else {
        pg_bits_add(&arena->free, node);
        arena->free_count++;
        if (arena->free_end <= node) arena->free_end = (uint64_t)node + 1;
    }
}

static inline pg_node pg_drop_operand(pg_record *rec, pg_node operand, pg_node dead)
{
    if (--rec[operand].refs) return dead;
    rec[operand].refs = dead;           /* a list of nodes to free, linked through their records */
    return operand;
}

/* A node with more to it than operands x and y. Returns the list of dead nodes. */
static PG_NOINLINE pg_node pg_free_unusual(pg_arena *arena, pg_node node, pg_node dead)
{
    pg_record *rec = arena->rec, *r = &rec[node];
    pg_node room[2];
    size_t count;
    const pg_node *operands = pg_operand_list(arena, node, room, &count);
    while (count-- > 0) dead = pg_drop_operand(rec, operands[count], dead);
    if (r->flags & PG_LIST) {
        arena->edge_bytes -= r->of.edges->bytes;
        pg_deallocate(arena, r->of.edges);
        r->flags &= (uint8_t)~PG_LIST;
    }
    if (r->flags & PG_HOOKED) arena->hooked_leaves--;
    if (r->flags & PG_LABELLED) pg_not_forgotten(arena, node);
    else pg_free_slot(arena, node);
    return dead;
}

void pg_free_nodes(pg_arena *arena, pg_node node)
{
    pg_record *rec = arena->rec;
    pg_node dead = 0;
    for (;;) {
        const pg_record *r = &rec[node];
        const pg_node x = r->of.at.x, y = r->of.at.y;
        if (PG_UNLIKELY(r->flags & PG_UNUSUAL)) dead = pg_free_unusual(arena, node, dead);
        else {
            if (y) dead = pg_drop_operand(rec, y, dead);
            if (x) dead = pg_drop_operand(rec, x, dead);
            pg_free_slot(arena, node);
        }
        if (!dead) return;
        node = dead;
        dead = rec[node].refs;
    }
}

pg_node pg_pop_freed(pg_arena *arena)
{
    pg_node freed = arena->freed;
    if (freed) arena->freed = arena->rec[freed].refs;
    return freed;
}

void pg_forgotten(pg_arena *arena, pg_node freed) { pg_free_slot(arena, freed); }

void pg_not_forgotten(pg_arena *arena, pg_node freed)
{
    arena->rec[freed].refs = arena->freed;
    arena->freed = freed;
}

/* -- the public, locking face ------------------------------------------------------------------- */

int pg_grow(pg_arena *arena, uint64_t nodes)
{
    int status;
    pg_lock(arena);
    status = nodes ? pg_make_room(arena, nodes) : pg_make_more_room(arena);
    pg_unlock(arena);
    return status;
}

void pg_pace(pg_arena *arena, uint64_t slots)
{
    pg_lock(arena);
    arena->pace = slots;
    pg_open(arena);
    pg_unlock(arena);
}

uint64_t pg_capacity(pg_arena *arena) { return arena->capacity - 1; }
double *pg_data_array(pg_arena *arena) { return arena->data; }
double *pg_grad_array(pg_arena *arena) { return arena->grad; }

uint64_t pg_live_nodes(pg_arena *arena)
{
    uint64_t live;
    pg_lock(arena);
    live = arena->top - 1 - arena->free_count - (arena->run_end - arena->run_next);
    for (pg_node n = arena->freed; n; n = arena->rec[n].refs) live--;
    pg_unlock(arena);
    return live;
}

size_t pg_bytes(pg_arena *arena)
{
    size_t slot = sizeof *arena->data + sizeof *arena->grad + sizeof *arena->rec;
    if (arena->hosts) slot += sizeof *arena->host;
    return (size_t)arena->capacity * slot + 2 * (size_t)pg_bits_size(arena->capacity) * sizeof(uint64_t)
         + arena->edge_bytes;
}

void pg_retain(pg_arena *arena, pg_node node)
{
    pg_lock(arena);
    arena->rec[node].refs++;
    pg_unlock(arena);
}

void pg_release(pg_arena *arena, size_t count, const pg_node *nodes)
{
    pg_lock(arena);
    for (size_t i = 0; i < count; i++) pg_unref(arena, nodes[i]);
    pg_open(arena);
    pg_unlock(arena);
}

pg_node pg_next_freed(pg_arena *arena, pg_node done)
{
    pg_node node, *link = &arena->freed;
    pg_lock(arena);
    while (done && *link && *link != done) link = &arena->rec[*link].refs;  /* others may have come before it */
    if (done && *link) {
        *link = arena->rec[done].refs;
        pg_free_slot(arena, done);
    }
    node = arena->freed;
    pg_unlock(arena);
    return node;
}

/* -- invariants --------------------------------------------------------------------------------- */

/* A level's bit says whether the word below it is zero; the set holds `members` indices. */
static int pg_bits_sound(const pg_bits *bits, uint64_t members)
{
    for (int l = 1; l < bits->levels; l++)
        for (uint64_t w = 0; w < pg_bits_words(bits->indices, l - 1); w++)
            if ((bits->level[l][w >> 6] >> (w & 63) & 1) != (bits->level[l - 1][w] != 0)) return 0;
    for (uint64_t w = 0; w < pg_bits_words(bits->indices, 0); w++)
        for (uint64_t rest = bits->level[0][w]; rest; rest &= rest - 1) members--;
    return members == 0;
}

static int pg_find_fault(pg_arena *arena, uint32_t *refs)
{
    pg_record *rec = arena->rec;
    pg_node operand[2];
    if (!pg_bits_sound(&arena->free, arena->free_count)) return 1;
    if (arena->idle && !pg_bits_sound(pg_pass_marks(arena->idle), 0)) return 2;     /* marks left behind */
    if (arena->top < 1 || arena->top > arena->capacity) return 3;
    if (rec[0].refs == 0 || pg_bits_has(&arena->free, 0)) return 11;
    if (pg_bits_next(&arena->free, arena->free_end) < arena->free.indices) return 4;
    if (arena->top > 1 && pg_bits_has(&arena->free, (uint32_t)(arena->top - 1))) return 5;
    for (uint64_t n = arena->run_next; n < arena->run_end; n++) {
        if (n >= arena->top || pg_bits_has(&arena->free, (uint32_t)n)) return 10;
        refs[n] = UINT32_MAX;                                                       /* free, in the run */
    }
    for (pg_node n = arena->freed; n; n = rec[n].refs) refs[n] = UINT32_MAX;        /* dead, slot not free yet */
    for (uint64_t n = 1; n < arena->top; n++) {
        size_t count;
        const pg_node *list;
        if (pg_bits_has(&arena->free, (uint32_t)n) || refs[n] == UINT32_MAX) continue;
        list = pg_operand_list(arena, (pg_node)n, operand, &count);
        for (size_t i = 0; i < count; i++) {
            if (list[i] >= n || !list[i]) return 6;                                 /* operands precede */
            if (pg_bits_has(&arena->free, list[i]) || refs[list[i]] == UINT32_MAX) return 7;
            refs[list[i]]++;
        }
    }
    for (uint64_t n = 1; n < arena->top; n++) {
        if (pg_bits_has(&arena->free, (uint32_t)n) || refs[n] == UINT32_MAX) continue;
        if (rec[n].refs == 0) return 8;
        if (rec[n].refs < refs[n]) return 9;                                        /* fewer than parents */
    }
    return PG_OK;
}

int pg_check(pg_arena *arena)
{
    int fault = PG_NO_MEMORY;
    uint32_t *refs;
    pg_lock(arena);
    refs = pg_allocate(arena, NULL, arena->top * sizeof *refs);
    if (refs) {
        memset(refs, 0, (size_t)arena->top * sizeof *refs);
        fault = pg_find_fault(arena, refs);
        pg_deallocate(arena, refs);
    }
    pg_unlock(arena);
    return fault;
}
