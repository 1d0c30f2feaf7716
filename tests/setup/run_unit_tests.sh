#!/bin/sh
# Runs the unit test binaries, two at a time; prints the whole output of a failing one, and how to rerun it alone.
# Usage: run_unit_tests.sh OUT BINARY...
set -u
out=$1
shift
# A unit test needs seconds, the longest half a minute under a sanitizer, and some minutes where it gets what system tests leave
# (run_everything.sh); one that hangs is a failure, not a stuck run.
for binary in "$@"; do rm -f "$binary.log" "$binary.status"; done
printf '%s\n' "$@" | xargs -P 2 -I '{}' sh -c 'timeout 1800 "{}" >"{}.log" 2>&1; echo $? >"{}.status"'
passed=0 failed=0
for binary in "$@"; do
    status=$(cat "$binary.status" 2>/dev/null || echo none)
    ok=$(grep -c '\[       OK \]' "$binary.log")
    passed=$((passed + ok))
    if [ "$status" != 0 ]; then
        failed=$((failed + 1))
        cat "$binary.log"
        echo "FAILED $binary (exit $status); rerun: make KIND=$(basename "$out") $binary && $binary"
    fi
done
echo "unit tests ($(basename "$out")): $passed passed, $failed failed"
[ $failed -eq 0 ] && [ $passed -gt 0 ]
