#!/bin/sh
# Includes point down: daemon -> admin -> controller -> discovery -> config -> base and daemon -> proxy -> config -> base.
# They are written from the root, so the first folder of the path names the layer.
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
exit $status
