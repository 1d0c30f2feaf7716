#!/bin/bash
# The main job on real containers: a step of load, tasks are added within seconds, and taken away again when it is over.
# `make demo` runs it through, `make run` (--stay) starts the same and stays until Ctrl-C. Set-up included; what it
# starts it stops, by process id or container label, however it ends.
set -euo pipefail
cd "$(dirname "$0")/.."
stay=
[ "${1:-}" != --stay ] || stay=1
listener=127.0.0.1:18080 admin=127.0.0.1:19900 image=portico-demo:latest cluster=demo
export DOCKER_HOST=unix:///var/run/docker.sock # the Engine that Portico talks to, whatever the command line's context
work=$(mktemp -d "${TMPDIR:-/tmp}/portico-demo.XXXXXX")
as_root=
[ "$(id -u)" = 0 ] || as_root=sudo
portico_pid= dockerd_pid= load_pid=

# Waits for the process to end, at most 15 s, then kills it.
stop() {
    [ -n "$2" ] && $1 kill -TERM "$2" 2>/dev/null || return 0
    for _ in $(seq 150); do
        $1 kill -0 "$2" 2>/dev/null || return 0
        sleep 0.1
    done
    $1 kill -KILL "$2" 2>/dev/null || true
}

remove_containers() {
    local ids
    # Both filters: another installation may have chosen the same cluster name.
    ids=$(docker ps -aq --filter "label=portico.cluster=$cluster" --filter "ancestor=$image" 2>/dev/null) || return 0
    [ -z "$ids" ] || docker rm -f $ids >/dev/null 2>&1 || true
}

cleanup() {
    status=$?
    trap - EXIT
    trap '' INT TERM
    stop "" "$load_pid"
    stop "" "$portico_pid"
    remove_containers
    docker rmi "$image" >/dev/null 2>&1 || true
    stop "$as_root" "$dockerd_pid"
    if [ "$status" -ne 0 ] && [ "$status" -ne 130 ] && [ -s "$work/portico.log" ]; then
        echo "--- the end of Portico's log:" >&2
        tail -n 20 "$work/portico.log" >&2
    fi
    $as_root rm -rf "$work"
    exit "$status"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

say() { printf '\n== %s\n' "$*"; }
fail() { echo "demo: $*" >&2; exit 1; }

start_docker() {
    docker info >/dev/null 2>&1 && return
    [ -z "$as_root" ] || ! $as_root docker info >/dev/null 2>&1 ||
        fail "the Docker Engine runs, but $(id -un) may not use it: join the group docker, or run this as root"
    say "starting dockerd"
    # In a session of its own, so that Ctrl-C does not end it before the containers are removed.
    $as_root setsid dockerd --group "$(id -gn)" --pidfile "$work/dockerd.pid" >"$work/dockerd.log" 2>&1 &
    for _ in $(seq 300); do
        [ ! -s "$work/dockerd.pid" ] || dockerd_pid=$(cat "$work/dockerd.pid")
        docker info >/dev/null 2>&1 && return
        sleep 0.2
    done
    tail -n 20 "$work/dockerd.log" >&2
    fail "dockerd does not come up"
}

write_config() {
    cat >"$work/portico.yaml" <<YAML
stateDir: $work/state
cluster: $cluster
listeners:
  - name: http
    address: $listener
admin:
  address: $admin
services:
  - name: web
    image: $image
    port: 8080
    # A task serves 4 requests at once, 20 ms each: it saturates at 200 requests a second.
    environment:
      SERVICE_TIME_MS: "20"
      CONCURRENCY: "4"
    memory: 64MiB
    stopTimeout: 5s
    deregistrationDelay: 10s
    healthCheck:
      path: /health
      interval: 1s
    scaling:
      min: 1
      max: 6
      target:
        requestsPerSecondPerTask: 60
      scaleInCooldown: 5s
YAML
}

start_portico() {
    for address in "$listener" "$admin"; do
        ! (exec 3<>"/dev/tcp/${address%:*}/${address#*:}") 2>/dev/null || fail "something listens on $address already"
    done
    build/release/portico run --config "$work/portico.yaml" >"$work/portico.log" 2>&1 &
    portico_pid=$!
    for _ in $(seq 300); do
        kill -0 "$portico_pid" 2>/dev/null || fail "portico ended"
        # Ready, and the first task answers.
        curl -sf -m 2 -o /dev/null "http://$admin/readyz" && curl -sf -m 2 -o /dev/null "http://$listener/" && return
        sleep 0.2
    done
    fail "portico is not ready after 60 s"
}

say "packages"
tests/setup/install_packages.sh
say "building"
make -j"$(nproc)" KIND=release
start_docker
remove_containers
say "task image $image, Portico on http://$listener, admin API on http://$admin"
tar -C build/release/bench -c backend |
    docker import --change 'ENTRYPOINT ["/backend"]' --change 'EXPOSE 8080' - "$image" >/dev/null
write_config
start_portico

if [ -n "$stay" ]; then
    cat <<TEXT

service   http://$listener/            try: curl -i http://$listener/echo
admin     http://$admin/v1/services/web
load      bench/demo_load.py --listener $listener --admin $admin
log       $work/portico.log
config    $work/portico.yaml

Ctrl-C ends it and removes what it made.
TEXT
    wait "$portico_pid"
    exit
fi

say "load: 5 s light, 20 s step, then light until one task is left"
mkdir -p bench/results
/usr/bin/python3 bench/demo_load.py --listener "$listener" --admin "$admin" --chart bench/results/demo.svg &
load_pid=$!
wait "$load_pid" # in the background, so that a signal is taken at once
load_pid=
