/* The part of a program that differs from row to row, run in lanes: some rows at once, each register an array of theirs. */
#ifndef PYGRAD_LANES_H
#define PYGRAD_LANES_H

#include "program.h"

enum { PG_LANES = 8 };

/* Computes `each` for PG_LANES rows, from the registers of `once` and from those of `lanes` that hold columns. Returns
 * the lanes, as bits, in which a checked operation had no value. */
unsigned pgi_execute_lanes(const pg_program *program, const double *once, double *lanes);

#endif
