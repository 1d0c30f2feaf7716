"""One scenario's servers, all running at once and idle outside of their turn. Each proxy has its own backends, so that
what one leaves behind (a queue in a slow task) does not meet the next."""
import http.client
import json
import os

from harness import machine, peers
from harness.problem import Problem
from harness.processes import free_ports, log_tail, wait_for_answer

# What all of them add to a request; without it they would not do the same work.
FORWARDED_FIELDS = ("x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "x-request-id")
ODD_BACKEND = os.path.join(os.path.dirname(os.path.abspath(__file__)), "odd_backend.py")
WITNESS = "witness"
MAY_LACK = {"h2o": ("x-forwarded-host", "x-request-id")}


class Standing:
    """A proxy that answers. `process` is None for "direct"."""

    witness_name = None  # X-Task of its last backend, where the scenario changes the backends

    def __init__(self, instance, process):
        self.instance, self.process = instance, process
        self.peer, self.name, self.port = instance.peer, instance.peer.name, instance.port


def route_paths(count):
    return [f"/r{number:05d}" for number in range(count)]


class Stand:
    def __init__(self, processes, build, scenario, say):
        self.processes, self.build, self.scenario, self.say = processes, build, scenario, say
        self.standing = []
        self.started = []

    def start(self, wanted):
        """wanted: peers, in order. Those that are not here or do not answer get no row, and a line that says so."""
        for peer in wanted:
            if peer.name != "direct" and not peers.find_program(peer):
                self.say(f"{peer.name}: not installed, no row")
                continue
            self._start_one(peer)
        if not self.standing:
            raise Problem(f"{self.scenario.name}: nothing to measure")

    def _start_one(self, peer):
        wanted = list(self.scenario.backends)
        if self.scenario.churn_ms:
            wanted.append(("odd_backend", "--name", WITNESS))
        proxy_port, *ports = free_ports(1 + len(wanted))
        backends = [self._start_backend(port, *program) for port, program in zip(ports, wanted)]
        if peer.name == "direct":
            self.standing.append(Standing(peers.Instance(peer, self._folder(peer), ports[0], ports), None))
            return
        if peer.access_log != "off" and machine.is_in_memory(self.processes.folder):
            self.say(f"{peer.name}: no row: a log in memory costs less than one on a disk; TMPDIR must name a folder on a disk")
            return
        instance = peers.Instance(peer, self._folder(peer), proxy_port, ports, route_paths(self.scenario.route_count))
        process = self._start_process(machine.PROXY_CORE, instance.command(), peer.environment)
        try:
            if not wait_for_answer(proxy_port, process):
                raise Problem(f"does not answer: {log_tail(process)}")
            check_forwarded_fields(instance)
            self.standing.append(Standing(instance, process))
            self.standing[-1].witness_name = WITNESS if self.scenario.churn_ms else None
        except Problem as problem:
            if peer.name == "portico":
                raise Problem(f"portico: {problem}") from None
            self.say(f"{peer.name}: no row: {problem}")
            self.stop_one([process, *backends])

    def _folder(self, peer):
        return os.path.join(self.processes.folder, f"{self.scenario.name}-{peer.name}")

    def _start_process(self, core, command, environment=None):
        process = self.processes.start(core, command, environment)
        self.started.append(process)
        return process

    def _start_backend(self, port, program, *args):
        path = os.path.join(self.build, "bench", "backend") if program == "backend" else ODD_BACKEND
        process = self._start_process(machine.LOAD_CORE, [path, "--address", "127.0.0.1", "--port", str(port), *args])
        if not wait_for_answer(port, process):
            raise Problem(f"a backend does not start: {log_tail(process)}")
        return process

    def stop_one(self, processes):
        self.processes.stop(processes)
        self.started = [p for p in self.started if p not in processes]

    def stop(self):
        self.stop_one(list(reversed(self.started)))


def get(port, path):
    """Fields (lower case) and body of one GET over a connection of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path, headers={"Connection": "close"})
        response = connection.getresponse()
        body = response.read()
    except http.client.HTTPException as problem:
        raise Problem(f"GET {path}: {type(problem).__name__} {problem}") from None
    finally:
        connection.close()
    if response.status != 200:
        raise Problem(f"GET {path}: status {response.status}")
    return {name.lower(): value for name, value in response.getheaders()}, body


def check_forwarded_fields(instance):
    """A proxy that adds less than the others would look faster than it is."""
    if not instance.peer.forwards_fields:
        return
    try:
        arrived = {name.lower() for name, _ in json.loads(get(instance.port, "/echo")[1])["headers"]}
    except (ValueError, KeyError, OSError) as problem:
        raise Problem(f"/echo through it: {problem}") from None
    allowed = MAY_LACK.get(instance.peer.program, ())
    missing = [name for name in FORWARDED_FIELDS if name not in arrived and name not in allowed]
    if missing:
        raise Problem(f"it does not add {', '.join(missing)}: the comparison would not be fair")
