/* Random programs over every function of pygrad.h, with whatever op codes, counts, nodes and numbers. A call may
 * refuse; nothing may crash, and the invariants hold. The bytes are the program, so it is a libFuzzer target:
 *
 *     clang -fsanitize=fuzzer,address,undefined -DPG_LIBFUZZER -DPG_CHECKED -Icsrc tests/c/fuzz_library.c \
 *         csrc/[a-z]*.c -lm
 *
 * Compiled without it, the program makes its bytes itself: fuzz_library [PROGRAMS [FIRST]] */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pygrad.h"

enum { HELD = 64, LIST = 8, PASSES = 3, GRAPHS = 3 };

typedef struct life {
    pg_arena *arena;
    pg_node held[HELD];         /* one reference each; 0: none */
    pg_node freed[LIST];        /* of pg_pop_freed, not recycled yet */
    pg_pass *passes[PASSES];    /* that wait for their host */
    pg_graph *graphs[GRAPHS];
    int frozen[GRAPHS];         /* whether the graph is of the arena, and so all of it is needed */
    pg_program *programs[GRAPHS];       /* of these graphs, with all passes and with some */
    pg_program *others[GRAPHS];
    int era;                    /* of the last trace */
    const uint8_t *at, *end;
    int starving;               /* allocations fail now and then */
} life;

static void fail(const char *what)
{
    fprintf(stderr, "%s\n", what);
    abort();
}

static void *resize(void *context, void *block, size_t size)
{
    life *l = context;
    if (!size) {
        free(block);
        return NULL;
    }
    if (l->starving && l->starving++ % 3 == 0) return NULL;
    return realloc(block, size);
}

/* -- what the bytes stand for ---------------------------------------------------------------------- */

static int byte(life *l) { return l->at < l->end ? *l->at++ : 0; }

static double number(life *l)
{
    static const double special[] = {0.0,     -0.0,   1.0,        -1.0,    0.5,      2.0,      -3.0,      1000.0, 1e200,
                                     -1e-200, 5e-324, 0x1p53 + 2, 1.5e308, -1.5e308, INFINITY, -INFINITY, NAN};
    int b = byte(l);
    return b < 64 ? special[(size_t)b % (sizeof special / sizeof *special)] : (b - 160) / 16.0;
}

/* Some held node, or 0. */
static pg_node held(life *l)
{
    int from = byte(l) % HELD;
    for (int i = 0; i < HELD; i++)
        if (l->held[(from + i) % HELD]) return l->held[(from + i) % HELD];
    return 0;
}

/* Most often a held node; else any number, in use or not. */
static pg_node node(life *l)
{
    int b = byte(l);
    if (b < 230) return held(l);
    if (b < 250) return (pg_node)byte(l);
    return b < 252 ? (pg_node)pg_capacity(l->arena) + (pg_node)(b & 1) : UINT32_MAX - (pg_node)(b & 1);
}

/* An operation of that kind; else any number. */
static int operation(life *l, int kind)
{
    int b = byte(l), count = 0;
    if (b > 240) return b == 255 ? INT32_MIN : b == 254 ? INT32_MAX : b - 246;
    while (pg_op(count)) count++;
    for (int i = 0; i < count; i++)
        if (pg_op((b + i) % count)->kind == kind) return (b + i) % count;
    return 0;
}

static size_t list(life *l, pg_node *nodes)
{
    size_t count = (size_t)byte(l) % (LIST + 1);
    for (size_t i = 0; i < LIST; i++) nodes[i] = i < count ? node(l) : 0;
    return count;
}

/* -- references, which are the caller's to keep right ------------------------------------------------ */

static void drop(life *l, int i)
{
    if (l->held[i] && pg_release(l->arena, 1, &l->held[i]) != PG_OK) fail("a held node cannot be released");
    l->held[i] = 0;
}

static void keep(life *l, uint64_t live, pg_result result)
{
    int i = byte(l) % HELD;
    if (result < 0) {
        if (!*pg_status_text((int)result) || !*pg_status_exception((int)result)) fail("a status has no text");
        if (pg_live_nodes(l->arena) != live) fail("a refused call has left nodes");
        return;
    }
    drop(l, i);
    l->held[i] = (pg_node)(result & 0xffffffff);
    if (pg_references(l->arena, l->held[i]) != 1) fail("a new node has not one reference");
}

