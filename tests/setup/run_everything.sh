#!/bin/sh
# Every test there is, set-up included; one line a stage when it has ended, the output of a failing one, a line each minute about
# those that run, and at the end "N passed, N failed" (unit tests, system tests and Docker tests summed; a stage that is no test
# and fails counts as one). The logs stay in build/everything/. Fails when anything does.
#   STAGES="unit system-tsan" run_everything.sh    only the stages whose names, with - for a blank, contain one of these words
#
# There are two lanes: this process runs what waits (system and Docker tests), and a second one, at a lower priority, what computes
# (compilers, unit tests under sanitizers, fuzz drivers). What both need is made under a lock by whichever comes first.
set -u
cd "$(dirname "$0")/../.." || exit 1
export CI=1
logs=build/everything
system_runners=3 # on two processors: most of these tests wait, for a process that starts or for a time-out of the product
docker_runners=2 # each with an engine of its own
tick_s=60        # between two lines about what runs

is_wanted() { # STAGE
    [ -z "${STAGES:-}" ] && return 0
    for word in $STAGES; do
        case $(echo "$1" | tr ' ' '-') in *"$word"*) return 0 ;; esac
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
    file=$logs/$(echo "$name" | tr ' ' '-')
    log=$file.log
    from=$(date +%s)
    echo "$name" >"$file.running"
    "$@" >"$log" 2>&1
    status=$?
    rm -f "$file.running"
    if [ ! -f "$log" ]; then
        mkdir -p "$logs"
        echo "the log is gone: somebody has removed build/ meanwhile" >"$log"
        status=1
    fi
    stage_passed=$(count "$log" passed)
    stage_failed=$(($(count "$log" failed) + $(count "$log" 'errors?')))
    stage_skipped=$(count "$log" skipped)
    [ $status -ne 0 ] && [ "$stage_failed" -eq 0 ] && stage_failed=1
    echo "$stage_passed $stage_failed" >"$file.counts"
    verdict=ok
    [ "$stage_failed" -eq 0 ] || verdict=FAILED
    # In one piece: the other lane prints too.
    printf '%s\n' "$(
        printf '%-24s %-6s %4d s  %s\n' "$name" "$verdict" $(($(date +%s) - from)) \
            "$([ $((stage_passed + stage_failed)) -eq 0 ] || echo "$stage_passed passed, $stage_failed failed, $stage_skipped skipped")"
        if [ "$verdict" = FAILED ]; then
            tail -100 "$log"
            echo "-- the end of $log; rerun: STAGES=$(echo "$name" | tr ' ' '-') tests/setup/run_everything.sh"
        fi
    )"
    [ "$verdict" = ok ]
}

# "  3 min: system release 45 %, unit tsan"
tell_what_runs() {
    while sleep $tick_s >/dev/null 2>&1; do # which may outlive this, and is not to hold the pipe
        told=
        for file in "$logs"/*.running; do
            running=$(cat "$file" 2>/dev/null)
            [ -n "$running" ] || continue
            percent=$(grep -aoE '\[ *[0-9]+%\]$' "${file%.running}.log" 2>/dev/null | tail -1 | tr -cd '0-9')
            told="$told${told:+, }$running${percent:+ $percent %}"
        done
        [ -z "$told" ] || echo "  $((($(date +%s) - began) / 60)) min: $told"
    done
}

build() { # KIND CC OUT
    make --no-print-directory -j2 KIND="$1" CC="$2" OUT="$3" all
}

# One of the lanes at a time makes things of a KIND, and the other finds them made.
make_locked() { # KIND TARGET
    flock "build/$1.lock" make --no-print-directory -j2 KIND="$1" "$2"
}

unit() { # KIND
    make_locked "$1" programs && make --no-print-directory -j2 KIND="$1" unit
}

pytest_many() { # RUNNERS KIND FOLDER [pytest options]
    runners=$1 kind=$2
    shift 2
    make_locked "$kind" all && tests/setup/run_pytest.sh "build/$kind" "$@" --durations=30 -n "$runners" --dist loadgroup
}

lint() {
    make_locked release all && tests/lint/run.sh build/release/portico
}

docker_alone() {
    make_locked release all && tests/setup/run_pytest.sh build/release tests/docker -m alone
}

# What is wrong at a glance first, then in the order in which the other lane needs it.
compute() {
    stage "build release clang" build release clang build/clang
    stage "lint" lint
    stage "unit asan+ubsan" unit asan
    stage "unit tsan" unit tsan
    stage "fuzz replay" tests/fuzz/replay.sh
    stage "coverage h1" tests/setup/coverage.sh
}

if [ "${1:-}" = compute ]; then
    compute
    exit 0
fi

began=$(date +%s)
mkdir -p "$logs"
rm -f "$logs"/*.log "$logs"/*.counts "$logs"/*.running
lane=
tell_what_runs &
ticker=$!
trap 'kill $ticker; [ -z "$lane" ] || kill -- "-$lane" 2>/dev/null' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

stage "packages" tests/setup/install_packages.sh
stage "build release gcc" build release gcc build/release
setsid nice tests/setup/run_everything.sh compute & # a group of its own: ended with what it started
lane=$!
stage "unit release" unit release
stage "system release" pytest_many $system_runners release tests/system
stage "docker release" pytest_many $docker_runners release tests/docker -m "not alone"
# Two builds, three sanitizers.
for build in asan+ubsan tsan; do
    stage "system $build" pytest_many $system_runners "${build%+ubsan}" tests/system
done
wait $lane || {
    echo "the second lane ended with $?: not all of its stages are here"
    echo "0 1" >"$logs/lane.counts"
}
lane=
# What would measure the other tests beside it.
stage "docker alone" docker_alone

echo "everything: $(($(date +%s) - began)) s"
# shellcheck disable=SC2046 # words on purpose
set -- $(cat "$logs"/*.counts 2>/dev/null | awk '{ passed += $1; failed += $2 } END { print passed + 0, failed + 0 }')
echo "$1 passed, $2 failed"
[ "$2" -eq 0 ] && [ "$1" -gt 0 ]
