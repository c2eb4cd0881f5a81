/* What compilers have under different names, and assertions. */
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

/* What must hold whatever a caller does. Compiled with -DPG_CHECKED, as under the sanitizers and the fuzzer, a false
 * one ends the process; else it costs nothing. */
#ifdef PG_CHECKED
#include <stdio.h>
#include <stdlib.h>
#define PG_ASSERT(condition) \
    do { \
        if (PG_UNLIKELY(!(condition))) { \
            fprintf(stderr, "%s:%d: assertion failed: %s\n", __FILE__, __LINE__, #condition); \
            abort(); \
        } \
    } while (0)
#else
#define PG_ASSERT(condition) ((void)0)
#endif

/* The lowest and the highest bit of a word that is not zero. */
#if defined(_MSC_VER) && !defined(__clang__)
#include <intrin.h>
static inline unsigned pgi_lowest(uint64_t word)
{
    unsigned long i;
    _BitScanForward64(&i, word);
    return i;
}
static inline unsigned pgi_highest(uint64_t word)
{
    unsigned long i;
    _BitScanReverse64(&i, word);
    return i;
}
#else
static inline unsigned pgi_lowest(uint64_t word) { return (unsigned)__builtin_ctzll(word); }
static inline unsigned pgi_highest(uint64_t word) { return 63u - (unsigned)__builtin_clzll(word); }
#endif

#endif
