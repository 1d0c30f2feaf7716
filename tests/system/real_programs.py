"""Programs that people really put in front of and behind a proxy: found, started on loopback, stopped. Where one is not
installed its test is skipped, and the reason names the package (tests/setup/packages.txt lists them all)."""
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time

import pytest

from proxy_alone import free_port

DEADLINE_S = 240  # a bound against hanging, far above what anything here takes, sanitizers included

SO_ACCEPTCON = 0x10000  # of /proc/net/unix: somebody listens


def require(program, package):
    """The program's path."""
    path = shutil.which(program) or (program if os.access(program, os.X_OK) else None)
    if not path:
        pytest.skip(f"{program} is not installed (Debian package {package}; tests/setup/install_packages.sh)")
    return path


def environment(**more):
    """Without the settings of whoever runs the tests that would lead a client around the proxy under test."""
    kept = {key: value for key, value in os.environ.items() if not key.lower().endswith("_proxy")}
    return {**kept, "LC_ALL": "C.UTF-8", **more}


def run(*command, **options):
    """(returncode, stdout, stderr) of a command that ends by itself."""
    options.setdefault("env", environment())
    done = subprocess.run([str(word) for word in command], capture_output=True, timeout=DEADLINE_S, **options)
    return done.returncode, done.stdout, done.stderr


def wait_until(condition, what):
    end = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < end, f"not within {DEADLINE_S} s: {what}"
        time.sleep(0.01)  # a poll interval of a wait on state


class Server:
    """A program in a process group of its own, its output in a file."""

    def __init__(self, command, log_path, **options):
        self.log_path = str(log_path)
        self.is_stopped = False
        options.setdefault("env", environment())
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen([str(word) for word in command], stdin=options.pop("stdin", subprocess.DEVNULL),
                                            stdout=options.pop("stdout", log), stderr=log, start_new_session=True, **options)

    def log(self):
        with open(self.log_path, errors="replace") as f:
            return f.read()

    def wait_for_port(self, port):
        def listens():
            assert self.process.poll() is None, self.log()
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", port)).close()
                return True

        wait_until(listens, f"{self.process.args[0]} listens on {port}")

    def wait_for_socket(self, path):
        def listens():
            assert self.process.poll() is None, self.log()
            with open("/proc/net/unix") as f:
                rows = [line.split() for line in f]
            return any(row[-1] == str(path) and int(row[3], 16) & SO_ACCEPTCON for row in rows[1:])

        wait_until(listens, f"{self.process.args[0]} listens on {path}")

    def stop(self):
        """The group too: browsers and process managers have children. The group's id is the process's, and stays taken
        until it has been waited for: only the first call may use it."""
        if self.is_stopped:
            return
        self.is_stopped = True
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(10)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


NGINX_CONFIG = """
{user}
worker_processes 1;
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
events {{ worker_connections 512; }}
http {{
    types {{ text/html html; text/css css; text/javascript js; image/svg+xml svg; text/plain txt; }}
    default_type application/octet-stream;
    access_log {folder}/access.log combined;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    client_max_body_size 0;
    server {{
        listen 127.0.0.1:{port};
        root {folder}/www;
{locations}
    }}
}}
"""


class Nginx(Server):
    """Serves self.www."""

    def __init__(self, folder, locations=""):
        nginx = require("/usr/sbin/nginx", "nginx-light")
        self.port = free_port()
        self.folder = folder
        self.www = folder / "www"
        self.www.mkdir(parents=True)
        config = folder / "nginx.conf"
        config.write_text(NGINX_CONFIG.format(user="user root;" if os.getuid() == 0 else "", folder=folder, port=self.port,
                                              locations=locations))
        super().__init__([nginx, "-e", folder / "error.log", "-c", config], folder / "nginx.log")
        self.wait_for_port(self.port)

    def requests(self):
        """The lines of its access log. It writes one after the response has gone."""
        return [line for line in (self.folder / "access.log").read_text().splitlines(keepends=True) if line.endswith("\n")]

    def wait_for_requests(self, count):
        """The lines of its access log, when they are that many."""
        wait_until(lambda: len(self.requests()) >= count, f"{count} lines in nginx's access log")
        return self.requests()


@pytest.fixture
def nginx(tmp_path):
    """nginx(locations) -> Nginx"""
    made = []

    def make(locations=""):
        made.append(Nginx(tmp_path / f"nginx{len(made)}", locations))
        return made[-1]

    yield make
    for one in made:
        one.stop()


@pytest.fixture
def server(tmp_path):
    """server(command, ...) -> Server"""
    made = []

    def make(*command, **options):
        made.append(Server(command, tmp_path / f"server{len(made)}.log", **options))
        return made[-1]

    yield make
    for one in made:
        one.stop()
