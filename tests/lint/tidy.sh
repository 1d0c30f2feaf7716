#!/bin/sh
# clang-tidy with .clang-tidy; slow, so no part of run.sh. Usage: tidy.sh [FILE.c...]; default: every source that
# compile_commands.json names.
set -u
cd "$(dirname "$0")/../.." || exit 1
command -v clang-tidy >/dev/null || { echo "clang-tidy is not installed: not checked"; exit 0; }
make -B -s compile_commands.json || exit 1
python3 -m json.tool compile_commands.json >/dev/null || { echo "compile_commands.json:1: is not valid JSON"; exit 1; }
[ $# -gt 0 ] || set -- $(sed -nE 's/.*"file":"([^"]*)".*/\1/p' compile_commands.json)
printf '%s\n' "$@" | xargs -P 2 -n 1 clang-tidy -p . --quiet 2>/dev/null
