/* A set of 32-bit indices as a tree of bits: level 0 has one bit an index, and each further level one bit for each word
 * below it that is not zero. Finding the next member takes a word per level, however sparse the set. */
#ifndef PYGRAD_BITS_H
#define PYGRAD_BITS_H

#include <stdint.h>
#include <string.h>

#include "compiler.h"

enum { PG_LEVELS = 6 };
_Static_assert(6 * PG_LEVELS >= 32, "64^PG_LEVELS indices must be at least 2^32");

typedef struct pg_bits {
    uint64_t *level[PG_LEVELS]; /* one block, level 0 first; the last level is one word */
    int levels;
    uint64_t indices; /* how many it has room for */
} pg_bits;

static inline uint64_t pgi_bits_words(uint64_t indices, int level) { return ((indices - 1) >> (6 * (level + 1))) + 1; }

/* Words of the whole tree. */
static inline uint64_t pgi_bits_size(uint64_t indices)
{
    uint64_t words = 1;
    for (int l = 0; pgi_bits_words(indices, l) > 1; l++) words += pgi_bits_words(indices, l);
    return words;
}

/* Moves the set into `block`, which has room for `indices` (not fewer than before). */
static inline void pgi_bits_move(pg_bits *bits, uint64_t *block, uint64_t indices)
{
    int l = 0, old = bits->levels;
    memset(block, 0, (size_t)pgi_bits_size(indices) * sizeof *block);
    do {
        if (l < old) memcpy(block, bits->level[l], (size_t)pgi_bits_words(bits->indices, l) * sizeof *block);
        else if (l > 0) /* the smaller tree's last level was one word: the first of this one's */
            block[0] = bits->level[l - 1][0] != 0;
        bits->level[l] = block;
        block += pgi_bits_words(indices, l);
    } while (pgi_bits_words(indices, l++) > 1);
    bits->levels = l;
    bits->indices = indices;
}

static inline int pgi_bits_empty(const pg_bits *bits) { return !bits->level[bits->levels - 1][0]; }

static inline int pgi_bits_has(const pg_bits *bits, uint32_t i)
{ return (int)(bits->level[0][i >> 6] >> (i & 63) & 1); }

/* Marks, on the levels above, that word w of level 0 is no longer zero. */
static inline void pgi_bits_raise(pg_bits *bits, uint32_t w)
{
    for (int l = 1; l < bits->levels; l++) {
        uint64_t *word = &bits->level[l][w >> 6], before = *word;
        *word = before | (uint64_t)1 << (w & 63);
        if (before) return;
        w >>= 6;
    }
}

/* The same for a word that has become zero. */
static inline void pgi_bits_lower(pg_bits *bits, uint32_t w)
{
    for (int l = 1; l < bits->levels; l++) {
        uint64_t *word = &bits->level[l][w >> 6];
        if (*word &= ~((uint64_t)1 << (w & 63))) return;
        w >>= 6;
    }
}

static inline void pgi_bits_add(pg_bits *bits, uint32_t i)
{
    PG_ASSERT(i < bits->indices);
    uint64_t *word = &bits->level[0][i >> 6], before = *word;
    *word = before | (uint64_t)1 << (i & 63);
    if (!before) pgi_bits_raise(bits, i >> 6);
}

static inline void pgi_bits_drop(pg_bits *bits, uint32_t i)
{
    PG_ASSERT(pgi_bits_has(bits, i));
    uint64_t *word = &bits->level[0][i >> 6];
    if (!(*word &= ~((uint64_t)1 << (i & 63)))) pgi_bits_lower(bits, i >> 6);
}

/* The lowest member >= i, or `indices` when there is none. */
static inline uint64_t pgi_bits_next(const pg_bits *bits, uint64_t i)
{
    for (int l = 0; l < bits->levels && i >> 6 < pgi_bits_words(bits->indices, l); l++) {
        uint64_t word = bits->level[l][i >> 6] >> (i & 63);
        if (word) {
            for (i += pgi_lowest(word); l > 0; l--) i = i << 6 | pgi_lowest(bits->level[l - 1][i]);
            return i;
        }
        i = (i >> 6) + 1;
    }
    return bits->indices;
}

/* Takes out the highest word of level 0 that is not zero: its index and its bits. 0 where there is none. */
static inline int pgi_bits_take_last(pg_bits *bits, uint64_t *index, uint64_t *word)
{
    uint64_t w = 0;
    if (pgi_bits_empty(bits)) return 0;
    for (int l = bits->levels - 1; l > 0; l--) w = w << 6 | pgi_highest(bits->level[l][w]);
    *index = w;
    *word = bits->level[0][w];
    bits->level[0][w] = 0;
    pgi_bits_lower(bits, (uint32_t)w);
    return 1;
}

#endif