/* What a caller may do only to a node that it holds; any call may be made with what is no node in use. */
static pg_node held_or_wild(life *l)
{
    pg_node x = node(l);
    for (int i = 0; i < HELD; i++)
        if (l->held[i] == x) return x;
    return pg_references(l->arena, x) ? 0 : x;
}

/* -- steps ------------------------------------------------------------------------------------------- */

static void record(life *l, int what)
{
    pg_arena *a = l->arena;
    uint64_t live = pg_live_nodes(a);
    pg_node x = node(l), nodes[LIST];
    double partials[LIST], y = number(l);
    const char *symbol = what & 64 ? "f" : NULL;
    size_t count;
    switch (what % 9) {
    case 0: keep(l, live, pg_leaf(a, y)); return;
    case 1: keep(l, live, pg_unary(a, operation(l, PG_UNARY), x)); return;
    case 2: keep(l, live, pg_binary(a, operation(l, PG_BINARY), x, node(l))); return;
    case 3: keep(l, live, pg_binary_right(a, operation(l, PG_BINARY), x, y)); return;
    case 4: keep(l, live, pg_binary_left(a, operation(l, PG_BINARY), y, x)); return;
    case 5: keep(l, live, pg_scalar(a, operation(l, PG_SCALAR), x, y, what & 64)); return;
    }
    count = list(l, nodes);
    for (size_t i = 0; i < LIST; i++) partials[i] = number(l);
    if (what > 250) count = SIZE_MAX - count;                   /* refused before an operand is read */
    if (what % 9 == 6) {
        const int kind = PG_NARY + byte(l) % 4;
        if (kind == PG_TERNARY && what & 32) count = 3;
        keep(l, live, pg_nary(a, operation(l, kind), count, nodes));
    }
    else if (what % 9 == 7) keep(l, live, pg_custom(a, y, count, nodes, what & 32 ? partials : NULL, symbol));
    else
        keep(l, live,
             pg_restore(a, operation(l, byte(l) % PG_CUSTOM), y, number(l), count, nodes, number(l), what & 64,
                        what & 32 ? partials : NULL, symbol));
}

static void look(life *l)
{
    pg_arena *a = l->arena;
    pg_node x = node(l), operands[LIST];
    int is_int, op = pg_op_of(a, x);
    size_t room = (size_t)byte(l) % LIST, count = pg_operands(a, x, room, operands);
    const double *partials = pg_partials(a, x);
    for (size_t i = 0; i < room && i < count; i++)
        if (operands[i] >= x && pg_op_of(a, operands[i]) != PG_SCALAR) fail("an operand does not precede its result");
    for (size_t i = 0; partials && i < count; i++)
        if (!memcmp(&partials[i], "nothing", sizeof *partials)) fail("such a number was never given");
    if ((op < 0) != (pg_references(a, x) == 0)) fail("a node in use has no operation");
    if (strlen(pg_symbol(a, x)) > 9) fail("a symbol is longer than any");
    if (isnan(pg_exponent(a, x, &is_int)) && is_int) fail("an integer is nan");
    if (op >= 0 && memcmp(&(double){pg_data(a, x)}, pg_data_array(a) + x, sizeof(double))) fail("two values");
    if (op >= 0 && memcmp(&(double){pg_grad(a, x)}, pg_grad_array(a) + x, sizeof(double))) fail("two gradients");
    if (pg_bytes(a) < pg_capacity(a) * 2 * sizeof(double)) fail("less memory than nodes");
    pg_lock(a);
    pg_unlock(a);
}

static void change(life *l, int what)
{
    pg_arena *a = l->arena;
    pg_node x = node(l);
    switch (what % 6) {
    case 0: pg_set_data(a, x, number(l)); break;
    case 1: pg_set_grad(a, x, number(l)); break;
    case 2: pg_need_object(a, held_or_wild(l)); break;
    case 3: pg_notify_free(a, x); break;
    case 4: pg_set_external(a, held_or_wild(l), what & 32); break;
    default:
        what = byte(l) % HELD;
        x = node(l);
        if (pg_retain(a, x) == PG_OK) {
            drop(l, what);
            l->held[what] = x;
        }
    }
}

