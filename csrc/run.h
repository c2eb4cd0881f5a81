/* Programs run once. */
#ifndef PYGRAD_RUN_H
#define PYGRAD_RUN_H

#include "program.h"

/* An array with the program's numbers in it, then room for its inputs and results: the idle one, or a new one. NULL
 * without memory. */
double *pgi_take_registers(pg_program *program);
void pgi_give_registers(pg_program *program, double *registers);
/* Computes all results. Returns whether a checked operation had no value. */
int pgi_execute(const pg_program *program, double *registers);

#endif
