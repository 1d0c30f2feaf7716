#!/bin/sh
# Runs the pytest tests of a folder (or file) against the build in OUT. Usage: run_pytest.sh OUT PATH [pytest options]
set -u
out=$(cd "$1" && pwd) || exit 1
where=$2
shift 2
# Sanitizer reports go to the log of the process that made them, where the tests look for them.
export PORTICO_OUT="$out" PYTHONDONTWRITEBYTECODE=1
export ASAN_OPTIONS="${ASAN_OPTIONS:-detect_leaks=1:abort_on_error=0}"
export UBSAN_OPTIONS="${UBSAN_OPTIONS:-print_stacktrace=1}"
export TSAN_OPTIONS="${TSAN_OPTIONS:-halt_on_error=0}"
exec /usr/bin/python3 -m pytest -q -p no:cacheprovider "$@" "$where"
