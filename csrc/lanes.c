/* Lanes with the instructions that every processor of its kind has, or better ones. */
#define PG_KERNEL pgi_execute_plain
#include "lanes_kernel.h"

unsigned pgi_execute_lanes(const pg_program *program, const double *once, double *lanes)
{
#ifdef PG_HAS_AVX2
    if (__builtin_cpu_supports("avx2")) return pgi_execute_avx2(program, once, lanes);
#endif
    return pgi_execute_plain(program, once, lanes);
}
