#!/bin/sh
# Includes point down: daemon -> admin -> controller -> discovery -> config -> base and daemon -> proxy -> config -> base. They are
# written from the root, so the first folder of the path names the layer, and in proxy/ the second one the room.
set -u
. tests/lint/sources.sh
status=0

includes=$(files '*.c' '*.h' '*.def' | xargs grep -nE '^ *# *include +"' /dev/null)

# FOLDER ALLOWED-PATHS (a regular expression) WHAT-IT-SAYS: each include of the folder's sources must be among them.
check_includes() {
    echo "$includes" | awk -v folder="$1/" -v allowed="$2" -v says="$3" '
        index($0, folder) != 1 { next }
        { path = $0; sub(/^[^"]*"/, "", path); sub(/".*/, "", path) }
        path !~ allowed { print $0 "   <- " says; bad = 1 }
        END { exit bad }' || status=1
}

check_layer() { # FOLDER ALLOWED-FOLDER...
    check_includes "$1" "^($(echo "$*" | tr ' ' '|'))/" "$1 may include only: $*"
}
check_layer base
check_layer config base
check_layer discovery config base
check_layer controller discovery config base
check_layer admin controller discovery config base
check_layer proxy config base
check_layer daemon admin controller discovery proxy config base

# Inside proxy/ too: a room may include itself, proxy/stats, and of the rooms below it their doors. The other headers of a room,
# and with them the insides of its structs, are its own. From the lowest floor up: ROOM DOOR..., and why a struct in one is open.
rooms='
io         buffer_pool channel deadline graveyard: bodies move from channel to channel without a copy between
http       head edit field head_writer: plain values
h1         head writer chunk error target trailer: plain values
balance    balancer shares: plain values, shared by a snapshot and its readers
route      route_table
snapshot   snapshot endpoint kept_rows settings snapshot_builder snapshot_fields: never changes once it is published
message    forward_head body_relay fault http_date proxy_protocol: plain values; an exchange embeds its bodies
log        access_log access_log_opener termination: a worker embeds its log
worker     worker row_use: the floor that the rooms above stand on
upstream   pool endpoint_codec: what is handed out is the taker'"'"'s while it has it
exchange   exchange client_side reply: client_side is embedded by who speaks for a client
client     clients listener: a worker embeds them
process    proxy jail'
below=
doors=
while read -r room room_doors; do
    [ -n "$room" ] || continue
    for door in ${room_doors%%:*}; do
        doors="$doors${doors:+|}$room/$door\\.h"
    done
    check_includes "proxy/$room" "^(base/|config/|proxy/stats|proxy/$room/|proxy/($doors)\$)" \
        "proxy/$room may include its own headers and the doors of:${below:- no room}"
    below="$below $room"
done <<ROOMS
$rooms
ROOMS
check_includes daemon "^([^p]|proxy/stats|proxy/($doors)\$)" "daemon may include only the doors of the rooms of proxy/"

# An exchange is one of any version of HTTP: what it knows of a message is http/, and what a codec makes of that is the codec's.
check_includes proxy/exchange "^([^p]|proxy/([^h]|http/))" "proxy/exchange may include nothing of one version of HTTP"

# What turns registry and configuration into frames knows nothing of the processes.
check_includes daemon/publish "^([^d]|discovery/|daemon/publish/)" "daemon/publish may include nothing else of daemon"
[ $status -ne 0 ] || echo "floors of proxy/:$below"
exit $status
