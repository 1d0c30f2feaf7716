#!/bin/sh
# Nothing left to do in the code, no path of one machine, no host name of a package or image registry.
set -u
. tests/lint/sources.sh
status=0
forbid() { # WHY REGEXP PATHSPEC...
    why=$1 words=$2
    shift 2
    wrong=$(files "$@" | xargs -r grep -nIE "$words" /dev/null | sed "s|\$|   <- $why|")
    [ -z "$wrong" ] || { echo "$wrong"; status=1; }
}
forbid 'finish it, or write it down in CHANGELOG.md or docs/' '\b(TO[D]O|FIX[M]E|XX[X])\b' \
    '*.c' '*.h' '*.def' '*.py' '*.sh' Makefile
forbid 'a path of one machine' '(^|[^a-zA-Z0-9_.])/(wor[k]|roo[t]|hom[e])/[a-z]' '*'
forbid 'host name of a registry' \
    '\b(registry-1\.docker\.i[o]|docker\.i[o]/|ghcr\.i[o]|quay\.i[o]|gcr\.i[o]|pypi\.or[g]|registry\.npmjs\.or[g]|crates\.i[o])' '*'
exit $status
