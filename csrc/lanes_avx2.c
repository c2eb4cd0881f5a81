/* Lanes for x86-64 processors with AVX2: four numbers an instruction instead of two, and the same bits. */
#if defined(__GNUC__) && defined(__x86_64__)    /* PG_HAS_AVX2, of lanes.h, which is to be compiled for AVX2 too */
#ifdef __clang__
#pragma clang attribute push(__attribute__((target("avx2"))), apply_to = function)
#else
#pragma GCC target("avx2")
#endif
#define PG_KERNEL pgi_execute_avx2
#include "lanes_kernel.h"
#ifdef __clang__
#pragma clang attribute pop
#endif
#else
typedef int pg_no_avx2;                 /* C wants something in a file */
#endif
