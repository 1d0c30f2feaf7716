#!/bin/sh
# Installs the packages of packages.txt that are missing. Says nothing and asks nobody when none is.
set -eu
here=$(dirname "$0")
missing=
for package in $(grep -v '^#' "$here/packages.txt"); do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing="$missing $package"
done
[ -n "$missing" ] || exit 0
echo "installing from Debian:$missing"
run=
[ "$(id -u)" = 0 ] || run=sudo
# Services must not start by themselves: the tests and the demo start what they need, and stop it.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' | $run tee "$policy" >/dev/null
    $run chmod 755 "$policy"
    trap '$run rm -f "$policy"' EXIT
fi
log=$(mktemp)
$run apt-get update -qq >"$log" 2>&1 || { cat "$log"; exit 1; }
$run env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >"$log" 2>&1 || { cat "$log"; exit 1; }
rm -f "$log"
