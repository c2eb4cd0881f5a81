/* A program run over rows: blocks of as many rows as there are lanes, in chunks of blocks that threads take. A chunk adds
 * up by itself what is reduced, and chunks are added up in their order: threads change no bit. */
#define _POSIX_C_SOURCE 200809L /* nanosleep, in lock.h */

#include "graph.h"
#include "lanes.h"
#include "lock.h"
#include "run.h"
#include "thread.h"

#include <string.h>

enum {
    PG_FEWEST_BLOCKS = 16, /* of a chunk: what each costs is little beside them */
    PG_MOST_WORK = 1 << 24, /* instructions, of a chunk: 50 ms or so */
    PG_MOST_THREADS = PG_MOST_CHUNKS
};

/* -- chunks --------------------------------------------------------------------------------------- */

static uint64_t blocks_of_chunk(const pg_program *program, uint64_t count)
{
    const uint64_t most = PG_MOST_WORK / ((uint64_t)program->each.registers + 1) + 1;
    uint64_t blocks = (count / PG_LANES + PG_MOST_CHUNKS - 1) / PG_MOST_CHUNKS;
    if (blocks < PG_FEWEST_BLOCKS) blocks = PG_FEWEST_BLOCKS;
    return blocks < most ? blocks : most;
}

/* Rows that fill no block are a chunk, the last. */
uint64_t pg_row_chunks(const pg_program *program, uint64_t count)
{
    const uint64_t blocks = count / PG_LANES, size = blocks_of_chunk(program, count);
    return blocks / size + (blocks % size > 0) + (count % PG_LANES > 0);
}

/* -- the work ------------------------------------------------------------------------------------- */

/* What threads share. */
typedef struct crew {
    const pg_program *program;
    const pg_rows *rows;
    const double *once; /* registers */
    int once_failed; /* whether an operation there has no value: then no row has one */
    double *sums; /* reduced: for each chunk a number for each output */
    uint64_t first, end; /* chunks */
    uint64_t next, failed; /* the next chunk; the first row that failed, or UINT64_MAX */
    int lock;
} crew;

typedef struct worker {
    crew *crew;
    double *lanes; /* registers */
} worker;

static int is_each(const pg_program *program, size_t output)
{ return PG_IDS(program->outputs)[output] >= program->once.registers; }

/* The lanes of an output that varies. */
static double *lanes_of(const pg_program *program, double *lanes, size_t output)
{ return lanes + PG_LANES * (size_t)(PG_IDS(program->outputs)[output] - program->once.registers); }

static void read_block(const worker *w, uint64_t row, int rows)
{
    const pg_block *block = w->crew->rows->inputs;
    const size_t columns = w->crew->program->columns.count;
    uint64_t k = 0; /* within the block */
    for (size_t c = 0; c < columns; c++, k++) {
        double *to = w->lanes + PG_LANES * c;
        const double *column;
        int64_t step;
        while (k == block->width) k = 0, block++;
        step = block->step;
        column = block->start + k + (int64_t)row * step;
        for (int l = 0; l < PG_LANES; l++) to[l] = column[l < rows ? l * step : 0]; /* the first fills up */
    }
}

static void write_block(const worker *w, uint64_t row, int rows, unsigned failed)
{
    const pg_program *program = w->crew->program;
    const pg_block *block = w->crew->rows->outputs;
    uint64_t at = 0;
    for (size_t k = 0; k < program->outputs.count; k++, at++) {
        const int each = is_each(program, k);
        const double once = each ? 0.0 : w->crew->once[PG_IDS(program->outputs)[k]];
        const double zero = k < program->values ? -0.0 : 0.0; /* a derivative has no -0, as a grad has none */
        const double *from = each ? lanes_of(program, w->lanes, k) : &once;
        double *to;
        int64_t step;
        while (at == block->width) at = 0, block++;
        step = block->step;
        to = block->start + at + (int64_t)row * step;
        for (int l = 0; l < rows; l++, to += step) *to = failed >> l & 1 ? NAN : from[each ? l : 0] + zero;
    }
}

/* Does some rows, a block. Returns the lanes that failed. */
static unsigned run_block(const worker *w, uint64_t row, int rows)
{
    unsigned failed;
    read_block(w, row, rows);
    failed = pgi_execute_lanes(w->crew->program, w->crew->once, w->lanes);
    if (w->crew->once_failed) failed = ~0u;
    failed &= (1u << rows) - 1;
    if (!w->crew->program->reduced) write_block(w, row, rows, failed);
    return failed;
}

static void note_failure(crew *c, uint64_t row)
{
    pgi_acquire(&c->lock);
    if (row < c->failed) c->failed = row;
    pgi_give_back(&c->lock);
}

static void run_chunk(const worker *w, uint64_t chunk)
{
    crew *c = w->crew;
    const pg_program *program = c->program;
    const uint64_t count = c->rows->count, blocks = count / PG_LANES, size = blocks_of_chunk(program, count);
    const uint64_t first = chunk * size;
    const int is_tail = first >= blocks;
    const uint64_t from = is_tail ? blocks : first;
    const uint64_t to = is_tail ? blocks + 1 : first + size < blocks ? first + size : blocks;
    const int rows = is_tail ? (int)(count % PG_LANES) : PG_LANES; /* of a block */
    const size_t outputs = program->reduced ? program->outputs.count : 0;
    double *sums = c->sums + (chunk - c->first) * outputs;
    unsigned failed = 0;
    for (size_t k = 0; k < outputs; k++)
        if (is_each(program, k)) memset(lanes_of(program, w->lanes, k), 0, PG_LANES * sizeof(double));
    for (uint64_t block = from; block < to; block++) {
        const unsigned now = run_block(w, PG_LANES * block, rows);
        if (now) note_failure(c, PG_LANES * block + pgi_lowest(now));
        if (now && !c->rows->pass_errors) return;
        failed |= now;
    }
    for (size_t k = 0; k < outputs; k++) {
        const double *lanes = is_each(program, k) ? lanes_of(program, w->lanes, k) : NULL;
        double sum = lanes ? 0.0 : c->once[PG_IDS(program->outputs)[k]] * (double)((to - from) * (uint64_t)rows);
        for (int l = 0; lanes && l < rows; l++) sum += lanes[l];
        sums[k] = failed ? NAN : sum;
    }
}

