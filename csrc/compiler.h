/* What compilers have under different names. */
#ifndef PYGRAD_COMPILER_H
#define PYGRAD_COMPILER_H

#include <stdint.h>

#if defined(__GNUC__)
#define PG_LIKELY(condition) __builtin_expect(!!(condition), 1)
#define PG_NOINLINE __attribute__((noinline))
#define PG_INLINE static inline __attribute__((always_inline))  /* for callers with a constant op */
#else
#define PG_LIKELY(condition) (condition)
#define PG_NOINLINE
#define PG_INLINE static inline
#endif
#define PG_UNLIKELY(condition) (!PG_LIKELY(!(condition)))

/* The lowest and the highest bit of a word that is not zero. */
#if defined(_MSC_VER) && !defined(__clang__)
#include <intrin.h>
static inline unsigned pg_lowest(uint64_t word)
{
    unsigned long i;
    _BitScanForward64(&i, word);
    return i;
}
static inline unsigned pg_highest(uint64_t word)
{
    unsigned long i;
    _BitScanReverse64(&i, word);
    return i;
}
#else
static inline unsigned pg_lowest(uint64_t word) { return (unsigned)__builtin_ctzll(word); }
static inline unsigned pg_highest(uint64_t word) { return 63u - (unsigned)__builtin_clzll(word); }
#endif

#endif
