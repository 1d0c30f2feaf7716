"""The proxies that can have a row: how each is configured, started and told about other backends. Their configuration
files are in bench/peers/, where the choices are explained."""
import json
import os
import signal
import socket
from dataclasses import dataclass, field, replace

from harness import machine, templates
from harness.problem import Problem

TEMPLATES = os.path.join(machine.ROOT, "bench", "peers")


@dataclass(frozen=True)
class Peer:
    name: str  # of the row
    program: str  # a name in PATH, or a path
    template: str = ""
    values: dict = field(default_factory=dict)  # for the template, besides those of every peer
    arguments: tuple = ()  # @CONFIG@, @LISTEN@ and @BACKENDS@ are replaced
    environment: dict = field(default_factory=dict)
    reload: str = ""  # how it learns of other backends: "hup", "usr2", "socket"; "": it does not
    forwards_fields: bool = True  # adds the request fields that the comparison asks for
    valgrind_arguments: tuple = None  # instead of `arguments`; None: instructions are not counted
    needs_unjailing: bool = False  # valgrind does not know seccomp(2)
    templates: str = TEMPLATES  # the folder of its template
    access_log: str = "off"  # in its configuration; {path} is replaced


NGINX = Peer("nginx", "nginx", "nginx.conf", {"BALANCE": [], "ON_FAILURE": "max_fails=0", "NEXT": "off", "BUFFER_BYTES": 4096},
             ("-e", "stderr", "-c", "@CONFIG@"), reload="hup",
             valgrind_arguments=("-e", "stderr", "-c", "@CONFIG@", "-g", "master_process off;"))
HAPROXY = Peer("haproxy", "haproxy", "haproxy.cfg", {"BALANCE": "roundrobin", "EXTRA": [], "BUFFER_BYTES": 16384}, ("-db", "-f", "@CONFIG@"),
               valgrind_arguments=("-db", "-f", "@CONFIG@"))
CADDY = Peer("caddy", "caddy", "caddy.Caddyfile", {"BALANCE": "round_robin"},
             ("run", "--adapter", "caddyfile", "--config", "@CONFIG@"), {"GOMAXPROCS": "1"})
# Those that Portico is compared with; the better one of each table is the one to beat.
RIVALS = ("nginx", "haproxy")
PORTICO_ARGUMENTS = ("proxy", "--snapshot", "@CONFIG@")


def portico(name, path):
    return Peer(name, path, "portico.json", {}, PORTICO_ARGUMENTS, reload="hup", valgrind_arguments=PORTICO_ARGUMENTS,
                needs_unjailing=True, templates=templates_of_tree(path))


def templates_of_tree(program):
    """Where the tree that TREE/build/KIND/portico was built in has its templates: what is measured beside ours may be of another
    commit, which refuses settings that it does not know. Ours, when it stands in no tree."""
    tree = os.path.dirname(os.path.dirname(os.path.dirname(program)))
    beside = os.path.join(tree, "bench", "peers")
    return beside if os.path.exists(os.path.join(beside, "portico.json.in")) else TEMPLATES


def is_rival(name):
    """Whether the row of this name does the same work as Portico does, for comparison. One that writes a log does more."""
    base, _, variant = name.partition("-")
    return base in RIVALS and variant != "log"


def all_peers(build):
    """Every row there can be, in the order of the tables. build: the folder with Portico and the bench programs."""
    relay = os.path.join(build, "bench", "relay")
    relay_arguments = ("@LISTEN@", "@BACKENDS@")
    retries = ["retries 2", "option redispatch 1", "retry-on conn-failure empty-response 500 503"]
    peers = [
        Peer("direct", "", forwards_fields=False),  # the generator asks the first backend itself
        Peer("relay", relay, "", {}, relay_arguments, forwards_fields=False, valgrind_arguments=relay_arguments),
        Peer("relay-spread", os.path.join(build, "bench", "spread_relay"), "", {}, relay_arguments, forwards_fields=False,
             valgrind_arguments=relay_arguments),
        Peer("relay-again", relay, "", {}, relay_arguments, forwards_fields=False),
        NGINX,
        replace(NGINX, name="nginx-16k", values={**NGINX.values, "BUFFER_BYTES": 16384}),
        replace(NGINX, name="nginx-log", access_log="{path} json buffer=32k flush=1s"),
        replace(NGINX, name="nginx-least", values={**NGINX.values, "BALANCE": ["least_conn"]}),
        replace(NGINX, name="nginx-retry", values={
            **NGINX.values, "ON_FAILURE": "max_fails=1 fail_timeout=10s", "NEXT": "error timeout http_500"}),
        HAPROXY,
        replace(HAPROXY, name="haproxy-64k", values={**HAPROXY.values, "BUFFER_BYTES": 65536}),
        replace(HAPROXY, name="haproxy-splice", values={**HAPROXY.values, "EXTRA": ["option splice-response"]}),
        replace(HAPROXY, name="haproxy-least", values={**HAPROXY.values, "BALANCE": "leastconn"}),
        replace(HAPROXY, name="haproxy-retry", values={**HAPROXY.values, "EXTRA": retries}),
        replace(HAPROXY, name="haproxy-reload", arguments=("-W", "-f", "@CONFIG@"), reload="usr2"),
        replace(HAPROXY, name="haproxy-socket", reload="socket"),
        CADDY,
        replace(CADDY, name="caddy-least", values={"BALANCE": "least_conn"}),
        Peer("h2o", "h2o", "h2o.yaml", {}, ("-m", "worker", "-c", "@CONFIG@")),
        portico("portico", os.path.join(build, "portico")),
        replace(portico("portico-log", os.path.join(build, "portico")), access_log="{path}"),
    ]
    return {peer.name: peer for peer in peers}


