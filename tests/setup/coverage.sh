#!/bin/sh
# How much of the parser its own unit tests run: builds those of proxy/http and proxy/h1 with clang's coverage, runs them, prints lines and
# branches a file, and fails below 100 % of the lines or 95 % of the branches of the folders. A condition that is seen both
# true and false counts as two branches. The lines that were not run: OUT/uncovered.txt.
# Usage: coverage.sh [OUT]
set -u
cd "$(dirname "$0")/../.." || exit 1
out=${1:-build/coverage}
lines_min=100 branches_min=95

"$(dirname "$0")/install_packages.sh" || exit 1
mkdir -p "$out"

# The parser and what its tests use, and no more: it can be measured even while the rest does not compile.
objects=
for file in proxy/http/*.c proxy/h1/*.c base/buf.c base/mem.c base/check.c base/error.c tests/corpus/*.c; do
    [ -f "$file" ] || continue
    objects="$objects $out/${file%.c}.o"
done
tests=
for file in tests/unit/proxy/http/*_test.c tests/unit/proxy/h1/*_test.c; do
    tests="$tests $out/${file%.c}"
done
# shellcheck disable=SC2046,SC2086 # words on purpose
make --no-print-directory -j2 KIND=coverage CC=clang OUT="$out" $objects $(printf '%s.o ' $tests) >"$out/make.log" 2>&1 ||
    { cat "$out/make.log"; exit 1; }

rm -f "$out"/*.profraw
for binary in $tests; do
    name=$(echo "${binary#"$out"/}" | tr / -) # two folders may have a test of one name
    log=$out/$name.log
    # shellcheck disable=SC2086 # words on purpose
    clang -fprofile-instr-generate -o "$binary" "$binary.o" $objects -lcmocka || exit 1
    LLVM_PROFILE_FILE="$out/$name.profraw" "$binary" >"$log" 2>&1 || { cat "$log"; exit 1; }
done
llvm-profdata merge -o "$out/all.profdata" "$out"/*.profraw || exit 1

report() { # llvm-cov's VERB and options: of the files of the folders, over all binaries
    # shellcheck disable=SC2046,SC2086 # words on purpose
    set -- "$@" $(printf -- '-object %s ' $tests)
    first=${tests# }
    llvm-cov "$@" -instr-profile "$out/all.profdata" "${first%% *}" proxy/http proxy/h1
}

# A line of a header is run when any file that includes it runs it; llvm-cov's own summary counts the unused copy of an
# inline function as lines that were not run, so lines are counted from the list of them, and only branches taken from it.
report export -format=lcov >"$out/lines.lcov" && report export -format=text -summary-only >"$out/summary.json" || exit 1
awk -F'[:,]' '/^SF:/ { file = $2 } /^DA:/ && $3 == 0 { print file ":" $2 ": not run" }' "$out/lines.lcov" >"$out/uncovered.txt"
{
    awk -F'[:,]' '/^SF:/ { file = $2 } /^DA:/ { print "line", file, ($3 > 0) }' "$out/lines.lcov"
    jq -r '.data[0].files[] | "branches \(.filename) \(.summary.branches.covered) \(.summary.branches.count)"' \
        "$out/summary.json"
} | sed "s|$PWD/||" | sort -k2,2 -s | awk -v lines_min=$lines_min -v branches_min=$branches_min '
    function share(part, whole) { return whole > 0 ? 100 * part / whole : 100 }
    function row(name) {
        printf "%-24s %12s %8.2f %14s %8.2f\n", name, run[name] "/" lines[name], share(run[name], lines[name]),
            taken[name] "/" branches[name], share(taken[name], branches[name])
    }
    $1 == "line" { lines[$2]++; run[$2] += $3; lines["all"]++; run["all"] += $3; next }
    { order[++files] = $2; taken[$2] = $3; branches[$2] = $4; taken["all"] += $3; branches["all"] += $4 }
    END {
        printf "%-24s %12s %8s %14s %8s\n", "file", "lines", "%", "branches", "%"
        for (i = 1; i <= files; i++)
            if (branches[order[i]] + lines[order[i]] > 0)
                row(order[i])
        row("all")
        if (share(run["all"], lines["all"]) < lines_min)
            wrong = "lines below " lines_min " %\n"
        if (share(taken["all"], branches["all"]) < branches_min)
            wrong = wrong "branches below " branches_min " %\n"
        printf "%s", wrong
        exit wrong != "" || lines["all"] == 0
    }' || { echo "what was not run: $out/uncovered.txt; rerun: make coverage"; exit 1; }
