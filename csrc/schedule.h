/* Instructions as a program. */
#ifndef PYGRAD_SCHEDULE_H
#define PYGRAD_SCHEDULE_H

#include "emit.h"

/* Makes the parts of a program, whose inputs and columns are there, of what the outputs need, and adds the registers of
 * these. Instructions and `outputs` are used up. Returns 0 without memory. */
int pgi_schedule(pg_emitter *e, pg_vector *outputs, pg_program *p);

#endif