static void let_go(life *l, int what)
{
    pg_node x, *place = &l->freed[what / 4 % LIST];
    switch (what % 4) {
    case 0:
        if (*place && pg_recycle(l->arena, *place) != PG_OK) fail("a freed slot is not taken back");
        *place = pg_pop_freed(l->arena);
        break;
    case 1:
        x = node(l);
        for (int i = 0; i < LIST; i++)
            if (l->freed[i] == x) l->freed[i] = 0;
        pg_recycle(l->arena, x);
        break;
    case 2:
        x = held_or_wild(l);
        for (int i = 0; i < HELD; i++)
            if (x && l->held[i] == x) {
                drop(l, i);
                return;
            }
        if (pg_release(l->arena, 1, &x) != PG_BAD_NODE) fail("what is no node was released");
        break;
    default: drop(l, byte(l) % HELD);
    }
}

/* Begins a pass, or goes on with a waiting one, or gives it up. */
static void run_pass(life *l, int what)
{
    pg_pass **pass = &l->passes[what % PASSES];
    pg_result waits;
    if (*pass && what & 32) {
        pg_abandon(*pass);
        *pass = NULL;
        return;
    }
    waits = *pass ? pg_resume(pass) : pg_backward(l->arena, node(l), pass);
    if ((waits > 0) != (*pass != NULL)) fail("a pass neither waits nor is done");
}

static void optimize(life *l, int what)
{
    pg_node nodes[LIST];
    double state[3][LIST] = {{0.0}};
    size_t count = list(l, nodes);
    pg_sgd_options sgd = {.lr = number(l),
                          .momentum = number(l),
                          .dampening = number(l),
                          .weight_decay = number(l),
                          .nesterov = what & 8,
                          .maximize = what & 16};
    pg_adam_options adam = {.lr = number(l),
                            .beta1 = number(l),
                            .beta2 = number(l),
                            .eps = number(l),
                            .weight_decay = number(l),
                            .decoupled = what & 8,
                            .maximize = what & 16};
    switch (what % 3) {
    case 0: pg_sgd(l->arena, count, nodes, &sgd, what & 32 ? state[0] : NULL, what & 64); break;
    case 1: pg_adam(l->arena, count, nodes, &adam, state[0], state[1], what & 32 ? state[2] : NULL, number(l)); break;
    default: pg_zero_grads(l->arena, count, nodes);
    }
}

/* -- graphs and programs ----------------------------------------------------------------------------- */

static void forget_programs(life *l, int i)
{
    pg_program_free(l->programs[i]);
    pg_program_free(l->others[i]);
    l->programs[i] = l->others[i] = NULL;
}

static void put_graph(life *l, int i, pg_graph *graph, int frozen)
{
    forget_programs(l, i);
    pg_graph_free(l->graphs[i]);
    l->graphs[i] = graph;
    l->frozen[i] = frozen;
}

static void freeze(life *l, int i)
{
    pg_node outputs[LIST], inputs[LIST];
    size_t output_count = list(l, outputs), input_count = byte(l) & 1 ? list(l, inputs) : 0;
    int b = byte(l), era = b < 128 ? 0 : b < 220 ? l->era : b < 230 ? -1 : b < 240 ? INT32_MAX : b;
    pg_graph *graph;
    int status = pg_freeze(l->arena, output_count, outputs, input_count, inputs, era, &graph);
    if ((status == PG_OK) != (graph != NULL)) fail("a graph in spite of a status");
    if (status && !*pg_status_text(status)) fail("a status has no text");
    if (graph) put_graph(l, i, graph, 1);
}

