/* The functions of lanemath.h against libm's of long double, where that is wider; at their edges; and that a lane's
 * result is its own operand's, whatever stands beside it.
 *
 *     test_lanemath [POINTS]           for each function and interval */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lanemath.h"
#include "opmath.h"

#define LENGTH(array) (sizeof(array) / sizeof *(array))

typedef struct function {
    const char *name;
    double (*one)(double);
    void (*lanes)(const double *restrict, double *restrict);
    double (*libm)(double);             /* for what is not finite, and zeros */
    long double (*wide)(long double);
    double bound;                       /* ulp */
    double intervals[6][2];
} function;

static uint64_t random_state = 0x9e3779b97f4a7c15;

static double random_below_1(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (double)(random_state >> 11) * 0x1p-53;
}

static long double sigmoidl(long double x) { return x < 0 ? expl(x) / (1 + expl(x)) : 1 / (1 + expl(-x)); }
static long double sigmoid_dxl(long double x)
{
    const long double e = expl(-fabsl(x));
    return e / ((1 + e) * (1 + e));
}
static long double tanh_dxl(long double x) { return 4 * sigmoid_dxl(2 * x); }
static long double softplusl(long double x) { return (x > 0 ? x : 0) + log1pl(expl(-fabsl(x))); }
static long double erf_dxl(long double x) { return 1.1283791670955125738961589031215L * expl(-x * x); }

static const function functions[] = {
#define ROW(name, libm, wide) #name, pgl_##name, pgl_##name##_lanes, libm, wide
    {ROW(exp, exp, expl), 0.9, {{-746, 710}, {-1, 1}, {-0.35, 0.35}, {-709, -705}}},
    {ROW(expm1, expm1, expm1l), 1.7, {{-42, 711}, {-1, 1}, {-0.35, 0.35}, {-1e-3, 1e-3}}},
    {ROW(log, log, logl), 1.1, {{0, 2}, {0.5, 2}, {0.9, 1.1}, {0, 1e300}, {0, 1e-307}}},
    {ROW(log1p, log1p, log1pl), 1.2, {{-1, 2}, {-0.5, 1}, {-1e-3, 1e-3}, {0, 1e300}, {-1, 1e17}}},
    {ROW(tanh, tanh, tanhl), 1.3, {{-23, 23}, {-1, 1}, {-0.2, 0.2}, {-1e-3, 1e-3}}},
    {ROW(tanh_dx, pgm_tanh_dx, tanh_dxl), 3.3, {{-373, 373}, {-10, 10}, {-1, 1}}},
    {ROW(sigmoid, pgm_sigmoid, sigmoidl), 1.9, {{-746, 50}, {-40, 40}, {-10, 10}, {-1, 1}}},
    {ROW(sigmoid_dx, pgm_sigmoid_dx, sigmoid_dxl), 3.3, {{-746, 746}, {-10, 10}, {-1, 1}}},
    {ROW(softplus, pgm_softplus, softplusl), 1.7, {{-746, 50}, {-10, 10}, {-1, 1}}},
    {ROW(erf, erf, erfl), 1.8, {{-6, 6}, {-1, 1}, {0.9, 1.3}, {1, 3}}},
    {ROW(sin, sin, sinl), 1.0, {{-0.8, 0.8}, {-4, 4}, {-100, 100}, {-32768, 32768}, {-40000, 40000}}},
    {ROW(cos, cos, cosl), 1.0, {{-0.8, 0.8}, {-4, 4}, {-100, 100}, {-32768, 32768}, {-40000, 40000}}},
    {ROW(erf_dx, pgm_erf_dx, erf_dxl), 1.0, {{-28, 28}, {-1, 1}, {-3, 3}}},
};

static const double edges[] = {
    0.0,    0x1p-1074,  0x1p-1023, DBL_MIN, 1e-300,   1e-20, 1e-16,   0x1p-53,  0x1p-27, 0.1,   0.3465735902799726,
    0.5,    0.70710678, 1.0,       1.5,     2.0,      3.5,   20.0,    36.7,     708.0,   708.5, 709.782712893384,
    709.79, 710.0,      744.4,     745.0,   745.1332, 745.2, 746.0,   1e3,      1e5,     1e15,  0x1p52,
    0x1p53, 0x1p54,     1e22,      1e100,   1e300,    1e305, DBL_MAX, HUGE_VAL,
};

