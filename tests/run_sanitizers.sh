#!/usr/bin/env bash
# The Python suite, on both backends, under the address and undefined-behaviour sanitizers; the C tests, which
# tests/test_c_library.py runs under these, under valgrind, the thread sanitizer and libFuzzer, where they are. From the top of the checkout:
#
#     tests/run_sanitizers.sh [PYTHON] [pytest arguments]
#
# PYTHON (default: .venv/bin/python) must have the package's test requirements and setuptools.
set -euo pipefail

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
python=${1:-$top/.venv/bin/python}
shift || true
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# Optimizing what sanitizers add takes ten times as long as compiling, and saves less.
flags=(-g -O0 -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=undefined)

checked=(-std=c11 -fopenmp-simd -Wno-pass-failed -pthread "${flags[@]}" -DPG_CHECKED -I"$top/csrc")
library=("$top"/csrc/*.c)
if command -v valgrind >/dev/null; then
    echo "== the C tests under valgrind"
    gcc -std=c11 -fopenmp-simd -pthread -g -O1 -I"$top/csrc" -o "$work/valgrind" "$top/tests/c/test_library.c" "${library[@]}" -lm
    valgrind -q --error-exitcode=1 --leak-check=full --errors-for-leak-kinds=all "$work/valgrind"
else
    echo "== valgrind is not installed: skipped"
fi

# Threads share rows there, and nothing else in it has threads.
if gcc -fsanitize=thread -x c -o "$work/probe" - 2>/dev/null <<<'int main(void) { return 0; }' && "$work/probe"; then
    echo "== the C tests under the thread sanitizer"
    gcc -std=c11 -fopenmp-simd -pthread -g -O0 -fsanitize=thread -I"$top/csrc" -o "$work/threads" \
        "$top/tests/c/test_library.c" "${library[@]}" -lm
    TSAN_OPTIONS=halt_on_error=1 "$work/threads"
else
    echo "== gcc has no thread sanitizer here: skipped"
fi

if command -v clang >/dev/null && clang -fsanitize=fuzzer -x c -o "$work/probe" - 2>/dev/null \
    <<<'#include <stddef.h>
int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size) { return data && size > 1u << 30; }'; then
    echo "== random lives of an arena, by libFuzzer"
    clang "${checked[@]}" -DPG_LIBFUZZER -fsanitize=fuzzer -o "$work/fuzz" "$top/tests/c/fuzz_library.c" \
        "${library[@]}" -lm
    (cd "$work" && ./fuzz -max_total_time="${FUZZ_SECONDS:-5}" -max_len=2000 -timeout=20 -print_final_stats=1) \
        >"$work/fuzz.log" 2>&1 || { tail -n 60 "$work/fuzz.log"; exit 1; }
    grep stat::number "$work/fuzz.log"
else
    echo "== clang has no libFuzzer here: skipped"
fi

echo "== the Python suite under the sanitizers"
cp -r "$top"/{csrc,pygrad,tests,examples,benchmarks,setup.py,pyproject.toml,README.md} "$work"
rm -f "$work"/pygrad/*.so
cd "$work"
CFLAGS="${flags[*]} -DPG_CHECKED" LDFLAGS="-fsanitize=address,undefined" "$python" setup.py -q build_ext --inplace >build.log 2>&1 ||
    { tail -n 20 build.log; exit 1; }
# Python itself leaks by design, so leaks are looked for in the C tests only. What does not run under a preloaded
# sanitizer is left out: programs that limit their memory, and those that start compilers or other tools. So are the
# tests marked `once`, of Python code alone, and of formulas that the fuzzer runs too. On the cffi backend, where all
# takes longest: graphs, which both backends reach in the same way, how much room there is, and mere length.
export LD_PRELOAD="$(gcc -print-file-name=libasan.so) $(gcc -print-file-name=libubsan.so)"
export ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1 PYTHONMALLOC=malloc PYTHONPATH="$work"
suite() { # backend, pytest arguments
    PYGRAD_BACKEND=$1 "$python" -m pytest -q -p no:cacheprovider tests \
        --ignore tests/test_c_library.py --ignore tests/test_bench.py --ignore tests/test_types.py \
        --ignore tests/test_examples.py -m "not unsanitized and not once" "${@:2}" >"$work/$1.log" 2>&1
}
suite native "$@" &
status=0
suite cffi --ignore tests/test_graphs.py --ignore tests/test_graph_files.py --ignore tests/test_functional.py \
    --ignore tests/test_growth.py --ignore tests/test_memory.py --deselect tests/test_trace.py::test_numbers_do_not_leave \
    --deselect tests/test_semantics.py::test_a_chain_of_a_million "$@" || status=1
wait $! || status=1
for backend in native cffi; do
    echo "-- $backend"
    cat "$work/$backend.log"
done
exit $status
