/* The words in which ops.def writes partials. Who includes ops.def says what they become:
 *
 *   PG_WORD0(number), PG_WORD1(op, x), PG_WORD2(op, x, y), PG_WORD3(op, x, y, w)
 *
 * pass.c makes arithmetic of them, derive.c instructions, ops.c text. */
#ifndef PYGRAD_WORDS_H
#define PYGRAD_WORDS_H

#define NUM(number) PG_WORD0(number)
#define NEG(x) PG_WORD1(neg, x)
#define SIGN(x) PG_WORD1(sign, x)
#define STEP(x) PG_WORD1(step, x)
#define NONZERO(x) PG_WORD1(nonzero, x)
#define EXP(x) PG_WORD1(exp, x)
#define LOG(x) PG_WORD1(log, x)
#define SIN(x) PG_WORD1(sin, x)
#define COS(x) PG_WORD1(cos, x)
#define TANH(x) PG_WORD1(tanh, x)
#define TANH_DX(x) PG_WORD1(tanh_dx, x)
#define SIGMOID(x) PG_WORD1(sigmoid, x)
#define SIGMOID_DX(x) PG_WORD1(sigmoid_dx, x)
#define ERF_DX(x) PG_WORD1(erf_dx, x)
#define ADD(x, y) PG_WORD2(add, x, y)
#define SUB(x, y) PG_WORD2(sub, x, y)
#define MUL(x, y) PG_WORD2(mul, x, y)
#define DIV(x, y) PG_WORD2(div, x, y)
#define EXP_MINUS(x, y) PG_WORD2(exp_minus, x, y)
#define EQUAL(x, y) PG_WORD2(equal, x, y)
#define INDEX(x, n) PG_WORD2(index, x, n)
#define SHARE(x, y) PG_WORD2(share, x, y)
#define GATE(g, partial) PG_WORD2(gate, g, partial)
#define DIV_DY(x, y, z) PG_WORD3(div_dy, x, y, z)
#define POW_DX(x, y, z) PG_WORD3(pow_dx, x, y, z)
#define POW_DY(x, y, z) PG_WORD3(pow_dy, x, y, z)
/* x ** (y - 1), and its derivative in x */
#define POWER(x, y) PG_WORD2(pow, x, PG_WORD2(sub, y, PG_WORD0(1.0)))
#define SLOPE(x, y) PG_WORD3(pow_dx, x, PG_WORD2(sub, y, PG_WORD0(1.0)), POWER(x, y))

#endif
