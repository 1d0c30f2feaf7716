"""The processes that a run starts. Each is pinned to a core, has a log, and is stopped by its id on every way out."""
import ctypes
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time

from harness import machine, procfs

PR_SET_PDEATHSIG = 1
STOP_TIMEOUT_S = 8
PRIORITY = -15  # a nice value


def _die_with_parent():
    """In a child: ends too when this script is killed outright."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def free_ports(count):
    """Distinct ports that nobody listens on; all are held until all are chosen."""
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [s.getsockname()[1] for s in held]
    for s in held:
        s.close()
    return ports


class Processes:
    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="portico-bench-")
        self.started = []
        self.log_count = 0

    def start(self, core, command, environment=None):
        """A running process; `log_path` names what it has said."""
        self.log_count += 1
        log_path = os.path.join(self.folder, f"{self.log_count}-{os.path.basename(command[0])}.log")
        with open(log_path, "wb") as log:
            process = subprocess.Popen(["taskset", "-c", str(core), *command], stdin=subprocess.DEVNULL, stdout=log,
                                       stderr=log, env={**os.environ, **(environment or {})},
                                       preexec_fn=_die_with_parent)
        process.log_path = log_path
        self.started.append(process)
        return process

    def stop(self, processes):
        """SIGTERM to all, then a wait for each; what does not end is killed with its descendants."""
        for process in processes:
            if process.poll() is None:
                process.terminate()
        deadline = time.monotonic() + STOP_TIMEOUT_S
        for process in processes:
            try:
                process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                for pid in procfs.tree(process.pid):
                    _kill(pid)
                process.wait()
            if process in self.started:
                self.started.remove(process)

    def stop_all(self):
        self.stop(list(reversed(self.started)))
        shutil.rmtree(self.folder, ignore_errors=True)


def _kill(pid):
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def log_tail(process, line_count=5):
    with open(process.log_path, errors="replace") as f:
        return " | ".join(line.strip() for line in f.read().splitlines()[-line_count:]) or "its log is empty"


def wait_for_answer(port, process, seconds=15):
    """True once GET /health on the port is answered with 200; False when the process ended or time is up."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with socket.create_connection(("127.0.0.1", port), 1) as s:
                s.settimeout(seconds)
                s.sendall(b"GET /health HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n")
                if b" 200 " in s.recv(4096):
                    return True
        except OSError:
            pass
        time.sleep(0.05)
    return False


def take_the_machine():
    """This process and so all that it starts: on the two cores, and before whatever else runs there. Without root only the
    first."""
    try:
        os.sched_setaffinity(0, {machine.LOAD_CORE, machine.PROXY_CORE})
        os.setpriority(os.PRIO_PROCESS, 0, PRIORITY)
    except OSError:
        pass
