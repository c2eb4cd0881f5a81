/* What ops.def is made of: the op codes, the formulas too long for a line of the table, and the
 * forward value of a node from its operands' data. */
#ifndef PYGRAD_OPS_H
#define PYGRAD_OPS_H

#include <float.h>
#include <math.h>

#include "compiler.h"
#include "pygrad.h"

enum {
    PG_OP_leaf,
    PG_OP_custom,
#define PG_OP_UNARY(name, symbol, formula, forward, dx, error) PG_OP_##name,
#define PG_OP_BINARY(name, symbol, formula, forward, dx, dy, error) PG_OP_##name,
#define PG_OP_SCALAR PG_OP_UNARY
#define PG_OP_NARY PG_OP_UNARY
#define PG_OP_PAIRED PG_OP_BINARY
#include "ops.def"
    PG_OP_COUNT
};

static inline int pg_op_overflow(double x, double z)
{
    return isinf(z) && !isinf(x) ? PG_OVERFLOW : PG_OK;
}

/* A square needs no library call, and is then exactly rounded. */
static inline double pg_op_pow(double x, double y)
{
    return y == 2.0 ? x * x : pow(x, y);
}

static inline int pg_op_pow_error(double x, double y, double z)
{
    if (isfinite(z) && x != 0.0) return PG_OK;
    if (x == 0.0) return y < 0.0 && !isinf(y) ? PG_ZERO_DIVISION : PG_OK;
    if (!isfinite(x) || !isfinite(y)) return PG_OK;
    return x < 0.0 && y != floor(y) ? PG_COMPLEX : PG_OVERFLOW;
}

/* Where x ** y has lost digits to underflow it is taken as p * p, with p = |x| ** (y / 2), which has them all. */
static inline double pg_op_pow_dx(double x, double y, double z)
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
static inline double pg_op_pow_dy(double x, double y, double z)
{
    double p;
    if (x == 0.0) return 0.0;
    if (fabs(z) >= DBL_MIN || !(x > 0.0)) return z * log(x);
    p = pow(x, 0.5 * y);
    return p * log(x) * p;
}

/* -x / y^2. A quotient z that has lost digits to underflow is taken again of a larger x. */
static inline double pg_op_div_dy(double x, double y, double z)
{
    return fabs(z) >= DBL_MIN ? -z / y : -(x * 0x1p600 / y / y) * 0x1p-600;
}

static inline double pg_op_min(double x, double y)
{
    return isnan(x) || x < y ? x : y;
}

static inline double pg_op_max(double x, double y)
{
    return isnan(x) || x > y ? x : y;
}

/* The part of the gradient that goes to the smaller operand x: all, none, or half at a tie. */
static inline double pg_op_share(double x, double y)
{
    return x < y ? 1.0 : x > y ? 0.0 : 0.5;
}

/* Below, e = exp(-|x|) <= 1 keeps every step free of overflow and cancellation. */
static inline double pg_op_sigmoid(double x)
{
    double e = exp(-fabs(x));
    return (x < 0.0 ? e : 1.0) / (1.0 + e);
}

static inline double pg_op_sigmoid_dx(double x)
{
    double e = exp(-fabs(x));
    return e / ((1.0 + e) * (1.0 + e));
}

static inline double pg_op_softplus(double x)
{
    return (x > 0.0 ? x : 0.0) + log1p(exp(-fabs(x))) + (isnan(x) ? x : 0.0);
}

static inline double pg_op_tanh_dx(double x)    /* 1 - tanh(x)^2 = 4 sigmoid'(2 x) */
{
    return 4.0 * pg_op_sigmoid_dx(2.0 * x);
}

static inline double pg_op_erf_dx(double x)     /* 2 / sqrt(pi) * exp(-x^2) */
{
    double square = x * x, rest = fma(x, x, -square);
    if (isinf(square)) return 0.0;
    return 1.1283791670955126 * exp(-square) * (1.0 - rest);    /* exp(-rest), as rest is tiny */
}

/* n-ary: operands are indices into data; `y` is the second list of a paired operation. */
static inline double pg_op_sum(const double *data, size_t n, const pg_node *x)
{
    double total = 0.0;
    for (size_t i = 0; i < n; i++) total += data[x[i]];
    return total;
}

static inline double pg_op_mean(const double *data, size_t n, const pg_node *x)
{
    return pg_op_sum(data, n, x) / (double)n;
}

static inline double pg_op_logsumexp(const double *data, size_t n, const pg_node *x)
{
    double top = -INFINITY, total = 0.0;
    for (size_t i = 0; i < n; i++) top = pg_op_max(data[x[i]], top);
    if (!isfinite(top)) return top;
    for (size_t i = 0; i < n; i++) total += exp(data[x[i]] - top);
    return top + log(total);
}

static inline double pg_op_dot(const double *data, size_t n, const pg_node *x, const pg_node *y)
{
    double total = 0.0;
    for (size_t i = 0; i < n; i++) total += data[x[i]] * data[y[i]];
    return total;
}

/* Forward values. Called with a constant op these fold to the one expression. */
PG_INLINE int pg_forward_unary(int op, double x, double *result)
{
    double z;
    switch (op) {
#define PG_OP_UNARY(name, symbol, formula, forward, dx, error) \
    case PG_OP_##name:                                         \
        z = forward;                                           \
        *result = z;                                           \
        return error;
#include "ops.def"
    }
    return PG_DOMAIN;
}

PG_INLINE int pg_forward_binary(int op, double x, double y, double *result)
{
    double z;
    switch (op) {
#define PG_OP_BINARY(name, symbol, formula, forward, dx, dy, error) \
    case PG_OP_##name:                                              \
        z = forward;                                                \
        *result = z;                                                \
        return error;
#define PG_OP_SCALAR(name, symbol, formula, forward, dx, error) \
    PG_OP_BINARY(name, symbol, formula, forward, dx, 0, error)
#include "ops.def"
    }
    return PG_DOMAIN;
}

#endif
