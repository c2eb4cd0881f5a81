/* What ops.def is made of: the op codes, its error tests and list formulas, and the forward value of a node from its
 * operands' data. */
#ifndef PYGRAD_OPS_H
#define PYGRAD_OPS_H

#include "compiler.h"
#include "opmath.h"
#include "pygrad.h"
#include "words.h"

enum {
    PG_OP_leaf,
    PG_OP_custom,
#define PG_OP_ANY(kind, name, special, symbol, formula) PG_OP_##name,
#include "ops.def"
    PG_OP_COUNT,
    /* In programs alone: a number of the program, an input, and the helpers. */
    PG_OP_number = PG_OP_COUNT,
    PG_OP_input,
#define PG_OP_HELPER1(name, ...) PG_OP_##name,
#define PG_OP_HELPER2 PG_OP_HELPER1
#define PG_OP_HELPER3 PG_OP_HELPER1
#include "ops.def"
    PG_OP_ALL
};

static inline int pgm_overflow(double x, double z) { return isinf(z) && !isinf(x) ? PG_OVERFLOW : PG_OK; }

static inline int pgm_pow_error(double x, double y, double z)
{
    if (isfinite(z) && x != 0.0) return PG_OK;
    if (x == 0.0) return y < 0.0 && !isinf(y) ? PG_ZERO_DIVISION : PG_OK;
    if (!isfinite(x) || !isfinite(y)) return PG_OK;
    return x < 0.0 && y != floor(y) ? PG_COMPLEX : PG_OVERFLOW;
}

static inline int pgm_index_error(double x, double n) { return x >= -n && x < n && x == floor(x) ? PG_OK : PG_INDEX; }

/* n-ary: operands are indices into data; `y` is the second list of a paired operation. */
static inline double pgm_sum(const double *data, size_t n, const pg_node *x)
{
    double total = 0.0;
    for (size_t i = 0; i < n; i++) total += data[x[i]];
    return total;
}

static inline double pgm_mean(const double *data, size_t n, const pg_node *x)
{ return pgm_sum(data, n, x) / (double)n; }

static inline double pgm_logsumexp(const double *data, size_t n, const pg_node *x)
{
    double top = -INFINITY, total = 0.0;
    for (size_t i = 0; i < n; i++) top = pgm_max(data[x[i]], top);
    for (size_t i = 0; i < n && isfinite(top); i++) total += exp(data[x[i]] - top);
    return pgm_finish_logsumexp(top, total);
}

static inline double pgm_dot(const double *data, size_t n, const pg_node *x, const pg_node *y)
{
    double total = 0.0;
    for (size_t i = 0; i < n; i++) total += data[x[i]] * data[y[i]];
    return total;
}

static inline double pgm_take(const double *data, size_t n, const pg_node *x, double index)
{ return data[x[(size_t)(index < 0.0 ? index + (double)n : index)]]; }

/* pgi_value_mul(x, y), and so on: the values of operations of up to three operands. */
#define PG_OP_UNARY(name, special, symbol, formula, forward, ...) PG_OP_HELPER1(name, forward, )
#define PG_OP_BINARY(name, special, symbol, formula, forward, ...) PG_OP_HELPER2(name, forward, )
#define PG_OP_SCALAR PG_OP_BINARY
#define PG_OP_TERNARY(name, special, symbol, formula, forward, ...) PG_OP_HELPER3(name, forward, )
#define PG_OP_HELPER1(name, forward, ...) \
    PG_INLINE double pgi_value_##name(double x) { return forward; }
#define PG_OP_HELPER2(name, forward, ...) \
    PG_INLINE double pgi_value_##name(double x, double y) { return forward; }
#define PG_OP_HELPER3(name, forward, ...) \
    PG_INLINE double pgi_value_##name(double x, double y, double w) { return forward; }
#include "ops.def"

/* How many operands an operation of a program has, up to three; PG_MANY for a list. */
enum { PG_MANY = 4 };
extern const uint8_t pgi_arities[PG_OP_ALL];
static inline int pgi_takes_list(int op) { return pgi_arities[op] == PG_MANY; }
/* Whether an operation of up to three operands has some for which there is no value. */
int pgi_can_fail(int op);
static inline int pgi_arity(int op) { return pgi_arities[op] & 3; }

/* The value of any operation of up to three operands, and of one of a list; the answer is a status. */
int pgi_evaluate(int op, double x, double y, double w, double *z);
int pgi_forward_list(int op, const double *data, size_t count, const pg_node *x, double *z);

/* Forward values. Called with a constant op these fold to the one expression. */
PG_INLINE int pgi_forward_unary(int op, double x, double *result)
{
    double z;
    switch (op) {
#define PG_OP_UNARY(name, special, symbol, formula, forward, dx, error) \
    case PG_OP_##name: \
        z = forward; \
        *result = z; \
        return error;
#include "ops.def"
    }
    return PG_DOMAIN;
}

PG_INLINE int pgi_forward_binary(int op, double x, double y, double *result)
{
    double z;
    switch (op) {
#define PG_OP_BINARY(name, special, symbol, formula, forward, dx, dy, error) \
    case PG_OP_##name: \
        z = forward; \
        *result = z; \
        return error;
#define PG_OP_SCALAR(name, special, symbol, formula, forward, dx, error) \
    PG_OP_BINARY(name, special, symbol, formula, forward, dx, 0, error)
#include "ops.def"
    }
    return PG_DOMAIN;
}

#endif
