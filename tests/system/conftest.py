"""Fixtures of the system tests: real processes on loopback. Nothing sleeps to be safe: wait_until() polls a condition."""

import contextlib
import http.client
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest

from ports import free_port

OUT = pathlib.Path(os.environ.get("PORTICO_OUT", "build/release")).resolve()
SANITIZED = OUT.name in ("asan", "ubsan", "tsan")
SLOWNESS = 4 if SANITIZED else 1
SANITIZER_REPORT = re.compile(r"(ERROR|WARNING): \w+Sanitizer|runtime error:|LeakSanitizer")


def wait_until(condition, what, timeout_s=60):
    """Polls until condition() is true and returns what it returned. The deadline is for what never comes, not for what is
    slow: other tests and other programs want the same processors."""
    end = time.monotonic() + timeout_s * SLOWNESS
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < end, f"not within {timeout_s * SLOWNESS} s: {what}"
        time.sleep(0.01)


def get(port, path="/", host=None, timeout_s=30):
    """(status, body) of one request on a connection of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout_s * SLOWNESS)
    try:
        connection.request("GET", path, headers={"Host": host} if host else {})
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def try_get(port, path="/", host=None, timeout_s=30):
    """The status, or None when there was no whole answer."""
    try:
        return get(port, path, host, timeout_s)[0]
    except (OSError, http.client.HTTPException):
        return None


def is_refused(port):
    try:
        socket.create_connection(("127.0.0.1", port), 60).close()
    except ConnectionError:
        return True
    return False


def read_status(pid, tid=None):
    """/proc/PID/status as a dictionary."""
    path = f"/proc/{pid}/status" if tid is None else f"/proc/{pid}/task/{tid}/status"
    with open(path) as f:
        return {key: value.strip() for key, value in (line.split(":", 1) for line in f)}


def is_alive(pid):
    try:
        return read_status(pid)["State"][0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


class Backend:
    """bench/backend on a port of its own. Answers with a line that starts with the host's name; `delay_ms` in the query."""

    def __init__(self, *options):
        self.port = free_port()
        self.options = options
        self.start()

    def start(self):
        """Again after stop(): on the same port."""
        self.process = subprocess.Popen([OUT / "bench" / "backend", "--port", str(self.port), *self.options])
        wait_until(lambda: try_get(self.port, "/health") == 200, "the backend answers")

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def stop(self):
        self.process.kill()
        self.process.wait()


class Portico:
    """`portico run` with a configuration in a folder of its own."""

    def __init__(self, folder, **overrides):
        self.folder = pathlib.Path(folder)
        self.port = overrides.pop("port", None) or free_port()
        self.admin_port = overrides.pop("admin_port", None) or free_port()
        self.config_path = self.folder / "portico.json"
        self.endpoints_path = self.folder / "endpoints.json"
        self.log_path = self.folder / "log"
        self.config = {
            "stateDir": str(self.folder / "state"),
            "listeners": [{"name": "http", "address": f"127.0.0.1:{self.port}"}],
            "admin": {"address": f"127.0.0.1:{self.admin_port}"},
            "proxy": {"workers": 2, "timeouts": {"drain": "5s"}},
            "docker": {"enabled": False},
            "discovery": {"endpointsFile": str(self.endpoints_path)},
            **overrides,
        }
        self.program = OUT / "portico"
        self.process = None
        self.sanitizer_may_complain = False
        self.write_config()
        self.write_endpoints([])

    # ---- files

    def write_config(self, text=None):
        self.config_path.write_text(text if text is not None else json.dumps(self.config, indent=2))

    def write_endpoints(self, endpoints):
        """Each: (service, address) or a dictionary."""
        rows = [e if isinstance(e, dict) else {"service": e[0], "address": e[1], "host": "*", "path": "/"} for e in endpoints]
        new = self.endpoints_path.with_suffix(".new")
        new.write_text(json.dumps({"endpoints": rows}))
        new.rename(self.endpoints_path)

    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    # ---- processes

    def start(self, *wrapper):
        with open(self.log_path, "ab") as log:
            command = [*wrapper, self.program, "run", "--config", self.config_path]
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        return self

    def start_and_wait(self, *wrapper):
        self.start(*wrapper)
        wait_until(self.is_ready, f"ready; log:\n{self.log()}")
        return self

    def child(self, role):
        """Process id of `control` or `proxy`; None while there is none."""
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            children = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
            for pid in map(int, children):
                with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                    words = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
                    if len(words) > 1 and words[0] == b"portico" and words[1] == role.encode() and is_alive(pid):
                        return pid
        return None

    def send(self, number):
        self.process.send_signal(number)

    def kill(self, role):
        """kill -9 of one child; returns the id that it had."""
        pid = wait_until(lambda: self.child(role), f"a {role} process")
        os.kill(pid, signal.SIGKILL)
        return pid

    def wait_for_new(self, role, old_pid):
        return wait_until(lambda: (p := self.child(role)) and p != old_pid and p, f"a new {role} process")

    def wait_exit(self, timeout_s=60):
        return self.process.wait(timeout_s * SLOWNESS)

    def stop(self):
        """In order, so that a leak checker gets its turn."""
        if not self.process or self.process.poll() is not None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(30 * SLOWNESS)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGQUIT)
            self.process.wait(60)

    # ---- admin

    def admin(self, path):
        status, body = get(self.admin_port, path)
        return status, body.decode()

    def is_ready(self):
        assert self.process.poll() is None, f"ended with {self.process.returncode}:\n{self.log()}"
        return try_get(self.admin_port, "/readyz") == 200

    def metric(self, name):
        """The value of a metric without labels; None while the admin API does not answer."""
        with contextlib.suppress(OSError, http.client.HTTPException):
            found = re.search(rf"^{name} (\S+)$", self.admin("/metrics")[1], re.M)
            return float(found.group(1)) if found else None
        return None

    def wait_metric(self, name, test, timeout_s=60):
        return wait_until(lambda: (v := self.metric(name)) is not None and test(v), f"metric {name}", timeout_s)

    def routes(self):
        return {(r["host"], r["path"]): r["service"] for r in json.loads(self.admin("/v1/routes")[1])["routes"]}

    def serves(self, path="/", host=None):
        return try_get(self.port, path, host, 10) == 200

    def wait_serving(self):
        wait_until(self.serves, f"serves; log:\n{self.log()}")


