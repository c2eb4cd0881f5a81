/* The op table as data and as a function, and what a status means. */
#include "ops.h"

#include <string.h>

#define PG_DOC(formula, symbol) "``" formula "``, recorded as one node '" symbol "'."

/* The partials as text. */
#define PG_WORD0(number) #number
#define PG_WORD1(op, x) #op "(" x ")"
#define PG_WORD2(op, x, y) #op "(" x ", " y ")"
#define PG_WORD3(op, x, y, w) #op "(" x ", " y ", " w ")"
#define x "x"
#define y "y"
#define w "w"
#define z "z"
#define n "n"
#define i "i"
#define PG_ROW(kind, name, special, symbol, formula, ...) \
    {#name, special, symbol, formula, PG_DOC(formula, symbol), {__VA_ARGS__}, kind},
#define PG_OP_UNARY(name, special, symbol, formula, forward, dx, error) \
    PG_ROW(PG_UNARY, name, special, symbol, formula, dx, "", "")
#define PG_OP_BINARY(name, special, symbol, formula, forward, dx, dy, error) \
    PG_ROW(PG_BINARY, name, special, symbol, formula, dx, dy, "")
#define PG_OP_SCALAR(name, special, symbol, formula, forward, dx, error) \
    PG_ROW(PG_SCALAR, name, special, symbol, formula, dx, "", "")
#define PG_OP_NARY(name, special, symbol, formula, forward, dx, error) \
    PG_ROW(PG_NARY, name, special, symbol, formula, dx, "", "")
#define PG_OP_PAIRED(name, special, symbol, formula, forward, dx, dy, error) \
    PG_ROW(PG_PAIRED, name, special, symbol, formula, dx, dy, "")
#define PG_OP_TERNARY(name, special, symbol, formula, forward, dy, dw, error) \
    PG_ROW(PG_TERNARY, name, special, symbol, formula, "", dy, dw)
#define PG_OP_INDEXED(name, special, symbol, formula, forward, dx, error) \
    PG_ROW(PG_INDEXED, name, special, symbol, formula, dx, "", "")

static const pg_op_info table[PG_OP_COUNT] = {
    {"leaf", NULL, "", "", "", {"", "", ""}, PG_LEAF},
    {"custom", NULL, "", "", "", {"", "", ""}, PG_CUSTOM},
#include "ops.def"
};
#undef x
#undef y
#undef w
#undef z
#undef n
#undef i

const pg_op_info *pg_op(int op) { return op >= 0 && op < PG_OP_COUNT ? &table[op] : NULL; }

int pgi_can_fail(int op)
{
    switch (op) {
#define PG_OP_UNARY(name, special, symbol, formula, forward, dx, error) \
    case PG_OP_##name: return strcmp(#error, "PG_OK") != 0;
#define PG_OP_SCALAR PG_OP_UNARY
#define PG_OP_BINARY(name, special, symbol, formula, forward, dx, dy, error) \
    case PG_OP_##name: return strcmp(#error, "PG_OK") != 0;
#define PG_OP_HELPER2(name, forward, dx, dy, error) \
    case PG_OP_##name: return strcmp(#error, "PG_OK") != 0;
#include "ops.def"
    }
    return 0;
}

const uint8_t pgi_arities[PG_OP_ALL] = {
#define PG_OP_UNARY(name, ...) [PG_OP_##name] = 1,
#define PG_OP_BINARY(name, ...) [PG_OP_##name] = 2,
#define PG_OP_TERNARY(name, ...) [PG_OP_##name] = 3,
#define PG_OP_NARY(name, ...) [PG_OP_##name] = PG_MANY,
#define PG_OP_SCALAR PG_OP_BINARY
#define PG_OP_PAIRED PG_OP_NARY
#define PG_OP_INDEXED PG_OP_NARY
#define PG_OP_HELPER1 PG_OP_UNARY
#define PG_OP_HELPER2 PG_OP_BINARY
#define PG_OP_HELPER3 PG_OP_TERNARY
#include "ops.def"
};

/* Of all codes, the helpers' too. */
static const struct {
    const char *name, *formula;
} all[PG_OP_ALL] = {
#define PG_OP_UNARY(name, special, symbol, formula, forward, ...) PG_OP_HELPER1(name, forward, )
#define PG_OP_BINARY PG_OP_UNARY
#define PG_OP_SCALAR PG_OP_UNARY
#define PG_OP_TERNARY PG_OP_UNARY
#define PG_OP_NARY(name, ...) [PG_OP_##name] = {#name, ""},
#define PG_OP_PAIRED PG_OP_NARY
#define PG_OP_INDEXED PG_OP_NARY
#define PG_OP_HELPER1(name, forward, ...) [PG_OP_##name] = {#name, #forward},
#define PG_OP_HELPER2 PG_OP_HELPER1
#define PG_OP_HELPER3 PG_OP_HELPER1
#include "ops.def"
    [PG_OP_number] = {"number", ""},
    [PG_OP_input] = {"input", ""},
};

const char *pg_name(int op) { return op >= 0 && op < PG_OP_ALL && all[op].name ? all[op].name : ""; }
const char *pg_formula(int op) { return op >= 0 && op < PG_OP_ALL && all[op].formula ? all[op].formula : ""; }

static const struct {
    const char *exception, *text;
} statuses[] = {
    [-PG_FULL] = {"MemoryError", "the arena is full"},
    [-PG_NO_MEMORY] = {"MemoryError", "out of memory"},
    [-PG_NO_INDEX] = {"MemoryError", "the arena holds as many nodes as it can number"},
    [-PG_ZERO_DIVISION] = {"ZeroDivisionError", "division by zero"},
    [-PG_OVERFLOW] = {"OverflowError", "numerical result out of range"},
    [-PG_DOMAIN] = {"ValueError", "math domain error"},
    [-PG_COMPLEX] = {"ValueError", "a negative base with a fractional exponent has no real value"},
    [-PG_EMPTY] = {"ValueError", "no value for an empty list"},
    [-PG_BAD_OP] = {"ValueError", "there is no such operation, or it takes its operands in another way"},
    [-PG_BAD_COUNT] = {"ValueError", "the operation takes another number of operands"},
    [-PG_BAD_NODE] = {"ValueError", "an operand is no node in use"},
    [-PG_HAS_RESULTS] = {"RuntimeError", "set _backward before the value is used"},
    [-PG_INDEX] = {"IndexError", "take needs a whole number within the list"},
    [-PG_NO_FORMULA] = {"ValueError", "a custom operation can't be run again"},
    [-PG_FAILED] = {"ArithmeticError", "an operation has no value for its operands"},
};

static int is_error(int status) { return status < 0 && status > -(int)(sizeof statuses / sizeof *statuses); }

const char *pg_status_text(int status) { return is_error(status) ? statuses[-status].text : ""; }
const char *pg_status_exception(int status) { return is_error(status) ? statuses[-status].exception : "MemoryError"; }

/* -- values, for callers without a constant op ----------------------------------------------------------- */

int pgi_evaluate(int op, double x, double y, double w, double *z)
{
    switch (op) {
#define PG_OP_HELPER1(name, forward, dx) \
    case PG_OP_##name: *z = pgi_value_##name(x); return PG_OK;
#define PG_OP_HELPER2(name, forward, dx, dy, error) \
    case PG_OP_##name: *z = pgi_value_##name(x, y); return error;
#define PG_OP_HELPER3(name, forward, dx, dy, dw) \
    case PG_OP_##name: *z = pgi_value_##name(x, y, w); return PG_OK;
#define PG_OP_TERNARY(name, special, symbol, formula, forward, dy, dw, error) PG_OP_HELPER3(name, forward, dy, dw, )
#include "ops.def"
    }
    return pgi_arity(op) == 1 ? pgi_forward_unary(op, x, z) : pgi_forward_binary(op, x, y, z);
}

int pgi_forward_list(int op, const double *data, size_t count, const pg_node *x, double *result)
{
    double z = NAN;
    switch (op) {
#define PG_OP_NARY(name, special, symbol, formula, forward, dx, error) \
    case PG_OP_##name: { \
        const size_t n = count; \
        if ((error) != PG_OK) return error; \
        z = forward(data, n, x); \
        break; \
    }
#define PG_OP_PAIRED(name, special, symbol, formula, forward, dx, dy, error) \
    case PG_OP_##name: { \
        const size_t n = count / 2; \
        if ((error) != PG_OK) return error; \
        z = forward(data, n, x, x + n); \
        break; \
    }
#define PG_OP_TERNARY(name, special, symbol, formula, forward, dy, dw, error) \
    case PG_OP_##name: z = pgi_value_##name(data[x[0]], data[x[1]], data[x[2]]); break;
#define PG_OP_INDEXED(name, special, symbol, formula, forward, dx, error) \
    case PG_OP_##name: { \
        const double y = data[x[count - 1]], n = (double)(count - 1); \
        if ((error) != PG_OK) return error; \
        z = forward(data, count - 1, x, y); \
        break; \
    }
#include "ops.def"
    }
    *result = z;
    return PG_OK;
}
