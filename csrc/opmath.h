/* Formulas too long for a line of the op table. They need <math.h> alone. */
#ifndef PYGRAD_OPMATH_H
#define PYGRAD_OPMATH_H

#include <float.h>
#include <math.h>

/* A square needs no library call, and is then exactly rounded. */
static inline double pgm_pow(double x, double y) { return y == 2.0 ? x * x : pow(x, y); }

/* Where x ** y has lost digits to underflow it is taken as p * p, with p = |x| ** (y / 2), which has them all. */
static inline double pgm_pow_dx(double x, double y, double z)
{
    double p;
    if (y == 2.0) return 2.0 * x;
    if (y == 0.0) return 0.0;
    if (x == 0.0 || !isfinite(x) || !isfinite(z)) return y * pow(x, y - 1.0);
    /* y * z / x loses less than y * x ** (y - 1), where y - 1 is rounded */
    if (fabs(z) >= DBL_MIN && fabs(z / x) >= DBL_MIN) return y * (z / x);
    p = pow(fabs(x), 0.5 * y);
    return y * p / x * p * (x < 0.0 && fmod(y, 2.0) != 0.0 ? -1.0 : 1.0);
}

/* 0 ** y is 0 around every y > 0, so its slope there is 0; a negative base has none (nan). */
static inline double pgm_pow_dy(double x, double y, double z)
{
    double p;
    if (x == 0.0) return 0.0;
    if (fabs(z) >= DBL_MIN || !(x > 0.0)) return z * log(x);
    p = pow(x, 0.5 * y);
    return p * log(x) * p;
}

/* -x / y^2. A quotient z that has lost digits to underflow is taken again of a larger x. */
static inline double pgm_div_dy(double x, double y, double z)
{ return fabs(z) >= DBL_MIN ? -z / y : -(x * 0x1p600 / y / y) * 0x1p-600; }

static inline double pgm_min(double x, double y) { return isnan(x) || x < y ? x : y; }

static inline double pgm_max(double x, double y) { return isnan(x) || x > y ? x : y; }

static inline double pgm_greater(double x, double y) { return x > y ? 1.0 : x <= y ? 0.0 : NAN; }

/* The place of index x in a list of y, where negative ones count from its end. What is none is nan: lanes find errors by
 * results that are not finite. */
static inline double pgm_index(double x, double y)
{ return x >= -y && x < y && x == floor(x) ? (x < 0.0 ? x + y : x) : NAN; }

/* The part of the gradient that goes to the smaller operand x: all, none, or half at a tie. */
static inline double pgm_share(double x, double y) { return x < y ? 1.0 : x > y ? 0.0 : 0.5; }

/* Below, e = exp(-|x|) <= 1 keeps every step free of overflow and cancellation. */
static inline double pgm_sigmoid(double x)
{
    double e = exp(-fabs(x));
    return (x < 0.0 ? e : 1.0) / (1.0 + e);
}

static inline double pgm_sigmoid_dx(double x)
{
    double e = exp(-fabs(x));
    return e / ((1.0 + e) * (1.0 + e));
}

static inline double pgm_softplus(double x)
{ return (x > 0.0 ? x : 0.0) + log1p(exp(-fabs(x))) + (isnan(x) ? x : 0.0); }

static inline double pgm_tanh_dx(double x)    /* 1 - tanh(x)^2 = 4 sigmoid'(2 x) */
{ return 4.0 * pgm_sigmoid_dx(2.0 * x); }

/* The end of logsumexp, from the largest exponent and the sum of exp(each - largest). */
static inline double pgm_finish_logsumexp(double top, double total) { return isfinite(top) ? top + log(total) : top; }

static inline double pgm_erf_dx(double x)     /* 2 / sqrt(pi) * exp(-x^2) */
{
    double square = x * x, rest = fma(x, x, -square);
    if (isinf(square)) return 0.0;
    return 1.1283791670955126 * exp(-square) * (1.0 - rest);    /* exp(-rest), as rest is tiny */
}

#endif