def find_program(peer):
    """Its path; None when it is not installed (or not built)."""
    if os.sep in peer.program:
        return peer.program if os.access(peer.program, os.X_OK) else None
    return machine.find_program(peer.program)


class Instance:
    """One configured peer: its port, its own backends, its configuration file."""

    def __init__(self, peer, folder, port, backends, route_paths=()):
        self.peer, self.folder, self.port = peer, folder, port
        self.backends = list(backends)  # ports, all that there are
        self.route_paths = list(route_paths)
        self.config_path = os.path.join(folder, peer.template) if peer.template else ""
        self.access_log_path = os.path.join(folder, "access.log") if peer.access_log != "off" else None
        self.serial = 0
        self.active = None
        os.makedirs(folder, exist_ok=True)
        self.configure(self.backends)

    def configure(self, backends):
        """Writes the configuration for these of its backends; a running process reads it when reload() tells it."""
        if backends == self.active or not self.peer.template:
            return
        self.serial += 1
        self.active = list(backends)
        with open(os.path.join(self.peer.templates, self.peer.template + ".in")) as f:
            text = templates.fill(f.read(), {**self._values(), **self.peer.values})
        with open(self.config_path + ".new", "w") as f:
            f.write(text)
        os.rename(self.config_path + ".new", self.config_path)

    def _values(self):
        endpoints = [{"id": f"task{self.backends.index(port) + 1}", "address": f"127.0.0.1:{port}"} for port in self.active]
        routes = [{"host": "*", "path": path, "service": "tasks"} for path in ["/", *self.route_paths]]
        return {"LISTEN": self.port, "DIR": self.folder, "BACKEND": self.active, "FIRST_BACKEND": self.active[0],
                "ROUTE": self.route_paths, "ROUTE_MAP": self._write_route_map(), "SERIAL": self.serial,
                "ACCESS_LOG": self.peer.access_log.format(path=self.access_log_path), "ENDPOINTS": json.dumps(endpoints), "ROUTES": json.dumps(routes)}

    def _write_route_map(self):
        """HAProxy's: a list with the file's path, empty without routes."""
        if not self.route_paths:
            return []
        path = os.path.join(self.folder, "routes.map")
        with open(path, "w") as f:
            f.writelines(f"{route}/ tasks\n" for route in self.route_paths)
        return [path]

    def command(self, arguments=None):
        words = {"@CONFIG@": self.config_path, "@LISTEN@": str(self.port), "@BACKENDS@": ",".join(map(str, self.backends))}
        return [find_program(self.peer), *(words.get(a, a) for a in arguments or self.peer.arguments)]

    def reload(self, process, backends):
        """Makes the running process use these of its backends."""
        if self.peer.reload == "socket":
            self._set_server_states(backends)
            return
        self.configure(backends)
        process.send_signal({"hup": signal.SIGHUP, "usr2": signal.SIGUSR2}[self.peer.reload])

    def _set_server_states(self, backends):
        commands = [f"set server tasks/task{number} state {'ready' if port in backends else 'maint'}"
                    for number, port in enumerate(self.backends, 1)]
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(5)
            s.connect(os.path.join(self.folder, "haproxy.sock"))
            s.sendall((";".join(commands) + "\n").encode())
            answer = b""
            while piece := s.recv(4096):
                answer += piece
        if answer.strip():
            raise Problem(f"{self.peer.name}: its socket answers {answer.strip()[:200]!r}")
