#!/bin/sh
# What the proxies cost: CPU time and system calls per request, beside a relay that only copies bytes (`make bench`).
# ROUNDS=5 SECONDS_PER_ROUND=4 CONNECTIONS=64 BODY_BYTES= (66 by default) may be set in the environment.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"
[ -x build/release/bench/relay ] && [ -x build/release/bench/backend ] && [ -x build/release/portico ] ||
    make KIND=release || echo "make failed: measuring what is there" >&2
exec /usr/bin/python3 bench/run.py
