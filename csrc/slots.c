/* Free slots above a floor. */
#include "slots.h"

uint64_t pgi_slots_used(const pg_slots *slots)
{ return slots->top - 1 - slots->free_count - (slots->span_end - slots->span_next); }

/* The top has come down to a free slot: take it off, and the free ones below. Rare, so not inlined. */
PG_NOINLINE void pgi_slots_lower_top(pg_slots *slots)
{
    for (;;) {
        const uint64_t last = slots->top - 1;
        const unsigned bit = (unsigned)(last & 63);
        uint64_t *word = &slots->free.level[0][last >> 6];
        if (*word >> bit & 1) {
            const uint64_t used = ~(*word << (63 - bit));   /* bit 63 stands for `last` */
            const unsigned row = used ? 63 - pgi_highest(used) : 64;
            *word &= ~(~(uint64_t)0 >> (64 - row) << (bit + 1 - row));
            if (!*word) pgi_bits_lower(&slots->free, (uint32_t)(last >> 6));
            slots->free_count -= row;
            slots->top -= row;
        }
        else if (slots->top == slots->span_end && slots->span_next < slots->span_end) {
            slots->top = slots->span_next;
            slots->quota_left += slots->span_end - slots->span_next;
            slots->span_begin = slots->span_next = slots->span_end = 0;
        }
        else break;
    }
    if (slots->free_end > slots->top) slots->free_end = slots->top;
}

/* Puts what is left of the span back among the free slots. */
static PG_NOINLINE void end_span(pg_slots *slots)
{
    uint64_t from = slots->span_next, left = slots->span_end - from;
    slots->span_begin = slots->span_next = slots->span_end = 0;
    pgi_bits_add(&slots->free, (uint32_t)from);
    slots->free.level[0][from >> 6] |= (~(uint64_t)0 >> (64 - left)) << (from & 63);    /* a span stays in a word */
    slots->free_count += left;
    slots->quota_left += left;
    if (slots->free_begin > from) slots->free_begin = from;
    if (slots->free_end < from + left) slots->free_end = from + left;
    PG_ASSERT(from + left < slots->top);
}

/* Begins the quota anew: the caller has given back what it had to give. */
void pgi_slots_renew(pg_slots *slots)
{
    const uint64_t end = slots->top + slots->quota, span = slots->span_end - slots->span_next;
    if (PG_UNLIKELY(span > slots->quota)) end_span(slots);
    slots->quota_left = slots->quota - (slots->span_end - slots->span_next); /* what the span has counts as taken */
    slots->top_end = end < slots->capacity ? end : slots->capacity;
}

/* Makes the free slots in a row from `slot` on, as far as its word and the quota go, the span. */
static void begin_span(pg_slots *slots, uint64_t slot)
{
    uint64_t *word = &slots->free.level[0][slot >> 6], row = *word >> (slot & 63);
    unsigned length = ~row ? pgi_lowest(~row) : 64;
    if (length > slots->quota_left) length = (unsigned)slots->quota_left;
    *word &= ~((~(uint64_t)0 >> (64 - length)) << (slot & 63));
    if (!*word) pgi_bits_lower(&slots->free, (uint32_t)(slot >> 6));
    PG_ASSERT(length > 0 && slots->free_count >= length);
    slots->free_count -= length;
    slots->quota_left -= length;
    slots->span_begin = slots->span_next = slot;
    slots->span_end = slot + length;
}

/* pgi_slots_take where neither the span nor the top will do at once. */
uint32_t pgi_slots_search(pg_slots *slots, uint32_t floor)
{
    uint64_t slot, above = (uint64_t)floor + 1;
    if (slots->span_next < slots->span_end) end_span(slots);
    else slots->span_begin = slots->span_next = slots->span_end = 0;
    slot = pgi_bits_next(&slots->free, above);
    if (slot < slots->free_end) {
        if (!slots->quota_left) return 0;
        begin_span(slots, slot);
        if (above <= slots->free_begin) slots->free_begin = slots->span_end;
        return (uint32_t)slots->span_next++;
    }
    if (slots->free_end > above) slots->free_end = above;
    if (above <= slots->free_begin) slots->free_begin = slots->free_end;
    if (slots->top >= slots->top_end) return 0;
    PG_ASSERT(slots->top > floor);
    return (uint32_t)slots->top++;
}
