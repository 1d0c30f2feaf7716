#!/bin/sh
# Includes point down: daemon -> admin -> controller -> discovery -> config -> base and daemon -> proxy -> config -> base.
# They are written from the root, so the first folder of the path names the layer, and in proxy/ the second one the room.
set -u
. tests/lint/sources.sh
status=0
check_layer() { # FOLDER ALLOWED-FOLDER...
    folder=$1
    shift
    allowed="^($(echo "$folder $*" | tr ' ' '|'))/"
    wrong=$(files "$folder/**" "$folder/*" | grep -E '\.(c|h|def)$' | sort -u | xargs -r grep -nE '^ *# *include +"' /dev/null |
        awk -v allowed="$allowed" '{ path = $0; sub(/^[^"]*"/, "", path); sub(/".*/, "", path) } path !~ allowed' |
        sed "s|\$|   <- $folder may include only:${*:+ $*} $folder|")
    [ -z "$wrong" ] || { echo "$wrong"; status=1; }
}
check_layer base
check_layer config base
check_layer discovery config base
check_layer controller discovery config base
check_layer admin controller discovery config base
check_layer proxy config base
check_layer daemon admin controller discovery proxy config base

# Inside proxy/ too: a room may include itself, proxy/stats, and the rooms below it. `rooms` names them from the lowest floor up.
rooms='io http h1 balance route snapshot message log worker upstream exchange client process'
below=
for room in $rooms; do
    below="$below $room"
    allowed="^(base/|config/|proxy/stats|proxy/($(echo $below | tr ' ' '|'))/)"
    wrong=$(files "proxy/$room/*" | grep -E '\.(c|h|def)$' | sort -u | xargs -r grep -nE '^ *# *include +"' /dev/null |
        awk -v allowed="$allowed" '{ path = $0; sub(/^[^"]*"/, "", path); sub(/".*/, "", path) } path !~ allowed' |
        sed "s|\$|   <- proxy/$room/ may include only:$below|")
    [ -z "$wrong" ] || { echo "$wrong"; status=1; }
done
exit $status