/* What a file holds of a graph, as it is or damaged. */
static void copy_graph(life *l, int i, int what)
{
    const pg_graph *from = l->graphs[byte(l) % GRAPHS];
    uint8_t ops[400] = {0};
    uint32_t operands[800] = {0}, outputs[20] = {0};
    double numbers[400] = {0.0};
    pg_graph_size size = {0, 0, 0, 0}, again;
    pg_graph *made;
    int status;
    if (from) {
        size = pg_graph_measure(from);
        if (size.nodes > 390 || size.operands > 790 || size.numbers > 390 || size.outputs > LIST) return;
        pg_graph_write(from, ops, operands, numbers, outputs);
    }
    for (int n = what & 15; n; n--) {
        int where = byte(l), place = byte(l), value = byte(l);
        if (where < 80) ops[(size_t)place % (size.nodes + 1)] = (uint8_t)value;
        else if (where < 160)
            operands[(size_t)place % (size.operands + 1)] = value < 250 ? (uint32_t)value : UINT32_MAX;
        else if (where < 190) outputs[(size_t)place % (size.outputs + 1)] = value < 250 ? (uint32_t)value : UINT32_MAX;
        else if (where < 210) size.nodes += (size_t)(place % 3);
        else if (where < 230) size.operands += (size_t)(place % 3);
        else if (where < 240) size.numbers += (size_t)(place % 2);
        else if (where < 250) size.outputs += (size_t)(place % 2);
        if (size.nodes > 390 || size.operands > 790 || size.numbers > 390 || size.outputs > 15) return;
    }
    status = pg_graph_read(&size, ops, operands, numbers, outputs, &made);
    if ((status == PG_OK) != (made != NULL)) fail("a graph in spite of a status");
    if (!made) {
        /* A graph that came out of an arena goes in again, unless an exponent is one of its inputs. */
        if (!(what & 15) && status != PG_BAD_NODE) fail("a graph is refused that was written");
        return;
    }
    again = pg_graph_measure(made);
    if (memcmp(&again, &size, sizeof size)) fail("a graph was read as one of another size");
    if (pg_graph_inputs(made) > size.nodes || pg_graph_sources(made)) fail("a graph that was read has wrong inputs");
    put_graph(l, i, made, 0);
}

static void compile(life *l, int i, int what)
{
    uint32_t wanted[LIST], inputs;
    size_t count = (size_t)byte(l) % LIST;
    int fits = 1, passes = byte(l) < 250 ? byte(l) : INT32_MIN;
    if (!l->graphs[i]) return;
    inputs = pg_graph_inputs(l->graphs[i]);
    for (size_t k = 0; k < count; k++) {
        wanted[k] = (uint32_t)byte(l);
        if (what < 250) wanted[k] = inputs ? wanted[k] % inputs : 0;
        fits &= wanted[k] < inputs;
    }
    forget_programs(l, i);
    l->programs[i] = pg_compile(l->graphs[i], count, wanted, PG_ALL_PASSES);
    l->others[i] = pg_compile(l->graphs[i], count, wanted, passes);
    if (!fits && (l->programs[i] || l->others[i])) fail("a program for an input that there is not");
    if (fits && !l->starving && !(l->programs[i] && l->others[i])) fail("no program");
}

static void list_program(const pg_program *p, uint32_t inputs)
{
    uint32_t count = pg_program_instructions(p), numbers, below;
    pg_listing *lines = calloc(count + 1, sizeof *lines);
    const double *all = pg_program_numbers(p, &numbers);
    uint32_t *which = calloc(pg_program_outputs(p) + 1, sizeof *which);
    if (!lines || !which) fail("no memory");
    if (count && pg_program_list(p, count - 1, lines) != PG_BAD_COUNT) fail("a listing without the room for it");
    if (pg_program_list(p, count, lines) != PG_OK) fail("no listing");
    for (uint32_t k = 0; all && k < numbers; k++)
        if (!memcmp(&all[k], "nothing", sizeof *all)) fail("such a number was never given");
    for (uint32_t k = 0; k < count; k++) {
        below = numbers + inputs + k;
        if (lines[k].result != below || !*pg_name(lines[k].op) || !*pg_formula(lines[k].op)) fail("a line is no line");
        for (int j = 0; j < lines[k].arity; j++)
            if (lines[k].operands[j] >= below) fail("a register is read before it is written");
    }
    for (uint32_t k = 0; k < pg_program_outputs(p) + 2; k++) {
        if (pg_program_output(p, k) >= numbers + inputs + count + 1) fail("an output is no register");
        for (uint32_t used = pg_program_used(p, k, which); used-- > 0;)
            if (which[used] >= pg_program_outputs(p)) fail("a derivative is no output");
    }
    free(lines), free(which);
}

