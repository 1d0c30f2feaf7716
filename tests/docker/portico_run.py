"""`portico run` on real containers, its admin API, and a load that counts every failure."""
import fcntl
import hashlib
import http.client
import json
import os
import signal
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.request

import yaml

from engine import DEADLINE_S, wait_until
from ports import free_port

OUT = os.environ.get("PORTICO_OUT", "build/release")
BINARY = os.path.join(OUT, "portico")
BACKEND = os.path.join(OUT, "bench/backend")
IMAGE = "portico-test-backend:latest"


def build_image(docker_socket):
    """From nothing: the static backend alone. Made once: a tag that moves under other tests would have them rolled."""
    with open(BACKEND, "rb") as f:
        digest = hashlib.sha256(f.read()).hexdigest()
    with open(os.path.join(tempfile.gettempdir(), "portico-test-backend.lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _import_image(docker_socket, digest)


def _import_image(docker_socket, digest):
    docker = ["docker", "-H", f"unix://{docker_socket}"]
    label = '{{ index .Config.Labels "digest" }}'
    known = subprocess.run([*docker, "image", "inspect", "--format", label, IMAGE], capture_output=True, text=True)
    if known.stdout.strip() == digest:
        return
    folder = os.path.dirname(os.path.abspath(BACKEND))
    tar = subprocess.Popen(["tar", "-C", folder, "-c", "backend"], stdout=subprocess.PIPE)
    done = subprocess.run([*docker, "import", "--change", 'ENTRYPOINT ["/backend"]', "--change", f"LABEL digest={digest}", "-", IMAGE],
                          stdin=tar.stdout, capture_output=True, text=True)
    tar.wait()
    assert done.returncode == 0, done.stderr


class Portico:
    def __init__(self, directory, cluster, docker_socket, services, workers=2, endpoints_file=None, docker=None):
        self.directory = str(directory)
        self.cluster = cluster
        self.port, self.admin_port = free_port(), free_port()
        self.config = {
            "stateDir": os.path.join(self.directory, "state"),
            "cluster": cluster,
            "listeners": [{"name": "http", "address": f"127.0.0.1:{self.port}"}],
            "proxy": {"workers": workers, "accessLog": os.path.join(self.directory, "access.log")},
            "admin": {"address": f"127.0.0.1:{self.admin_port}"},
            "docker": {"endpoint": f"unix://{docker_socket}", **(docker or {})},
            "services": services,
        }
        if endpoints_file:
            self.config["discovery"] = {"endpointsFile": endpoints_file}
        self.config_path = os.path.join(self.directory, "portico.yaml")
        self.write_config()
        self.log_path = os.path.join(self.directory, "portico.log")
        self.start()

    def write_config(self):
        with open(self.config_path, "w") as f:
            yaml.safe_dump(self.config, f)

    def start(self):
        self.process = subprocess.Popen([BINARY, "run", "--config", self.config_path],
                                        stderr=open(self.log_path, "ab"), stdout=subprocess.DEVNULL)

    def log(self):
        with open(self.log_path, errors="replace") as f:
            return f.read()

    def api(self, path, method="GET", body=None):
        request = urllib.request.Request(f"http://127.0.0.1:{self.admin_port}{path}", method=method,
                                         data=json.dumps(body).encode() if body is not None else None,
                                         headers={"Content-Type": "application/json"} if method != "GET" else {})
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            return json.load(error)
        except (OSError, http.client.HTTPException):
            return None  # control is restarting

    def service(self, name="web"):
        return self.api(f"/v1/services/{name}") or {}

    def tasks(self, service="web"):
        return [t for t in (self.api("/v1/tasks") or {}).get("tasks", []) if t["service"] == service]

    def routable(self, service="web"):
        return [t for t in self.tasks(service) if t["routable"]]

    def wait_routable(self, count, service="web", deadline_s=DEADLINE_S):
        try:
            return wait_until(lambda: len(found := self.routable(service)) == count and found,
                              f"{count} routable tasks of {service}", deadline_s)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.log()[-4000:]}\n{self.service(service)}") from None

    def wait_served(self, path="/", deadline_s=DEADLINE_S):
        """Until the front door answers 200: the snapshot has reached the workers."""
        wait_until(lambda: get_once(self.port, path) == 200, f"GET {path} is 200", deadline_s)

    def child(self, role):
        """Process id of control or proxy."""
        for pid in subprocess.run(["ps", "-o", "pid=", "--ppid", str(self.process.pid)], capture_output=True, text=True).stdout.split():
            try:
                with open(f"/proc/{pid}/cmdline", "rb") as f:
                    if role.encode() in f.read().split(b"\0"):
                        return int(pid)
            except (FileNotFoundError, ProcessLookupError):
                continue
        return None

    def kill_child(self, role):
        pid = wait_until(lambda: self.child(role), f"there is a {role}")
        os.kill(pid, signal.SIGKILL)
        return pid

    def wait_new_child(self, role, old_pid):
        return wait_until(lambda: (pid := self.child(role)) != old_pid and pid, f"another {role}")

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(DEADLINE_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                raise
        return self.process.returncode


def get_once(port, path="/"):
    try:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        connection.request("GET", path)
        response = connection.getresponse()
        response.read()
        connection.close()
        return response.status
    except (OSError, http.client.HTTPException):
        return None


class Load:
    """GETs at a steady rate over keep-alive connections. A request fails when it gets no answer, or one that is not 200. An
    exception on a reused connection is a failure too: the proxy announces when it closes."""

    def __init__(self, port, per_second=200, threads=8, path="/?delay_ms=5"):
        self.port, self.path = port, path
        self.interval_s = threads / per_second
        self.sent, self.failures = 0, []
        self.lock, self.stopping = threading.Lock(), threading.Event()
        self.threads = [threading.Thread(target=self._run, args=(i / per_second,)) for i in range(threads)]
        for thread in self.threads:
            thread.start()

    def _run(self, offset_s):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        due = time.monotonic() + offset_s
        while not self.stopping.wait(max(0, due - time.monotonic())):
            due += self.interval_s
            self._one(connection)
        connection.close()

    def _one(self, connection):
        problem = None
        try:
            connection.request("GET", self.path)
            response = connection.getresponse()
            body = response.read()
            if response.status != 200 or not body:
                problem = f"{response.status} {body[:80]}"
        except (OSError, http.client.HTTPException) as error:
            problem = repr(error)
            connection.close()
        with self.lock:
            self.sent += 1
            if problem:
                self.failures.append((time.strftime("%H:%M:%S"), problem))

    def wait_sent(self, more):
        """Until that many further requests have been answered: traffic has gone on through whatever was done."""
        goal = self.sent + more
        wait_until(lambda: self.sent >= goal, f"{more} more requests")

    def stop(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join()
        return self.failures
