#!/bin/sh
# Does layers.sh see what it must see? Each planted include, in a small tree of its own, must be the one that it names.
set -u
rules=$(cd "$(dirname "$0")" && pwd)
tree=$(mktemp -d) || exit 1
trap 'rm -rf "$tree"' EXIT
cd "$tree" || exit 1
git init -q . || exit 1
mkdir -p daemon/publish tests && cp -r "$rules" tests/lint
(cd "$rules/../.." && ls -d proxy/*/) | xargs mkdir -p
status=0

plant() { # FILE HEADER: what the file includes
    mkdir -p "$(dirname "$1")"
    echo "#include \"$2\"" > "$1"
}

expect() { # WANTED FILE HEADER; WANTED: refused or accepted
    plant "$2" "$3"
    said=$(sh tests/lint/layers.sh) && got=accepted || got=refused
    case $got:$said in
    accepted:* | refused:*"$2:1:"*) ;;
    *) got="refused without naming it: $said" ;;
    esac
    [ "$got" = "$1" ] || { echo "$2 with \"$3\": $got, should be $1"; status=1; }
    rm "$2"
}

expect accepted daemon/main.c proxy/process/proxy.h
expect accepted proxy/exchange/exchange.c proxy/exchange/exchange_parts.h
expect accepted proxy/client/conn.c proxy/exchange/client_side.h
expect refused base/log.c config/config.h
expect refused discovery/task.c controller/controller.h
expect refused proxy/worker/worker.c discovery/task.h
expect refused proxy/exchange/exchange.c proxy/client/conn.h
expect refused proxy/io/channel.c proxy/worker/worker.h
expect refused proxy/client/conn.c proxy/exchange/exchange_parts.h
expect refused proxy/process/fleet.c proxy/client/conn.h
expect refused daemon/main.c proxy/process/fleet.h
expect refused daemon/publish/publisher.c daemon/crew.h
exit $status
