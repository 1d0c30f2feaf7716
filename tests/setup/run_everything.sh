#!/bin/sh
# Every test there is, set-up included; one line a stage, the output of a failing one, and at the end "N passed, N failed"
# (unit tests, system tests and Docker tests summed; a stage that is no test and fails counts as one). The logs stay in
# build/everything/. Fails when anything does.
#   STAGES="unit system" run_everything.sh    only the stages whose names contain one of these words
set -u
cd "$(dirname "$0")/../.." || exit 1
export CI=1
logs=build/everything
passed=0 failed=0 began=$(date +%s)
mkdir -p "$logs"
rm -f "$logs"/*.log

is_wanted() { # STAGE
    [ -z "${STAGES:-}" ] && return 0
    for word in $STAGES; do
        case $1 in *"$word"*) return 0 ;; esac
    done
    return 1
}

# The sum of the numbers before this word in the summaries: "unit tests (asan): 12 passed, 0 failed", "3 failed, 9 passed in".
count() { # LOG WORD
    grep -E '^unit tests |^[0-9]+ (passed|failed|skipped|errors?).* in [0-9.]+s|^=+ .* in [0-9.]+s' "$1" |
        grep -oE "[0-9]+ $2" | awk '{ sum += $1 } END { print sum + 0 }'
}

stage() { # NAME COMMAND...
    name=$1
    shift
    is_wanted "$name" || return 0
    log=$logs/$(echo "$name" | tr ' ' '-').log
    from=$(date +%s)
    "$@" >"$log" 2>&1
    status=$?
    if [ ! -f "$log" ]; then
        mkdir -p "$logs"
        echo "the log is gone: somebody has removed build/ meanwhile" >"$log"
        status=1
    fi
    stage_passed=$(count "$log" passed)
    stage_failed=$(($(count "$log" failed) + $(count "$log" 'errors?')))
    stage_skipped=$(count "$log" skipped)
    [ $status -ne 0 ] && [ "$stage_failed" -eq 0 ] && stage_failed=1
    passed=$((passed + stage_passed))
    failed=$((failed + stage_failed))
    verdict=ok
    [ "$stage_failed" -eq 0 ] || verdict=FAILED
    printf '%-24s %-6s %4d s  %s\n' "$name" "$verdict" $(($(date +%s) - from)) \
        "$([ $((stage_passed + stage_failed)) -eq 0 ] || echo "$stage_passed passed, $stage_failed failed, $stage_skipped skipped")"
    if [ "$verdict" = FAILED ]; then
        tail -100 "$log"
        echo "-- the end of $log; rerun: STAGES='$name' tests/setup/run_everything.sh"
    fi
    [ "$verdict" = ok ]
}

build() { # KIND CC OUT
    make --no-print-directory -j2 KIND="$1" CC="$2" OUT="$3" all
}

unit() { # KIND
    make --no-print-directory -j2 KIND="$1" unit
}

pytest_pairs() { # OUT FOLDER [pytest options]: two tests at a time
    [ -x "$1/portico" ] || { echo "$1/portico was not built"; return 1; }
    tests/setup/run_pytest.sh "$@" -n 2 --dist loadgroup
}

# Those that measure time, or load the whole machine, run one after the other when the rest is done.
pytest_release() { # FOLDER
    pytest_pairs build/release "$1" -m "not alone"
    pairs=$?
    tests/setup/run_pytest.sh build/release "$1" -m alone && [ $pairs -eq 0 ]
}

stage "packages" tests/setup/install_packages.sh
stage "build release gcc" build release gcc build/release
stage "build release clang" build release clang build/clang
stage "unit release" unit release
stage "coverage h1" tests/setup/coverage.sh
[ ! -x tests/lint/run.sh ] || stage "lint" tests/lint/run.sh build/release/portico
stage "system release" pytest_release tests/system
[ ! -d tests/docker ] || stage "docker release" pytest_release tests/docker
# Two builds, three sanitizers. Nothing is measured under them: no test has to be alone.
for build in asan+ubsan tsan; do
    kind=${build%+ubsan}
    stage "unit $build" unit "$kind"
    stage "system $build" pytest_pairs "build/$kind" tests/system
done
[ ! -x tests/fuzz/replay.sh ] || stage "fuzz replay" tests/fuzz/replay.sh

echo "everything: $(($(date +%s) - began)) s"
echo "$passed passed, $failed failed"
[ $failed -eq 0 ] && [ $passed -gt 0 ]
