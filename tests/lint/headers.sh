#!/bin/sh
# Each header compiles alone and has the include guard of its own name. X-macro lists (.def) are no headers.
set -u
. tests/lint/sources.sh
status=0
flags="-std=gnu11 -Wall -Werror -D_GNU_SOURCE -I. $(pkg-config --cflags libevent_core libcurl jansson sqlite3 yaml-0.1 2>/dev/null)"
for header in $(files '*.h'); do
    guard=$(echo "$header" | tr 'a-z/.-' 'A-Z___')
    grep -q "^#define $guard\$" "$header" && grep -q "^#ifndef $guard\$" "$header" && continue
    echo "$header:1: include guard is not $guard"
    status=1
done
wrong=$(files '*.h' | xargs -P 2 -n 1 sh -c 'echo "#include \"$2\"" | ${CC:-cc} $1 -x c -fsyntax-only - 2>&1 |
    grep error: | sed "s|^|$2:1: does not compile alone: |"' compile "$flags")
[ -z "$wrong" ] || { echo "$wrong"; status=1; }
exit $status
