/* Mathematical functions that compilers turn into vector instructions: a loop over lanes takes from two thirds to a
 * third of what calls of libm take.
 *
 *     double pgl_NAME(double x)
 *     void pgl_NAME_lanes(const double *restrict x, double *restrict z)       PGL_LANES of each; x and z are two arrays
 *
 * for exp, expm1, log, log1p, tanh, tanh_dx, sigmoid, sigmoid_dx, softplus, erf, erf_dx, sin and cos. Both compute
 * the same, to the bit: what stands in the other lanes changes nothing, and neither does the machine, as long as each
 * operation rounds once (-ffp-contract=off, no -ffast-math). Nan, infinities and zeros give what libm gives.
 *
 * There are no branches, no tables to look into, no conversions between doubles and integers and no comparisons of
 * integers, so SSE2 and NEON suffice. Where that would cost much, operands that are not ordinary go to libm
 * afterwards.
 *
 * Bounds are in ulp of the result; u is 2^-53. "E + R": E of the last operation, which is exact but for its rounding,
 * and R of what goes into it, each step's largest error there. tests/c/test_lanemath.c looks for larger ones. */
#ifndef PYGRAD_LANEMATH_H
#define PYGRAD_LANEMATH_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "opmath.h"

enum { PGL_LANES = 8 };

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC push_options
/* O3 vectorizes, where it need not mind which exceptions are flagged. Threaded jumps copy what follows a choice into
 * both arms, and both are computed then. */
#pragma GCC optimize("O3", "no-trapping-math", "no-thread-jumps")
#endif

/* -- the polynomials of benchmarks/minimax.py, with their weighted errors ------------------------------ */

/* error: 2^-61.78 */
static const double pgl_ratio_table[] = {
    0x1.555555555552dp-3, -0x1.6c16c16bda0a3p-9, 0x1.1566aac0a2745p-14, -0x1.bbd3aaf2e1013p-20, 0x1.63490cad93659p-25,
};
/* error: 2^-58.87 */
static const double pgl_log_table[] = {
    0x1.5555555555592p-1, 0x1.999999997fd66p-2, 0x1.24924941f609ep-2, 0x1.c71c52050acd4p-3,
    0x1.74663fdc07d86p-3, 0x1.39a1a0af31f47p-3, 0x1.2f0676f4a64d5p-3,
};
/* error: 2^-61.44 */
static const double pgl_softplus_table[] = {
    0x1.555555555554fp-1, 0x1.999999999c107p-2, 0x1.24924921eb13ap-2, 0x1.c71c7489b7551p-3,
    0x1.745c4c46e08f9p-3, 0x1.3b35924c3635cp-3, 0x1.0dcea4fc3bc39p-3, 0x1.1b6cd72d733b5p-3,
};
/* error: 2^-54.83 */
static const double pgl_erf_table[] = {
    0x1.06eba8214db68p-3,  -0x1.812746b0379c2p-2,  0x1.ce2f21a041018p-4,  -0x1.b82ce312062bcp-6,
    0x1.565bccfa9a825p-8,  -0x1.c02db072f3fe0p-11, 0x1.f9a2bf73f0c68p-14, -0x1.f4ca94990cb86p-17,
    0x1.b9827b1885f9bp-20, -0x1.5c16e30fb0d45p-23, 0x1.d784936618cc2p-27, -0x1.acdff90b8ebd8p-31,
};
/* error: 2^-55.01 */
static const double pgl_erfc_table[] = {
    0x1.df3c0b461d910p-16, 0x1.203a37787dc43p-1,  0x1.2722b309382ccp+0,  0x1.b0620047f96fbp+0,
    0x1.40044a882cd18p+2,  -0x1.12a6cfd8c3b46p+3, 0x1.368584909b213p+5,  -0x1.70a4a89f7730cp+6,
    0x1.24a6fbe6e8b81p+6,  0x1.4347ceba6e59fp+5,  -0x1.9cb82fdbc43e7p+6, 0x1.9011b75b15ebap+5,
};
/* error: 2^-57.23 */
static const double pgl_sin_table[] = {
    0x1.5555555555549p-3,   -0x1.111111110f87ep-7, 0x1.a01a019c12190p-13,
    -0x1.71de35782244dp-19, 0x1.ae5e668ca31c2p-26, -0x1.5d931822b08a0p-33,
};
/* error: 2^-59.93 */
static const double pgl_cos_table[] = {
    0x1.555555555554cp-5,   -0x1.6c16c16c15180p-10, 0x1.a01a019cb1fb5p-16,
    -0x1.27e4f80a1d2bap-22, 0x1.1ee9ec07ad53ep-29,  -0x1.8faeac6d6149bp-37,
};

