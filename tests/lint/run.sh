#!/bin/sh
# Runs every rule of this folder; each prints file:line and why. Usage: run.sh OUT_BINARY
set -u
cd "$(dirname "$0")/../.." || exit 1
binary=${1:-build/release/portico}
failed=
for rule in layers layers_test headers sizes effects words docs corpus format; do
    if sh "tests/lint/$rule.sh" "$binary"; then
        echo "lint $rule: ok"
    else
        failed="$failed $rule"
        echo "lint $rule: FAILED; rerun: sh tests/lint/$rule.sh $binary"
    fi
done
[ -z "$failed" ]
