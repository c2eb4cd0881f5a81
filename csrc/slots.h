/* Which slots of an arena are free, and which of them is taken next.
 *
 *     slot      0   1   2   3   4   5   6   7   8   9  10  11  12  13  14 ...
 *     state     -   x   x   f   x   x   s   s   x   f   x   .   .   .   .
 *                                       ^       ^           ^
 *                                 span_next  span_end      top
 *
 * x: in use. f: free, a bit of `free` is set. s: the span, free slots in a row that the next nodes get; while they are
 * in the span their bits are not set. From `top` on nothing is in use. Slot 0 is never taken: it stands for no node.
 *
 * A slot is asked for above a floor, the highest operand. The answer is the next of the span, else the lowest free one
 * above the floor, else the top. So a loop that records the same graph again and again does so in the same slots, and
 * what stays alive is filled in from below. */
#ifndef PYGRAD_SLOTS_H
#define PYGRAD_SLOTS_H

#include "bits.h"

#define PG_NO_QUOTA (UINT64_MAX / 2)    /* the largest: so many slots are never taken */

typedef struct pg_slots {
    uint64_t top, capacity;
    uint64_t span_begin, span_next, span_end;   /* [span_begin, span_next) was taken from this span, and is in use */
    uint64_t free_begin, free_end;              /* no slot of `free` lies below free_begin, or at or above free_end */
    uint64_t free_count;                        /* slots in `free` */
    uint64_t quota;                             /* how many free slots, and how many at the top, a caller may take */
    uint64_t quota_left, top_end;               /* of it: free slots left, and where the top must stop */
    pg_bits free;
} pg_slots;

void pgi_slots_renew(pg_slots *slots);
void pgi_slots_lower_top(pg_slots *slots);
uint64_t pgi_slots_used(const pg_slots *slots);
uint32_t pgi_slots_search(pg_slots *slots, uint32_t floor);

static inline int pgi_slots_in_use(const pg_slots *slots, uint64_t slot)
{
    return slot > 0 && slot < slots->top && !(slot >= slots->span_next && slot < slots->span_end) &&
           !pgi_bits_has(&slots->free, (uint32_t)slot);
}

/* A slot above `floor`; 0 where there is none, or the quota is used up. */
PG_INLINE uint32_t pgi_slots_take(pg_slots *slots, uint32_t floor)
{
    uint64_t slot = slots->span_next;
    if (slot > floor && slot < slots->span_end) {
        slots->span_next = slot + 1;
        return (uint32_t)slot;
    }
    slot = slots->top;
    if ((uint64_t)floor + 1 < slots->free_end || PG_UNLIKELY(slot >= slots->top_end))
        return pgi_slots_search(slots, floor);
    PG_ASSERT(slot > floor);
    slots->top = slot + 1;
    return (uint32_t)slot;
}

/* The lowest slot of all: for nodes that may live long and hold all that is computed from them above themselves. */
PG_INLINE uint32_t pgi_slots_take_lowest(pg_slots *slots)
{
    if (slots->span_next < slots->span_end ? slots->span_next > slots->free_begin : slots->free_begin < slots->free_end)
        return pgi_slots_search(slots, 0);
    return pgi_slots_take(slots, 0);
}

PG_INLINE void pgi_slots_give(pg_slots *slots, uint32_t slot)
{
    PG_ASSERT(pgi_slots_in_use(slots, slot));
    if ((uint64_t)slot + 1 == slots->top) {
        slots->top = slot;
        if (slots->free_end >= slot || slots->span_end == slot) pgi_slots_lower_top(slots);
    }
    else if ((uint64_t)slot + 1 == slots->span_next && slot >= slots->span_begin) slots->span_next = slot;
    else {
        pgi_bits_add(&slots->free, slot);
        slots->free_count++;
        if (slots->free_begin > slot) slots->free_begin = slot;
        if (slots->free_end <= slot) slots->free_end = (uint64_t)slot + 1;
    }
}

#endif
