#!/bin/sh
# Fuzzes for TIME seconds (30) each driver, or only FUZZ=name; one line a driver. Starts from the seeds, the regressions
# and what earlier runs found (build/fuzz/corpus/). A crash is kept in build/fuzz/crashes/: minimise it and put it into
# tests/fuzz/regression/<driver>/ together with the fix.
set -u
. "$(dirname "$0")/build.sh"
failed=0
for driver in $(fuzz_drivers); do
    if ! fuzz_build "$driver"; then
        echo "FAILED $driver: does not build"
        failed=1
        continue
    fi
    corpus=$out/corpus/$driver crashes=$out/crashes/$driver log=$out/$driver.log
    mkdir -p "$corpus" "$crashes" "tests/fuzz/seeds/$driver" "tests/fuzz/regression/$driver"
    dictionary=
    case $driver in fuzz_h1_*) dictionary=-dict=tests/fuzz/h1.dict ;; esac
    [ -f "tests/fuzz/$driver.dict" ] && dictionary=-dict=tests/fuzz/$driver.dict
    # shellcheck disable=SC2086 # no word where there is no dictionary
    "$out/tests/fuzz/$driver" -max_total_time="${TIME:-30}" -timeout=5 -max_len=4096 $dictionary \
        -artifact_prefix="$crashes/" "$corpus" "tests/fuzz/seeds/$driver" "tests/fuzz/regression/$driver" \
        >"$log" 2>&1
    if [ $? -eq 0 ]; then
        echo "$driver: $(grep '^Done ' "$log"), coverage $(grep -o 'cov: [0-9]*' "$log" | tail -1 | cut -d' ' -f2)"
    else
        tail -40 "$log"
        echo "FAILED $driver: see $log and $crashes/; rerun: FUZZ=$driver make fuzz"
        failed=1
    fi
done
exit $failed