/* Takes chunks until there are none left, or the rest comes after a row that failed. */
static PG_TASK(work)
{
    const worker *w = argument;
    crew *c = w->crew;
    for (;;) {
        uint64_t chunk;
        pgi_acquire(&c->lock);
        chunk = c->failed == UINT64_MAX || c->rows->pass_errors ? c->next++ : c->end;
        pgi_give_back(&c->lock);
        if (chunk >= c->end) return 0;
        run_chunk(w, chunk);
    }
}

/* -- registers ------------------------------------------------------------------------------------ */

/* Of several threads, on lines of the cache of their own. */
typedef struct register_block {
    size_t size;
    int threads;
} register_block;

enum { PG_LINE = 64, PG_MOST_IDLE = 1 << 26 }; /* bytes: more are not kept between runs */

static size_t lanes_size(const pg_program *program)
{ return (size_t)program->each.registers * PG_LANES * sizeof(double) + PG_LINE; }

static register_block *take_lanes(pg_program *program, int threads)
{
    const pg_memory *m = &program->memory;
    register_block *block = pgi_exchange_pointer(&program->idle_lanes, NULL);
    if (block && block->threads >= threads) return block;
    pgi_give(m, block);
    if (program->each.registers > SIZE_MAX / 4 / sizeof(double[PG_LANES]) / (size_t)threads) return NULL;
    block = pgi_take(m, 2 * PG_LINE + (size_t)threads * lanes_size(program), 1);
    if (block) *block = (register_block){(size_t)threads * lanes_size(program), threads};
    return block;
}

static void give_lanes(pg_program *program, register_block *block)
{
    if (block->size <= PG_MOST_IDLE) block = pgi_exchange_pointer(&program->idle_lanes, block);
    pgi_give(&program->memory, block);
}

/* The registers of a thread. */
static double *lanes_in(const pg_program *program, register_block *block, int thread)
{
    char *start = (char *)(block + 1) + (size_t)thread * lanes_size(program);
    return (double *)(start + (PG_LINE - (uintptr_t)start % PG_LINE) % PG_LINE);
}

/* -- the whole ------------------------------------------------------------------------------------ */

/* Adds the sums of chunks to the outputs, and finishes these with the last chunk. */
static void add_up(const crew *c)
{
    const pg_rows *rows = c->rows;
    const size_t outputs = c->program->outputs.count;
    const int is_last = c->end == pg_row_chunks(c->program, rows->count);
    const pg_block *block = rows->outputs;
    uint64_t at = 0;
    for (size_t k = 0; k < outputs; k++, at++) {
        double sum, *to;
        while (at == block->width) at = 0, block++;
        to = block->start + at;
        sum = c->first ? *to : 0.0;
        for (uint64_t chunk = 0; chunk < c->end - c->first; chunk++) sum += c->sums[chunk * outputs + k];
        *to = is_last && rows->mean ? sum / (double)rows->count : sum;
    }
}

static void run_crew(crew *c, register_block *block, int threads)
{
    worker workers[PG_MOST_THREADS];
    pg_thread others[PG_MOST_THREADS];
    int begun = 0;
    for (int t = 0; t < threads; t++) workers[t] = (worker){c, lanes_in(c->program, block, t)};
    while (begun < threads - 1 && pgi_begin_thread(&others[begun], work, &workers[begun + 1])) begun++;
    work(&workers[0]); /* and what those do who could not be begun */
    while (begun) pgi_await_thread(others[--begun]);
}

int pg_run_rows(pg_program *program, pg_rows *rows, uint64_t from, uint64_t to, int threads)
{
    const pg_memory *m = &program->memory;
    const size_t sums = program->reduced ? PG_MOST_CHUNKS * program->outputs.count : 0;
    crew c = {.program = program, .rows = rows, .first = from, .end = to, .next = from, .failed = UINT64_MAX};
    register_block *block = NULL;
    double *once;
    int status = PG_NO_MEMORY;
    if (from > to || to > pg_row_chunks(program, rows->count) || to - from > PG_MOST_CHUNKS) return PG_BAD_COUNT;
    if (threads > (int)(to - from)) threads = (int)(to - from);
    if (threads < 1) threads = 1;
    once = pgi_take_registers(program);
    if (once && (block = take_lanes(program, threads)) && (c.sums = pgi_take(m, sums, sizeof *c.sums))) {
        if (program->inputs) memcpy(once + program->numbers.count, rows->once, program->inputs * sizeof *once);
        c.once = once;
        c.once_failed = pgi_execute(program, once);
        run_crew(&c, block, threads);
        rows->failed = c.failed;
        status = c.failed == UINT64_MAX || rows->pass_errors ? PG_OK : PG_FAILED;
        if (program->reduced && !status) add_up(&c);
    }
    pgi_give(m, c.sums);
    if (block) give_lanes(program, block);
    if (once) pgi_give_registers(program, once);
    return status;
}
