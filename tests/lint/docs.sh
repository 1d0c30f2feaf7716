#!/bin/sh
# Generated documentation is up to date, and the written one names everything. Usage: docs.sh OUT_BINARY
set -u
binary=$1
status=0
wrong() { echo "$1"; status=1; }
[ -x "$binary" ] || wrong "$binary:1: is missing; run make first"
check_reference() { # COMMAND DOCUMENT
    if [ -x "$binary" ] && ! difference=$("$binary" "$1" reference 2>/dev/null | diff -u "$2" - 2>&1); then
        echo "$difference" | head -20
        wrong "$2:1: is not what '$binary $1 reference' prints"
    fi
}
check_reference config docs/configuration.md
check_reference task-definition docs/task-definitions.md
# ADMIN_ROUTE(ID, METHOD, "/path", ...: the method and the path stand on one line of the document.
routes=$(sed -nE 's/^ADMIN_ROUTE\([A-Z_]+, ([A-Z]+), "([^"]*)".*/\1 \2/p' admin/admin_routes.def)
[ -n "$routes" ] || wrong "admin/admin_routes.def:1: no ADMIN_ROUTE row was found"
while read -r method path; do
    pattern="$(echo "$path" | sed 's/[.{}]/\\&/g')([^A-Za-z0-9/{]|\$)"
    grep -E "$pattern" docs/admin-api.md 2>/dev/null | grep -qw "$method" ||
        wrong "docs/admin-api.md:1: does not name $method $path"
done <<END
$routes
END
# Once one document names a counter of the proxy, they all have to be there.
for counter in $(sed -nE 's/^X\(([a-z_]+),.*/\1/p' proxy/stats.def); do
    ! grep -rqF portico_proxy_ docs README.md 2>/dev/null || grep -rqF "portico_proxy_$counter" docs README.md ||
        wrong "proxy/stats.def:1: portico_proxy_$counter is in no document"
done
exit $status
