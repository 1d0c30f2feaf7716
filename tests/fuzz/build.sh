#!/bin/sh
# Builds fuzz drivers (names without .c) with clang's libFuzzer into build/fuzz/tests/fuzz/. Sourced by run.sh and
# replay.sh. Drivers of proxy/h1 need no other module, so they are built even while the rest does not compile.
cd "$(dirname "$0")/../.." || exit 1
out=build/fuzz
flags="-std=gnu11 -O1 -g -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all -D_GNU_SOURCE -I."
mkdir -p "$out/tests/fuzz"

fuzz_drivers() { # FUZZ: a name, with or without "fuzz_", or "all"
    case "${FUZZ:-all}" in
    all) for file in tests/fuzz/fuzz_*.c; do basename "$file" .c; done ;;
    fuzz_*) echo "$FUZZ" ;;
    *) echo "fuzz_$FUZZ" ;;
    esac
}

fuzz_build() { # DRIVER
    packages=$(sed -n 's/^PACKAGES := //p' Makefile)
    case "$1" in
    fuzz_h1_*)
        # shellcheck disable=SC2086 # words on purpose
        clang $flags -o "$out/tests/fuzz/$1" "tests/fuzz/$1.c" proxy/h1/*.c base/check.c ;;
    *)
        make -s KIND=fuzz CC=clang "$out/libportico.a" >/dev/null &&
        # shellcheck disable=SC2046,SC2086
        clang $flags $(pkg-config --cflags $packages) -o "$out/tests/fuzz/$1" "tests/fuzz/$1.c" "$out/libportico.a" \
            $(pkg-config --libs $packages) -lm -lpthread ;;
    esac
}