/* Neighbours are joined in pairs, and these in pairs, so that few steps wait for each other. */
#define PGL_2(c, i, x) (c[i] + c[(i) + 1] * x)
#define PGL_4(c, i, x, x2) (PGL_2(c, i, x) + PGL_2(c, (i) + 2, x) * x2)
#define PGL_8(c, i, x, x2, x4) (PGL_4(c, i, x, x2) + PGL_4(c, (i) + 4, x, x2) * x4)
#define PGL_12(c, x, x2, x4) (PGL_8(c, 0, x, x2, x4) + PGL_4(c, 8, x, x2) * (x4 * x4))

/* -- bits ---------------------------------------------------------------------------------------------- */

static inline uint64_t pgl_bits(double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static inline double pgl_double(uint64_t bits)
{
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

#define PGL_SIGN 0x8000000000000000

static inline double pgl_with_sign_of(double size, double x)
{ return pgl_double((pgl_bits(size) & ~PGL_SIGN) | (pgl_bits(x) & PGL_SIGN)); }

/* The upper 26 bits: a product of two such numbers is exact, and so is x - pgl_upper(x). */
static inline double pgl_upper(double x) { return pgl_double(pgl_bits(x) & 0xfffffffff8000000); }

/* These leave nan as it is. */
static inline double pgl_at_most(double x, double most) { return x > most ? most : x; }
static inline double pgl_at_least(double x, double least) { return x < least ? least : x; }

/* -- exponentials -------------------------------------------------------------------------------------- */

#define PGL_LN2_HIGH 0x1.62e42fefa38p-1         /* 42 bits: its product with a whole number below 2^11 is exact */
#define PGL_LN2_LOW 0x1.ef35793c7673p-45
#define PGL_LOG2_E 0x1.71547652b82fep+0
#define PGL_TO_WHOLE 0x1.8p52                   /* what is added to it becomes whole, and stands in the low bits */

/* e^r - 1 - head of r = head - low, |r| <= ln(2) / 2 with low a rounding error's size. r coth(r / 2) = 2 + z P(z), z =
 * r^2, is even, so with c = r - z P(z) e^r is (2 + r - c + r) / (2 - c) = 1 + r + r c / (2 - c). Off by at most 0.36
 * u, by 0.27 u for negative r: r's own rounding, and that of a quotient below 0.07. */
static inline double pgl_exp_rest(double head, double low)
{
    const double r = head - low, z = r * r, z2 = z * z;
    const double c = r - z * (PGL_4(pgl_ratio_table, 0, z, z2) + pgl_ratio_table[4] * (z2 * z2));
    return r * c / (2.0 - c) - low;
}

/* e^x = 2^n (1 + head + rest), where head has no error: |x| < 2^10. */
typedef struct pgl_parts {
    double head, rest;
    uint64_t n;                         /* and what was asked to be added to it, in the low 12 bits */
} pgl_parts;

static inline pgl_parts pgl_exp_parts(double x, double added)
{
    const double whole = PGL_TO_WHOLE + added, shifted = x * PGL_LOG2_E + whole, n = shifted - whole;
    const double head = x - n * PGL_LN2_HIGH;
    return (pgl_parts){head, pgl_exp_rest(head, n * PGL_LN2_LOW), pgl_bits(shifted)};
}

/* 1 + head + rest, rounded once: 0.5 + 0.3 */
static inline double pgl_one_plus(double head, double rest)
{
    const double sum = 1.0 + head;
    return sum + (((1.0 - sum) + head) + rest);
}

/* 2^n, of n + 1023; and, of n + 2046, in two factors that have it where it is subnormal or more than there is. */
static inline double pgl_power(uint64_t n) { return pgl_double(n << 52); }
static inline double pgl_times_power(double x, uint64_t n)
{ return x * pgl_double(n >> 1 << 52) * pgl_double((n - (n >> 1)) << 52); }

/* 0.5 + 0.3; of a subnormal result 0.9, as it is rounded twice. */
static inline double pgl_exp(double x)
{
    const pgl_parts e = pgl_exp_parts(pgl_at_least(pgl_at_most(x, 710.0), -746.0), 2046.0);
    return pgl_times_power(pgl_one_plus(e.head, e.rest), e.n);
}

/* 2 ((s - 1/2) + s head + s rest) with s = 2^(n-1), of which the first sum is known to the last bit: 0.5 + 1.2, at 0.35
 * where 1 cancels most. */
static inline double pgl_expm1(double x)
{
    const pgl_parts e = pgl_exp_parts(pgl_at_least(pgl_at_most(x, 710.0), -40.0), 1022.0);
    const double s = pgl_power(e.n), one = s - 0.5, part = s * e.head, sum = one + part;
    const double z = 2.0 * (sum + (((one - sum) + part) + s * e.rest));
    return fabs(x) < 0x1p-54 ? x : z;
}

/* t = E / (2 + E) with E = e^(-2|x|) - 1 is -tanh|x|. E and d = 2 + E are known beyond their last bit, and t's upper
 * half times d too, so that what t lacks of the quotient can be added to it: 0.5 + 0.8. */
static inline double pgl_tanh(double x)
{
    const pgl_parts e = pgl_exp_parts(-2.0 * pgl_at_most(fabs(x), 22.0), 1023.0);
    const double s = pgl_power(e.n), one = s - 1.0, part = s * e.head, sum = one + part;
    const double lost = (((one - sum) + part) + (s - (1.0 + one))) + s * e.rest, E = sum + lost,
                 E_rest = (sum - E) + lost;
    const double d = 2.0 + E, d_upper = pgl_upper(d), d_lower = (d - d_upper) + (((2.0 - d) + E) + E_rest);
    const double t = E / d, upper = pgl_upper(t), lacks = ((E - upper * d_upper) - upper * d_lower) + E_rest;
    return pgl_with_sign_of(upper + lacks * (0.5 - 0.5 * t), x);        /* 1 / d = (1 - t) / 2 */
}

/* 1 / (1 + e^-x); 0.5 + 1.4: e^-x, then 1 + e^-x rounded. Where 2^n swallows the 1, it is kept. */
static inline double pgl_sigmoid_ordinary(double x)
{
    const pgl_parts e = pgl_exp_parts(-pgl_at_most(x, 708.0), 1023.0);
    const double s = pgl_power(e.n), one = 1.0 + s;
    return 1.0 / (one + (s * (e.head + e.rest) + (1.0 - (one - s))));
}

/* top / (2 + e^|x| + e^-|x|): 0.5 + 2.8 */
static inline double pgl_bell(double x, double top)
{
    const pgl_parts parts = pgl_exp_parts(fabs(x), 1023.0);
    const double s = pgl_power(parts.n), e = s + s * (parts.head + parts.rest);
    return top / (e + (2.0 + 1.0 / e));
}
static inline double pgl_sigmoid_dx_ordinary(double x) { return pgl_bell(x, 1.0); }
static inline double pgl_tanh_dx_ordinary(double x) { return pgl_bell(2.0 * x, 4.0); }

/* Their sign bits say that x is not ordinary: the result is near the subnormal ones. */
static inline uint64_t pgl_sigmoid_oddness(double x)
{
    const uint64_t below_minus_708 = pgl_bits(x) - 0xc086200000000001;
    return pgl_bits(x) & ~below_minus_708;
}
static inline uint64_t pgl_softplus_oddness(double x) { return pgl_sigmoid_oddness(x); }
static inline uint64_t pgl_sigmoid_dx_oddness(double x) { return 0x4086200000000000 - (pgl_bits(x) & ~PGL_SIGN); }
static inline uint64_t pgl_tanh_dx_oddness(double x) { return 0x4076200000000000 - (pgl_bits(x) & ~PGL_SIGN); }

/* 2 / sqrt(pi) e^(-x^2) = e^(l - x^2), with l = ln(2 / sqrt(pi)) taken off from n ln(2). x^2 is known beyond its last
 * bit through x's upper half. 0.5 + 0.4; subnormal 1. */
static inline double pgl_erf_dx(double x)
{
    const double l_high = 0x1.eeb95b094cp-4, l_low = 0x1.914d1a18fd62cp-48;
    const double size = pgl_at_most(fabs(x), 28.0), upper = pgl_upper(size), square = size * size;
    const double square_rest = (upper * upper - square) + (size + upper) * (size - upper);
    const double whole = PGL_TO_WHOLE + 2046.0, shifted = (l_high - square) * PGL_LOG2_E + whole, n = shifted - whole;
    const double head = (l_high - n * PGL_LN2_HIGH) - square;
    const double rest = pgl_exp_rest(head, n * PGL_LN2_LOW + (square_rest - l_low));
    return pgl_times_power(pgl_one_plus(head, rest), pgl_bits(shifted));
}

/* |x| + |x| P(x^2) below 1, where P is off by 1.3 u, most of it z's and its second term's; else
 * 1 - e^(-x^2) P(1 / (|x| + 2)), of which what is taken off is at most 0.16 and off by 8 u: both 0.5 + 1.3. */
static inline double pgl_erf(double x)
{
    const double size = fabs(x), z = size * size, z2 = z * z;
    const double small = size + size * PGL_12(pgl_erf_table, z, z2, (z2 * z2));
    const double large = pgl_at_most(size, 6.0), t = 1.0 / (large + 2.0), t2 = t * t;
    const pgl_parts e = pgl_exp_parts(-(large * large), 1023.0);
    const double missing = (1.0 + (e.head + e.rest)) * pgl_power(e.n) * PGL_12(pgl_erfc_table, t, t2, (t2 * t2));
    return pgl_with_sign_of(size < 1.0 ? small : 1.0 - missing, x);
}

/* -- logarithms ---------------------------------------------------------------------------------------- */

/* x = 2^k (1 + f) with 1 + f from sqrt(1/2) to sqrt(2), for a normal x > 0. */
#define PGL_ROOT 0x3fe6a09e00000000
static inline uint64_t pgl_moved(double x) { return pgl_bits(x) + (0x3ff0000000000000 - PGL_ROOT); }
static inline double pgl_k(uint64_t moved) { return pgl_double(moved >> 52 | 0x4330000000000000) - (0x1p52 + 1023.0); }
static inline double pgl_f(uint64_t moved) { return pgl_double((moved & 0xfffffffffffff) + PGL_ROOT) - 1.0; }

/* f - log(1 + f). With s = f / (2 + f), log(1 + f) = 2 atanh(s) = s (2 + z P(z)), z = s^2, and 2 s = f - s f. Off by
 * 0.22 u, as it is at most 0.07. */
static inline double pgl_log_rest(double f, double s)
{
    const double z = s * s, z2 = z * z;
    return s * (f - z * (PGL_4(pgl_log_table, 0, z, z2) +
                         (PGL_2(pgl_log_table, 4, z) + pgl_log_table[6] * z2) * (z2 * z2)));
}

/* (k ln(2) + f) - (f - log(1 + f)), where the first sum is known to the last bit: 0.5 + 0.6 */
static inline double pgl_log_ordinary(double x)
{
    const uint64_t moved = pgl_moved(x);
    const double f = pgl_f(moved), k = pgl_k(moved), high = k * PGL_LN2_HIGH, sum = high + f;
    return sum + (((high - sum) + f) + (k * PGL_LN2_LOW - pgl_log_rest(f, f / (2.0 + f))));
}

/* log(u) + missing / u where u = 1 + x, rounded, and missing is what was lost. 1 / (1 + f) is taken as (1 - s)^2 (1 +
 * s^2): 0.5 + 0.7. */
static inline double pgl_log1p_ordinary(double x)
{
    const double u = 1.0 + x, back = u - 1.0, missing = (1.0 - (u - back)) + (x - back);
    const uint64_t moved = pgl_moved(u);
    const double f = pgl_f(moved), k = pgl_k(moved), high = k * PGL_LN2_HIGH, sum = high + f, s = f / (2.0 + f);
    const double scaled = missing * pgl_double(0x7fe0000000000000 - (moved & 0x7ff0000000000000));      /* by 2^-k */
    const double rest = k * PGL_LN2_LOW + scaled * ((1.0 - s) * (1.0 - s) * (1.0 + s * s));
    const double z = sum + (((high - sum) + f) + (rest - pgl_log_rest(f, s)));
    return fabs(x) < 0x1p-54 ? x : z;
}

/* Their sign bits say that x, or 1 + x, is not from 2^-1022 to the largest number, or 2^1021. */
static inline uint64_t pgl_log_oddness(double x)
{
    const uint64_t bits = pgl_bits(x);
    return bits | (bits - 0x0010000000000000) | (0x7fefffffffffffff - bits);
}
static inline uint64_t pgl_log1p_oddness(double x)
{
    const uint64_t bits = pgl_bits(1.0 + x);
    return bits | (bits - 0x0010000000000000) | (0x7fc0000000000000 - bits);
}

/* max(x, 0) + log(1 + e) with e = e^-|x|, of which more than 1/2 is taken as 1 + e = 2 (1 + f): 0.5 + 1.2, e's error
 * and the quotient's. */
static inline double pgl_softplus_ordinary(double x)
{
    const pgl_parts parts = pgl_exp_parts(pgl_at_least(-fabs(x), -708.0), 1023.0);
    const double e = pgl_one_plus(parts.head, parts.rest) * pgl_power(parts.n);
    const double f = e > 0.5 ? 0.5 * (e - 1.0) : e, s = f / (2.0 + f), z = s * s, z2 = z * z;
    const double high = e > 0.5 ? PGL_LN2_HIGH : 0.0, low = e > 0.5 ? PGL_LN2_LOW : 0.0, sum = high + f;
    const double rest = s * (f - z * PGL_8(pgl_softplus_table, 0, z, z2, (z2 * z2)));
    return (x > 0.0 ? x : 0.0) + (sum + (((high - sum) + f) + (low - rest)));
}

/* -- sine and cosine ----------------------------------------------------------------------------------- */

/* sin(x + turns pi/2) for |x| <= 2^15. n = x / (pi/2) rounded has 15 bits, and of the three parts of pi/2 the first two
 * have 38: their products are exact (Cody and Waite), and x - n pi/2 = head - low is known to 2^-114, where at least
 * 2^-58 is left of it. Of r = head that is r - r z P(z) or 1 - z / 2 + z^2 P(z), z = r^2, and low times the slope: 0.5
 * + 0.4. */
static inline double pgl_sine(double x, uint64_t turns)
{
    const double shifted = x * 0x1.45f306dc9c883p-1 + PGL_TO_WHOLE, n = shifted - PGL_TO_WHOLE;
    const double most = x - n * 0x1.921fb54440000p+0, middle = n * 0x1.68c234c4c0000p-39, head = most - middle;
    const double low = (middle - (most - head)) + n * 0x1.98a2e03707345p-77;
    const double z = head * head, z2 = z * z, half = 0.5 * z, one = 1.0 - half;
    const double p = PGL_4(pgl_sin_table, 0, z, z2) + PGL_2(pgl_sin_table, 4, z) * (z2 * z2);
    const double q = PGL_4(pgl_cos_table, 0, z, z2) + PGL_2(pgl_cos_table, 4, z) * (z2 * z2);
    const double sine = head - (low * one + head * z * p),
                 cosine = one + (((1.0 - one) - half) + (z2 * q + head * low));
    const uint64_t quarter = pgl_bits(shifted) + turns, odd = 0 - (quarter & 1), sign = quarter >> 1 << 63;
    return pgl_double(((pgl_bits(sine) & ~odd) | (pgl_bits(cosine) & odd)) ^ sign);
}
static inline double pgl_sin_ordinary(double x) { return pgl_sine(x, 0); }
static inline double pgl_cos_ordinary(double x) { return pgl_sine(x, 1); }

/* Their sign bits say that |x| is above 2^15. */
static inline uint64_t pgl_sin_oddness(double x) { return 0x40e0000000000000 - (pgl_bits(x) & ~PGL_SIGN); }
static inline uint64_t pgl_cos_oddness(double x) { return pgl_sin_oddness(x); }

/* -- over the lanes ------------------------------------------------------------------------------------ */

#define PGL_OVER_LANES(name) \
    static inline void pgl_##name##_lanes(const double *restrict x, double *restrict z) \
    { \
        for (int i = 0; i < PGL_LANES; i++) z[i] = pgl_##name(x[i]); \
    }

/* `other` computes what is not ordinary. */
#define PGL_OVER_ORDINARY_LANES(name, other) \
    static inline double pgl_##name(double x) \
    { return pgl_##name##_oddness(x) >> 63 ? other(x) : pgl_##name##_ordinary(x); } \
    static inline void pgl_##name##_lanes(const double *restrict x, double *restrict z) \
    { \
        uint64_t odd = 0; \
        for (int i = 0; i < PGL_LANES; i++) { \
            z[i] = pgl_##name##_ordinary(x[i]); \
            odd |= pgl_##name##_oddness(x[i]); \
        } \
        if (odd >> 63) \
            for (int i = 0; i < PGL_LANES; i++) \
                if (pgl_##name##_oddness(x[i]) >> 63) z[i] = other(x[i]); \
    }

/* All of them, by the names of the operations that they are. */
#define PGL_FUNCTIONS(each) \
    each(exp) each(expm1) each(log) each(log1p) each(tanh) each(tanh_dx) each(sigmoid) each(sigmoid_dx) each(softplus) \
        each(sin) each(cos) each(erf) each(erf_dx)

PGL_OVER_LANES(exp)
PGL_OVER_LANES(expm1)
PGL_OVER_ORDINARY_LANES(log, log)
PGL_OVER_ORDINARY_LANES(log1p, log1p)
PGL_OVER_LANES(tanh)
PGL_OVER_ORDINARY_LANES(tanh_dx, pgm_tanh_dx)
PGL_OVER_ORDINARY_LANES(sigmoid, pgm_sigmoid)
PGL_OVER_ORDINARY_LANES(sigmoid_dx, pgm_sigmoid_dx)
PGL_OVER_ORDINARY_LANES(softplus, pgm_softplus)
PGL_OVER_ORDINARY_LANES(sin, sin)
PGL_OVER_ORDINARY_LANES(cos, cos)
PGL_OVER_LANES(erf)
PGL_OVER_LANES(erf_dx)

/* -- powers -------------------------------------------------------------------------------------------- */

/* x ** y in few roundings, of which 2 ulp are not exceeded: three for the fourth power, else two; nan for another y. */
static inline double pgl_short_pow(double x, double y)
{
    return y == 0.5    ? sqrt(x)
           : y == -0.5 ? 1.0 / sqrt(x)
           : y == 1.5  ? x * sqrt(x)
           : y == -1.0 ? 1.0 / x
           : y == -2.0 ? 1.0 / (x * x)
           : y == 3.0  ? x * x * x
           : y == 4.0  ? (x * x) * (x * x)
                       : NAN;
}

/* Where steps of it, and so the result, may lose digits or are infinite, and for other exponents, it is libm's. */
static inline void pgl_pow_lanes(const double *restrict x, double y, double *restrict z)
{
    int odd = 0;
    if (y == 0.5)
        for (int i = 0; i < PGL_LANES; i++) z[i] = sqrt(x[i]);
    else
        for (int i = 0; i < PGL_LANES; i++) z[i] = pgl_short_pow(x[i], y);
    for (int i = 0; i < PGL_LANES; i++) odd |= !(fabs(z[i]) > 0x1p-1000 && fabs(z[i]) < 0x1p1000);
    if (odd)
        for (int i = 0; i < PGL_LANES; i++)
            if (!(fabs(z[i]) > 0x1p-1000 && fabs(z[i]) < 0x1p1000)) z[i] = pgm_pow(x[i], y);
}

/* pgm_pow_dx for the z = x ** y of all lanes: y z / x, where that loses no digits. */
static inline void pgl_pow_dx_lanes(const double *restrict x, double y, const double *restrict z, double *restrict dx)
{
    int odd = y == 2.0 || y == 0.0;
    for (int i = 0; i < PGL_LANES; i++) dx[i] = y * (z[i] / x[i]);
    for (int i = 0; i < PGL_LANES; i++)
        odd |= !(fabs(z[i]) > 0x1p-500 && fabs(z[i]) < 0x1p500 && fabs(x[i]) > 0x1p-500 && fabs(x[i]) < 0x1p500);
    if (odd)
        for (int i = 0; i < PGL_LANES; i++) dx[i] = pgm_pow_dx(x[i], y, z[i]);
}

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC pop_options
#endif

#endif