class Load:
    """Requests one after the other from a few threads, each on a new connection, until stopped. Counts what failed: each
    as (when it began, status or error, when it failed)."""

    def __init__(self, port, threads=4, path="/"):
        self.port, self.path = port, path
        self.done, self.failures, self.answered_at = 0, [], []
        self.stopping = threading.Event()
        self.threads = [threading.Thread(target=self._run, daemon=True) for _ in range(threads)]

    def _run(self):
        while not self.stopping.is_set():
            began = time.monotonic()
            try:
                status = get(self.port, self.path)[0]
                if status != 200:
                    self.failures.append((began, status, time.monotonic()))
                self.answered_at.append((began, time.monotonic()))
            except (OSError, http.client.HTTPException) as error:
                self.failures.append((began, repr(error), time.monotonic()))
            self.done += 1
            self.stopping.wait(0.005)

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        wait_until(lambda: self.done >= 20, "some requests have been answered")
        return self

    def wait_for_more(self, count):
        goal = self.done + count
        wait_until(lambda: self.done >= goal, f"{count} more requests")

    def __exit__(self, *_):
        self.stopping.set()
        for thread in self.threads:
            thread.join(60)


def pytest_collection_modifyitems(items):
    """A group is for one runner. Begun last, it or what is long would leave the others without work."""
    items.sort(key=lambda item: not (item.get_closest_marker("xdist_group") or item.get_closest_marker("long")))


@pytest.fixture
def backend():
    with contextlib.ExitStack() as stack:
        b = Backend()
        stack.callback(b.stop)
        yield b


@pytest.fixture
def backends():
    """A factory; stops what it made."""
    with contextlib.ExitStack() as stack:

        def make(*options):
            b = Backend(*options)
            stack.callback(b.stop)
            return b

        yield make


@pytest.fixture
def make_portico(tmp_path):
    """A factory; at the end the processes are stopped, and no sanitizer may have reported anything."""
    made = []

    def make(**overrides):
        folder = tmp_path / f"portico{len(made)}"
        folder.mkdir()
        made.append(Portico(folder, **overrides))
        return made[-1]

    yield make
    for p in made:
        p.stop()
    for p in made:
        assert not SANITIZER_REPORT.search(p.log()), p.log()


@pytest.fixture
def portico(make_portico, backend):
    """Running, with one service `web` of one endpoint on every host."""
    p = make_portico()
    p.write_endpoints([("web", backend.address)])
    p.start_and_wait()
    p.wait_serving()
    p.wait_metric("portico_publisher_unacked_seconds", lambda v: v == 0)  # it is served by every worker
    return p


def run_portico(*arguments, timeout_s=60, **options):
    """A command that ends by itself."""
    return subprocess.run([OUT / "portico", *arguments], capture_output=True, text=True, timeout=timeout_s * SLOWNESS, **options)


sys.modules.setdefault("portico_system", sys.modules[__name__])