static double ulp_of(double z)
{
    z = fabs(z);
    return z < DBL_MIN ? 0x1p-1074 : z > DBL_MAX / 2 ? 0x1p971 : nextafter(z, HUGE_VAL) - z;
}

static int same_bits(double x, double y) { return pgl_bits(x) == pgl_bits(y) || (isnan(x) && isnan(y)); }

static int failures;

static void fail(const char *what, const function *f, double x, double got, double expected)
{
    fprintf(stderr, "%s: %s at %a (%.17g): %.17g, not %.17g\n", f->name, what, x, x, got, expected);
    failures++;
}

/* In ulp of the result that is right; -1 where that is no finite number. */
static double error_at(const function *f, double x, double got)
{
    const long double right = f->wide((long double)x);
    const double rounded = (double)right;
    if (!isfinite(rounded) || !isfinite(got)) return same_bits(rounded, got) ? 0.0 : HUGE_VAL;
    return (double)(fabsl((long double)got - right) / (long double)ulp_of(rounded));
}

static void test_edges(const function *f)
{
    for (size_t i = 0; i < 2 * LENGTH(edges) + 1; i++) {
        const double x = i == 2 * LENGTH(edges) ? NAN : i % 2 ? -edges[i / 2] : edges[i / 2];
        const double expected = f->libm(x), got = f->one(x);
        if (isfinite(expected) && (expected != 0.0 || x != 0.0)) {
            if (!(fabs(got - expected) <= (f->bound + 2.0) * ulp_of(expected))) fail("an edge", f, x, got, expected);
        }
        else if (!same_bits(got, expected)) {
            fail("an edge", f, x, got, expected);
        }
    }
}

/* Each lane filled in turn with an edge, the others with ordinary numbers, and the other way round. */
static void test_lanes(const function *f)
{
    double x[PGL_LANES], z[PGL_LANES];
    for (size_t round = 0; round < 4 * LENGTH(edges) * PGL_LANES; round++) {
        for (size_t i = 0; i < PGL_LANES; i++) {
            x[i] = 4.0 * random_below_1() - 2.0;
            if (i == round % PGL_LANES || random_below_1() < 0.1)
                x[i] = (round & 32 ? -1.0 : 1.0) * edges[(size_t)(random_below_1() * (double)LENGTH(edges))];
            if (random_below_1() < 0.02) x[i] = NAN;
        }
        f->lanes(x, z);
        for (size_t i = 0; i < PGL_LANES; i++)
            if (!same_bits(z[i], f->one(x[i]))) fail("a lane", f, x[i], z[i], f->one(x[i]));
    }
}

static void test_accuracy(const function *f, long points, int show)
{
    double worst = 0.0, at = 0.0, x[PGL_LANES], z[PGL_LANES];
    if (LDBL_MANT_DIG <= DBL_MANT_DIG) return;
    for (size_t k = 0; k < LENGTH(f->intervals) && f->intervals[k][0] < f->intervals[k][1]; k++) {
        const double low = f->intervals[k][0], high = f->intervals[k][1];
        for (long n = 0; n < points; n += PGL_LANES) {
            for (size_t i = 0; i < PGL_LANES; i++) x[i] = low + (high - low) * random_below_1();
            f->lanes(x, z);
            for (size_t i = 0; i < PGL_LANES; i++) {
                const double error = error_at(f, x[i], z[i]);
                if (error > worst || isnan(error)) {
                    worst = error;
                    at = x[i];
                }
            }
        }
    }
    if (show) printf("%-12s %.3f ulp, at %.17g (%a)\n", f->name, worst, at, at);
    if (!(worst <= f->bound)) fail("an error", f, at, f->one(at), (double)f->wide((long double)at));
}

int main(int argc, char **argv)
{
    const long points = argc > 1 ? atol(argv[1]) : 20000;
    for (size_t i = 0; i < LENGTH(functions); i++) {
        test_edges(functions + i);
        test_lanes(functions + i);
        test_accuracy(functions + i, points, argc > 1);
    }
    if (failures) return 1;
    puts("all passed");
    return 0;
}
