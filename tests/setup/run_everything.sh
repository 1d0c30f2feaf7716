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
system_runners=3 # on two processors: most of these tests wait, for a process that starts or for a time-out of the product
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

pytest_many() { # RUNNERS OUT FOLDER [pytest options]
    runners=$1
    shift
    [ -x "$1/portico" ] || { echo "$1/portico was not built"; return 1; }
    tests/setup/run_pytest.sh "$@" -n "$runners" --dist loadgroup
}

# Those that measure time, or load the whole machine, run one after the other when the rest is done.
pytest_release() { # RUNNERS FOLDER
    pytest_many "$1" build/release "$2" -m "not alone"
    many=$?
    wait # for what is compiled ahead
    tests/setup/run_pytest.sh build/release "$2" -m alone && [ $many -eq 0 ]
}

# What the stages after it need. Each makes what is missing or broken again, and says so.
compile_ahead() {
    for kind in asan tsan; do
        nice make --no-print-directory -j2 KIND=$kind programs
    done
    nice make --no-print-directory -j2 KIND=fuzz CC=clang build/fuzz/libportico.a
}

# An engine for each runner. They mostly wait for containers.
docker_release() {
    [ -n "${STAGES:-}" ] || compile_ahead >"$logs/compile-ahead.log" 2>&1 &
    pytest_release 2 tests/docker
}

stage "packages" tests/setup/install_packages.sh
stage "build release gcc" build release gcc build/release
stage "build release clang" build release clang build/clang
stage "unit release" unit release
stage "coverage h1" tests/setup/coverage.sh
[ ! -x tests/lint/run.sh ] || stage "lint" tests/lint/run.sh build/release/portico
stage "system release" pytest_release $system_runners tests/system
[ ! -d tests/docker ] || stage "docker release" docker_release
# Two builds, three sanitizers. Nothing is measured under them: no test has to be alone.
for build in asan+ubsan tsan; do
    kind=${build%+ubsan}
    stage "unit $build" unit "$kind"
    stage "system $build" pytest_many $system_runners "build/$kind" tests/system
done
[ ! -x tests/fuzz/replay.sh ] || stage "fuzz replay" tests/fuzz/replay.sh

echo "everything: $(($(date +%s) - began)) s"
echo "$passed passed, $failed failed"
[ $failed -eq 0 ] && [ $passed -gt 0 ]