static void run_programs(life *l, int i)
{
    pg_program *programs[] = {l->programs[i], l->others[i]};
    double *inputs, *outputs[2] = {NULL, NULL};
    int status[2] = {PG_OK, PG_OK}, error;
    uint32_t count, results = 0, values, node;
    if (!l->graphs[i]) return;
    count = pg_graph_inputs(l->graphs[i]);
    values = (uint32_t)pg_graph_measure(l->graphs[i]).outputs;
    if (!(inputs = calloc(count + 1, sizeof *inputs))) fail("no memory");
    for (uint32_t k = 0; k < count; k++) inputs[k] = number(l);
    for (int n = 0; n < 2; n++) {
        if (!programs[n]) continue;
        list_program(programs[n], count);
        results = pg_program_outputs(programs[n]);
        if (!(outputs[n] = calloc(results + 1, sizeof **outputs))) fail("no memory");
        status[n] = pg_run(programs[n], inputs, outputs[n]);
        if (status[n] == PG_NO_MEMORY && l->starving) continue;
        error = pg_graph_error(l->graphs[i], inputs, &node);
        if (error == PG_NO_MEMORY && l->starving) continue;
        if (status[n] != PG_OK && status[n] != PG_FAILED) fail("a run has another status");
        if (l->frozen[i] && (status[n] == PG_FAILED) != (error != PG_OK)) fail("a run fails where no node does");
        if (status[n] == PG_FAILED && error == PG_OK) fail("a run fails without an error");
    }
    for (uint32_t k = 0; outputs[0] && outputs[1] && !status[0] && !status[1] && k < values; k++)
        if (memcmp(&outputs[0][k], &outputs[1][k], sizeof(double)) && !(isnan(outputs[0][k]) && isnan(outputs[1][k])))
            fail("two programs of a graph have different values");
    free(inputs);
    free(outputs[0]);
    free(outputs[1]);
}

/* A program as a function of nodes and numbers. */
static void call_program(life *l, int i)
{
    const uint32_t inputs = l->graphs[i] ? pg_graph_inputs(l->graphs[i]) : 0, captured = (uint32_t)byte(l) % LIST;
    pg_node nodes[LIST], *arguments = calloc(inputs + LIST, sizeof *arguments);
    double *numbers = calloc(inputs + LIST, sizeof *numbers);
    pg_function f = {l->programs[i], inputs - captured, captured, nodes};
    if (!arguments || !numbers) fail("no memory");
    for (uint32_t k = 0; k < captured; k++) nodes[k] = node(l);
    for (uint32_t k = 0; k < inputs + LIST; k++) {
        arguments[k] = byte(l) % 2 ? node(l) : 0;
        numbers[k] = number(l);
    }
    if (f.program && captured <= inputs) keep(l, pg_live_nodes(l->arena), pg_call(l->arena, &f, numbers, arguments));
    f.arguments++;
    if (f.program && captured <= inputs && pg_call(l->arena, &f, numbers, arguments) != PG_BAD_COUNT)
        fail("a call with too many arguments");
    free(arguments);
    free(numbers);
}

/* Whether a program has none of the functions that lanes compute in another way, within their accuracy. */
static int is_exact(const pg_program *p)
{
    const char *const exact = " neg abs relu sqrt sign step nonzero ";
    const uint32_t count = pg_program_instructions(p);
    pg_listing *lines = calloc(count + 1, sizeof *lines);
    int answer = 1;
    char name[40];
    if (!lines || pg_program_list(p, count, lines) != PG_OK) fail("no listing");
    for (uint32_t k = 0; k < count; k++) {
        snprintf(name, sizeof name, " %s ", pg_name(lines[k].op));
        answer &= lines[k].arity > 1 ? strncmp(name, " pow", 4) != 0 : strstr(exact, name) != NULL;
    }
    free(lines);
    return answer;
}

