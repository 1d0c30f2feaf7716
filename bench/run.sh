#!/bin/sh
# What proxies cost, side by side: CPU time, system calls and instructions per request, latency, memory (`make bench`,
# `make bench-full`). bench/run.sh --help tells the options, docs/benchmarks.md the method. Installs and builds what it measures;
# PORTICO_BENCH_NO_BUILD=1 measures what is there.
set -eu
cd "$(dirname "$0")/.."
build() { # TARGET... VARIABLE=VALUE...
    [ -z "${PORTICO_BENCH_NO_BUILD:-}" ] || return 0
    tests/setup/install_packages.sh # the peers too
    log=$(mktemp)
    if ! make --no-print-directory -j"$(nproc)" KIND=release "$@" >"$log" 2>&1; then
        tail -n 15 "$log" >&2
        rm -f "$log"
        echo "bench: the build failed; PORTICO_BENCH_NO_BUILD=1 measures the binaries that are there" >&2
        exit 1
    fi
    rm -f "$log"
}
case " $* " in
*" --list "* | *" --help "* | *" -h "*) ;;
*" --with-burn "* | *" --self-check "*)
    build
    build OUT=build/burn EXTRA_CFLAGS=-DPORTICO_BURN_NS_PER_REQUEST=5000 build/burn/portico
    ;;
*) build ;;
esac
PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 bench/run.py "$@"
