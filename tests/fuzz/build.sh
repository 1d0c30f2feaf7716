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

fuzz_library() { # what most drivers are linked with
    make --no-print-directory -s -j2 KIND=fuzz CC=clang "$out/libportico.a" >/dev/null
}

fuzz_build() { # DRIVER
    packages=$(sed -n 's/^PACKAGES := //p' Makefile)
    case "$1" in
    fuzz_h1_*)
        # shellcheck disable=SC2086 # words on purpose
        clang $flags -o "$out/tests/fuzz/$1" "tests/fuzz/$1.c" proxy/http/*.c proxy/h1/*.c base/check.c ;;
    fuzz_conversation)
        # The rig and its reader are not what is explored: they are built without the fuzzer's instrumentation.
        # shellcheck disable=SC2046,SC2086
        fuzz_library &&
        for part in rig wire reader script; do
            clang $(echo "$flags" | sed 's/=fuzzer,/=/') $(pkg-config --cflags $packages) -c \
                -o "$out/tests/fuzz/conversation_$part.o" "tests/unit/proxy/exchange/conversation_$part.c" || return 1
        done &&
        clang $flags $(sed -n 's/^RIG_WRAPPED := //p' Makefile | sed 's/[a-z][a-z]*/-Wl,--wrap=&/g') \
            -o "$out/tests/fuzz/$1" "tests/fuzz/$1.c" "$out"/tests/fuzz/conversation_*.o "$out/libportico.a" \
            $(pkg-config --libs $packages) -lm -lpthread ;;
    *)
        fuzz_library &&
        # shellcheck disable=SC2046,SC2086
        clang $flags $(pkg-config --cflags $packages) -o "$out/tests/fuzz/$1" "tests/fuzz/$1.c" "$out/libportico.a" \
            $(pkg-config --libs $packages) -lm -lpthread ;;
    esac
}
