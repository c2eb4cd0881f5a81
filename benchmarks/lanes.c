/* Nanoseconds an element: libm's function in a loop over the lanes, and that of csrc/lanemath.h.
 *
 *     cc -std=c11 -O3 -ffp-contract=off -Icsrc benchmarks/lanes.c -lm && ./a.out */
#define _POSIX_C_SOURCE 200809L         /* clock_gettime */

#include <stdio.h>
#include <time.h>

#include "lanemath.h"

#define FUNCTIONS(F) \
    F(exp, exp, -10, 10) \
    F(expm1, expm1, -3, 3) \
    F(log, log, 0.001, 50) \
    F(log1p, log1p, -0.9, 9) \
    F(tanh, tanh, -4, 4) \
    F(tanh_dx, pgm_tanh_dx, -4, 4) \
    F(sigmoid, pgm_sigmoid, -6, 6) \
    F(sigmoid_dx, pgm_sigmoid_dx, -6, 6) \
    F(softplus, pgm_softplus, -6, 6) \
    F(erf, erf, -3, 3) \
    F(erf_dx, pgm_erf_dx, -3, 3) \
    F(sin, sin, -3, 3) \
    F(cos, cos, -3, 3)

enum { COUNT = 4096, TIMES = 400 };
double from[COUNT], to[COUNT];          /* not static: compilers would see that nothing reads what is written */

#define LOOPS(name, libm, low, high) \
    static void libm_##name(const double *restrict x, double *restrict z) \
    { \
        for (int i = 0; i < PGL_LANES; i++) z[i] = libm(x[i]); \
    }
FUNCTIONS(LOOPS)

static double random_below_1(void)      /* in an order that no branch predictor foresees */
{
    static uint64_t state = 0x9e3779b97f4a7c15;
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (double)(state >> 11) * 0x1p-53;
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static double best_of(void (*lanes)(const double *restrict, double *restrict))
{
    double best = HUGE_VAL;
    for (int k = 0; k < TIMES; k++) {
        const double start = now();
        for (int i = 0; i < COUNT; i += PGL_LANES) lanes(from + i, to + i);
        best = fmin(best, (now() - start) / COUNT);
    }
    return best;
}

int main(void)
{
#define ROW(name, libm, low, high) \
    for (int i = 0; i < COUNT; i++) from[i] = low + ((high) - (low)) * random_below_1(); \
    { \
        const double theirs = best_of(libm_##name), ours = best_of(pgl_##name##_lanes); \
        printf("%-12s %6.2f %6.2f %6.2f times\n", #name, theirs, ours, theirs / ours); \
    }
    FUNCTIONS(ROW)
    return 0;
}
