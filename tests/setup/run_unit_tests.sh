#!/bin/sh
# Runs each unit test binary; prints one line a binary, the whole output of a failing one, and how to rerun it alone.
# Usage: run_unit_tests.sh OUT BINARY...
set -u
out=$1
shift
passed=0 failed=0
for binary in "$@"; do
    log="$out/$(basename "$binary").log"
    # A unit test needs seconds under a sanitizer; one that hangs is a failure, not a stuck run.
    timeout 120 "$binary" >"$log" 2>&1
    status=$?
    ok=$(grep -c '\[       OK \]' "$log")
    passed=$((passed + ok))
    if [ $status -ne 0 ]; then
        failed=$((failed + 1))
        cat "$log"
        echo "FAILED $binary (exit $status); rerun: make KIND=$(basename "$out") $binary && $binary"
    fi
done
echo "unit tests ($(basename "$out")): $passed passed, $failed failed"
[ $failed -eq 0 ] && [ $passed -gt 0 ]