/* A program over some rows, each of which is run by itself too. */
static void run_rows(life *l, int i)
{
    enum { ROWS = 19 };
    const uint32_t inputs = l->graphs[i] ? pg_graph_inputs(l->graphs[i]) : 0,
                   wanted = inputs ? (uint32_t)byte(l) % inputs : 0;
    const size_t count = inputs && byte(l) % 2;
    const int reduced = byte(l) % 2, threads = byte(l) % 4;
    uint8_t *by_row = calloc(inputs + 1, 1);
    double *numbers = calloc(ROWS * inputs + 1, sizeof *numbers);
    pg_block *blocks = calloc(inputs + 1, sizeof *blocks);
    uint64_t failed = UINT64_MAX;
    pg_program *p, *single;
    size_t given = 0;
    if (!by_row || !numbers || !blocks) fail("no memory");
    for (uint32_t k = 0; k < inputs; k++) {
        by_row[k] = (uint8_t)(byte(l) % 2);
        for (uint32_t r = 0; r < ROWS; r++) numbers[r * inputs + k] = by_row[k] || !r ? number(l) : numbers[k];
        if (by_row[k]) blocks[given++] = (pg_block){numbers + k, 1, inputs};
    }
    p = l->graphs[i] ? pg_compile_rows(l->graphs[i], count, &wanted, by_row, reduced, PG_ALL_PASSES) : NULL;
    single = l->graphs[i] ? pg_compile(l->graphs[i], count, &wanted, PG_ALL_PASSES) : NULL;
    if (p && single) {
        const uint32_t outputs = pg_program_outputs(p), values = (uint32_t)pg_graph_measure(l->graphs[i]).outputs;
        double *results = calloc(ROWS * outputs + 1, sizeof *results), *out = calloc(outputs + 1, sizeof *out);
        const pg_block to = {results, outputs, outputs};
        pg_rows rows = {ROWS, numbers, blocks, &to, byte(l) % 2, byte(l) % 2, 0};
        const int exact = is_exact(p);
        int status, now = PG_OK;
        if (!results || !out) fail("no memory");
        status = pg_run_rows(p, &rows, 0, pg_row_chunks(p, ROWS), threads);
        for (uint64_t r = 0; r < ROWS && failed == UINT64_MAX && now != PG_NO_MEMORY; r++) {
            now = pg_run(single, numbers + r * inputs, out);
            if (now == PG_FAILED) failed = r;
            for (uint32_t k = 0; exact && k < values && !now && !status && !reduced; k++)
                if (memcmp(&out[k], &results[r * outputs + k], sizeof *out) &&
                    !(isnan(out[k]) && isnan(results[r * outputs + k])))
                    fail("a row has another value than by itself");
        }
        if (exact && status != PG_NO_MEMORY && now != PG_NO_MEMORY && rows.failed != failed)
            fail("another row fails than by itself");
        if (exact && status == PG_OK && failed != UINT64_MAX && !rows.pass_errors) fail("a row fails without an error");
        if (pg_run_rows(p, &rows, 0, pg_row_chunks(p, ROWS) + 1, threads) != PG_BAD_COUNT) fail("a chunk too many");
        free(results), free(out);
    }
    pg_program_free(p), pg_program_free(single);
    free(by_row), free(numbers), free(blocks);
}

static void derive(life *l, int i)
{
    const uint32_t wanted = (uint32_t)byte(l);
    const int how = byte(l) % 8;
    uint32_t other;
    pg_graph *derived = l->graphs[i] ? pg_derive(l->graphs[i], 1, &wanted, how) : NULL;
    if (!derived) return;
    if (wanted >= pg_graph_inputs(l->graphs[i])) fail("a derivative in an input that there is not");
    if (pg_graph_measure(derived).outputs != pg_graph_measure(l->graphs[i]).outputs * (1 + (how & PG_WITH_VALUES)))
        fail("a derivative has other outputs");
    if (pg_graph_inputs(derived) != pg_graph_inputs(l->graphs[i]) + (how & PG_TANGENTS ? 1 : 0))
        fail("or other inputs");
    pg_program_free(pg_compile(derived, 1, &wanted, PG_ALL_PASSES));
    other = (uint32_t)byte(l) % pg_graph_inputs(derived);
    pg_graph_free(pg_derive(derived, 1, &other, byte(l) % 4)); /* some nodes lead to no output */
    pg_graph_free(derived);
}

static void trace(life *l, int what)
{
    pg_arena *a = l->arena;
    pg_node nodes[LIST];
    double data[LIST] = {0.0};
    size_t count;
    int depends, codes[] = {-1, what, INT32_MAX, INT32_MIN};
    switch (what % 8) {
    case 0:
        if ((l->era = pg_begin_trace(a)) < 0 || l->era > 255) fail("an era is out of range");
        return;
    case 1: pg_end_trace(a); return;
    case 2:
        depends = pg_depends(a, node(l), what < 100 ? l->era : what < 200 ? what : -what);
        if (depends > 1) fail("neither yes nor no");
        return;
    case 3:
        count = list(l, nodes);
        pg_gather(a, count, nodes, data);
        return;
    case 4:
        count = list(l, nodes);
        for (size_t k = 0; k < count; k++) data[k] = number(l);
        pg_scatter(a, count, nodes, data);
        return;
    case 5:
        for (int k = 0; k < 4; k++)
            if (*pg_formula(codes[k]) && !*pg_name(codes[k])) fail("a formula without a name");
        return;
    case 6: pg_mark_number(a, node(l)); return;
    default: put_graph(l, byte(l) % GRAPHS, NULL, 0);
    }
}

