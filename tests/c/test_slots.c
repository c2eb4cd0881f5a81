/* Free slots above a floor (slots.h) against a model: an array that says of each slot whether it is in use, and loops
 * over it. Needs slots.c alone.
 *
 *     test_slots [SEEDS [FIRST]] */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "slots.h"

#define CHECK(condition) \
    do { \
        if (!(condition)) { \
            fprintf(stderr, "seed %llu, step %d, %s:%d: %s\n", seed, step, __FILE__, __LINE__, #condition); \
            exit(1); \
        } \
    } while (0)

static unsigned long long seed;
static int step;
static uint64_t random_state;

static uint64_t random_below(uint64_t end)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (random_state >> 11) % end;
}

typedef struct model {
    char *used;                         /* for each slot below capacity */
    uint32_t *held, count;              /* the slots in use, in the order they were taken */
    uint64_t quota;
    uint64_t reused, fresh, gives;      /* since the quota began: slots taken below the top, at the top; given back */
} model;

static uint64_t lowest_unused(const pg_slots *slots, const model *m, uint64_t above)
{
    uint64_t slot = above + 1;
    while (slot < slots->top && m->used[slot]) slot++;
    return slot < slots->top ? slot : slots->top;
}

/* Everything, slot by slot. */
static void compare(const pg_slots *slots, const model *m)
{
    uint64_t used = 0, free = 0, highest = 0;
    for (uint64_t slot = 1; slot < slots->capacity; slot++) {
        CHECK(pgi_slots_in_use(slots, slot) == m->used[slot]);
        if (m->used[slot]) used++, highest = slot;
        free += (uint64_t)pgi_bits_has(&slots->free, (uint32_t)slot);
    }
    CHECK(slots->top == highest + 1);   /* however they were given back, it comes down as far as it can */
    CHECK(used == m->count && pgi_slots_used(slots) == used && slots->free_count == free);
    CHECK(!pgi_slots_in_use(slots, 0) && !pgi_slots_in_use(slots, slots->capacity));
    for (int l = 1; l < slots->free.levels; l++)
        for (uint64_t w = 0; w < pgi_bits_words(slots->free.indices, l - 1); w++)
            CHECK((slots->free.level[l][w >> 6] >> (w & 63) & 1) == (slots->free.level[l - 1][w] != 0));
}

static void grow(pg_slots *slots, model *m, uint64_t capacity)
{
    uint64_t *old = slots->free.indices ? slots->free.level[0] : NULL;
    uint64_t *block = malloc((size_t)pgi_bits_size(capacity) * sizeof *block);
    m->used = realloc(m->used, (size_t)capacity);
    m->held = realloc(m->held, (size_t)capacity * sizeof *m->held);
    CHECK(block && m->used && m->held);
    pgi_bits_move(&slots->free, block, capacity);
    free(old);
    memset(m->used + slots->capacity, 0, (size_t)(capacity - slots->capacity));
    slots->capacity = capacity;
    pgi_slots_renew(slots);
    m->reused = m->fresh = m->gives = 0;
}

static void give(pg_slots *slots, model *m, uint32_t i)
{
    uint32_t slot = m->held[i];
    m->count--;
    if (random_below(2)) m->held[i] = m->held[m->count];
    else memmove(m->held + i, m->held + i + 1, (m->count - i) * sizeof *m->held);
    m->used[slot] = 0;
    m->gives++;
    pgi_slots_give(slots, slot);
}

/* Takes a slot above `floor`, or the lowest one; looks at whether it is the one that slots.h promises. */
static void take(pg_slots *slots, model *m, uint32_t floor, int lowest)
{
    const uint64_t span = slots->span_next, left = slots->span_end - span, top = slots->top;
    uint64_t expected = lowest_unused(slots, m, lowest ? 0 : floor);
    int of_span = left && span > floor && (!lowest || span == expected);
    uint32_t slot;
    if (of_span) expected = span;
    else if (expected < top ? !(slots->quota_left + left) : top >= slots->top_end) expected = 0;
    slot = lowest ? pgi_slots_take_lowest(slots) : pgi_slots_take(slots, floor);
    CHECK(slot == expected);
    if (!slot) {                        /* no slot, or the quota, and no less of it, is used up */
        CHECK(top == slots->capacity || m->quota <= (m->reused > m->fresh ? m->reused : m->fresh));
        return;
    }
    CHECK(slot > floor && slot < slots->capacity && !m->used[slot]);
    if (slot < top) m->reused++;
    else m->fresh++;
    CHECK(m->gives || (m->reused <= m->quota && m->fresh <= m->quota));
    m->used[slot] = 1;
    m->held[m->count++] = slot;
}

static uint32_t some_floor(const model *m)
{
    return m->count && random_below(4) ? m->held[m->count - 1 - random_below(m->count < 20 ? m->count : 20)]
           : m->count                  ? m->held[random_below(m->count)]
                                       : 0;
}

/* A graph recorded and dropped, by training loops: in the order of recording, or against it. */
static void burst(pg_slots *slots, model *m, int most)
{
    uint32_t before = m->count;
    int forward = random_below(2) != 0;
    for (uint64_t n = random_below((uint64_t)most); n > 0; n--) take(slots, m, some_floor(m), 0);
    while (m->count > before) give(slots, m, forward ? before : m->count - 1);
}

static void one_life(int steps, uint64_t most)
{
    static const uint64_t quotas[] = {PG_NO_QUOTA, PG_NO_QUOTA, 1, 7, 64, 200};
    const unsigned takes = 1 + (unsigned)random_below(5), lowest = (unsigned)random_below(4);
    pg_slots slots = {.top = 1, .free_begin = 1, .free_end = 1, .quota = quotas[random_below(6)]};
    model m = {.quota = slots.quota};
    grow(&slots, &m, 2 + random_below(200));
    for (step = 0; step < steps; step++) {
        uint64_t choice = random_below(100);
        if (choice == 0 && slots.capacity < most)
            grow(&slots, &m, slots.capacity + 1 + random_below(2 * slots.capacity));
        else if (choice < 3) {
            pgi_slots_renew(&slots);
            m.reused = m.fresh = m.gives = 0;
        }
        else if (choice < 5) burst(&slots, &m, 300);
        else if (choice < 6)            /* most of what is held goes */
            for (uint64_t n = random_below(m.count + 1); n > 0; n--) give(&slots, &m, (uint32_t)random_below(m.count));
        else if (random_below(takes + 2) < 2 && m.count) give(&slots, &m, (uint32_t)random_below(m.count));
        else if (random_below(4) < lowest) take(&slots, &m, 0, 1);
        else take(&slots, &m, some_floor(&m), 0);
        CHECK(pgi_slots_used(&slots) == m.count);
        if (random_below(slots.capacity / 8 + 4) == 0) compare(&slots, &m);
    }
    compare(&slots, &m);
    while (m.count) give(&slots, &m, (uint32_t)random_below(m.count));
    compare(&slots, &m);
    CHECK(slots.top == 1 && slots.free_count == 0);
    free(slots.free.level[0]);
    free(m.used);
    free(m.held);
}

int main(int argc, char **argv)
{
    unsigned long long seeds = argc > 1 ? strtoull(argv[1], NULL, 10) : 300;
    unsigned long long first = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
    for (seed = first; seed < first + seeds; seed++) {
        random_state = 0x9e3779b97f4a7c15u * seed | 1;
        for (int i = 0; i < 8; i++) random_below(2);
        if (seed % 50 == 0) one_life(2000, 1000000);    /* four levels of bits */
        else one_life(3000, seed % 2 ? 300 : 10000);
    }
    puts("all passed");
    return 0;
}
