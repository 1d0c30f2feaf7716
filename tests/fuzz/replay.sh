#!/bin/sh
# Runs every seed and every past crash once through its driver. FUZZ=name: only that driver.
set -u
. "$(dirname "$0")/build.sh"
if [ "${FUZZ:-all}" = all ]; then
    fuzz_library # once, before two at a time look for it; those that need it say when there is none
    fuzz_drivers | xargs -P 2 -I '{}' env FUZZ='{}' tests/fuzz/replay.sh
    exit
fi
failed=0
for driver in $(fuzz_drivers); do
    files=$(find "tests/fuzz/seeds/$driver" "tests/fuzz/regression/$driver" -type f ! -name '.*' 2>/dev/null)
    log=$out/$driver.replay.log
    # shellcheck disable=SC2086 # words on purpose: file names without spaces
    if fuzz_build "$driver" && [ -n "$files" ] && "$out/tests/fuzz/$driver" $files >"$log" 2>&1; then
        echo "$driver: $(echo "$files" | wc -l) inputs replayed"
    else
        [ -f "$log" ] && tail -40 "$log"
        echo "FAILED $driver (an input, no inputs, or it does not build); rerun: FUZZ=$driver tests/fuzz/replay.sh"
        failed=1
    fi
done
exit $failed