static void one_step(life *l)
{
    int which = byte(l), what = byte(l);
    if (which < 100) record(l, what);
    else if (which < 106) freeze(l, what % GRAPHS);
    else if (which < 110) copy_graph(l, what % GRAPHS, what / GRAPHS);
    else if (which < 116) compile(l, byte(l) % GRAPHS, what);
    else if (which < 120) run_programs(l, what % GRAPHS);
    else if (which < 122) what % 4 ? call_program(l, byte(l) % GRAPHS) : derive(l, byte(l) % GRAPHS);
    else if (which < 123) run_rows(l, what % GRAPHS);
    else if (which < 130) trace(l, what);
    else if (which < 155) let_go(l, what);
    else if (which < 180) run_pass(l, what);
    else if (which < 200) change(l, what);
    else if (which < 215) look(l);
    else if (which < 225) optimize(l, what);
    else if (which < 232) pg_reverse_node(l->arena, node(l));
    else if (which < 235) {
        pg_node nodes[4];
        pg_nonzero_grads(l->arena, node(l), 4, nodes);
    }
    else if (which < 239) pg_zero_graph(l->arena, node(l));
    else if (which < 246) {
        const int twice = what < 128 && pg_capacity(l->arena) < 100000;
        pg_grow(l->arena, twice ? 0 : what < 250 ? (uint64_t)what * 3 : UINT64_MAX - (what & 1));
    }
    else if (which < 250) pg_set_quota(l->arena, what < 250 ? (uint64_t)what : UINT64_MAX);
    else if (which < 254) l->starving = what & 1;
    else if (pg_op(what) && !*pg_op(what)->name) fail("an operation has no name");
}

static void check(life *l)
{
    int starving = l->starving;
    const char *fault;
    l->starving = 0;            /* it needs memory itself */
    fault = pg_check(l->arena);
    l->starving = starving;
    if (fault) fail(fault);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint64_t limits[] = {0, 3, 70, 200};
    life l = {.at = data, .end = data + size};
    pg_node freed;
    int objects = byte(&l);
    l.arena = pg_arena_new(limits[objects / 2 % 4], objects & 8 ? resize : NULL, &l, objects & 1);
    if (!l.arena) fail("no memory");
    while (l.at < l.end) {
        for (int n = byte(&l) % 8; n >= 0; n--) one_step(&l);
        check(&l);
    }
    l.starving = 0;
    for (int i = 0; i < PASSES; i++)
        if (l.passes[i]) pg_abandon(l.passes[i]);
    for (int i = 0; i < HELD; i++) drop(&l, i);
    for (int i = 0; i < GRAPHS; i++) put_graph(&l, i, NULL, 0);
    for (int i = 0; i < LIST; i++)
        if (l.freed[i] && pg_recycle(l.arena, l.freed[i]) != PG_OK) fail("a freed slot is not taken back");
    while ((freed = pg_pop_freed(l.arena))) pg_recycle(l.arena, freed);
    check(&l);
    if (pg_live_nodes(l.arena) != 0) fail("nodes are left");
    pg_arena_free(l.arena);
    return 0;
}

#ifndef PG_LIBFUZZER        /* which has a main of its own */
int main(int argc, char **argv)
{
    unsigned long long programs = argc > 1 ? strtoull(argv[1], NULL, 10) : 5000;
    unsigned long long first = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
    for (unsigned long long seed = first; seed < first + programs; seed++) {
        uint64_t state = 0x9e3779b97f4a7c15u * seed | 1;
        uint8_t program[2000];
        size_t size = 0;
        for (size_t most = 20 + seed % (sizeof program - 20); size < most; size++) {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            program[size] = (uint8_t)(state >> 24);
        }
        LLVMFuzzerTestOneInput(program, size);
    }
    puts("all passed");
    return 0;
}
#endif
