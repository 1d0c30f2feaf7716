"""Ports for programs that a test starts. Not the kernel's choice: those are given to others again as soon as they are
free, and tests run side by side. Each runner has a range of its own below that of the kernel."""
import itertools
import os
import socket

RANGE = 4000
FIRST = 12000 + RANGE * int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:] or 0) % 20000
_next = itertools.cycle(range(FIRST + os.getpid() % RANGE, FIRST + os.getpid() % RANGE + RANGE))


def free_port():
    """One that nobody listens on, and that this process has not had lately."""
    for port in _next:
        with socket.socket() as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                s.bind(("127.0.0.1", FIRST + (port - FIRST) % RANGE))
            except OSError:
                continue
            return s.getsockname()[1]
    raise AssertionError("no free port")
