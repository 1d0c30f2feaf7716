#!/bin/sh
# Does layers.sh see what it must see? In a small tree of its own it must name each planted include, and none of the others.
set -u
rules=$(cd "$(dirname "$0")" && pwd)
tree=$(mktemp -d) || exit 1
trap 'rm -rf "$tree"' EXIT
cd "$tree" || exit 1
git init -q . || exit 1
mkdir -p daemon/publish tests && cp -r "$rules" tests/lint
(cd "$rules/../.." && ls -d proxy/*/) | xargs mkdir -p

include() { # FILE HEADER
    mkdir -p "$(dirname "$1")"
    echo "#include \"$2\"" > "$1"
}

include daemon/good.c proxy/process/proxy.h
include proxy/exchange/good.c proxy/exchange/exchange_parts.h
include proxy/client/good.c proxy/exchange/client_side.h
include base/wrong.c config/config.h
include discovery/wrong.c controller/controller.h
include daemon/wrong.c proxy/process/fleet.h
include daemon/publish/wrong.c daemon/crew.h
include proxy/worker/wrong.c discovery/task.h
include proxy/io/wrong.c proxy/worker/worker.h
include proxy/exchange/wrong.c proxy/client/conn.h
include proxy/exchange/part/wrong.c proxy/h1/head.h
include proxy/client/wrong.c proxy/exchange/exchange_parts.h
include proxy/process/wrong.c proxy/client/conn.h

said=$(sh tests/lint/layers.sh) && echo "layers.sh accepts what it must refuse"
named=$(echo "$said" | sed 's/:.*//' | sort -u)
planted=$(find . -name wrong.c | sed 's|^\./||' | sort)
[ "$named" = "$planted" ] || { echo "layers.sh should name:"; echo "$planted"; echo "and said:"; echo "$said"; exit 1; }
