"""Ports for programs that a test starts. Not the kernel's choice: those are given to others again as soon as they are
free, and tests run side by side. Each runner has a range of its own below that of the kernel; other runs on this
machine use the same ranges, so a port is claimed by a lock on its byte of a file that all of them share. Unit tests run
beside three runners and take theirs from 24000 on (tests/unit/daemon/free_port.h)."""
import collections
import fcntl
import itertools
import os
import socket
import tempfile

RANGE = 4000
FIRST = 12000 + RANGE * int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:] or 0) % 20000
_next = itertools.cycle(range(FIRST + os.getpid() % RANGE, FIRST + os.getpid() % RANGE + RANGE))
_claims = os.open(os.path.join(tempfile.gettempdir(), f"portico-test-ports-{os.getuid()}"),
                  os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
_claimed = collections.deque()


def _claim(port):
    """False: another process has it. What this one claimed long ago it gives back; its end gives back all."""
    try:
        fcntl.lockf(_claims, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
    except OSError:
        return False
    _claimed.append(port)
    if len(_claimed) > RANGE // 2:
        fcntl.lockf(_claims, fcntl.LOCK_UN, 1, _claimed.popleft())
    return True


def free_port():
    """One that nobody listens on or is about to, as far as runs of tests go, and that this one has not had lately."""
    for number in itertools.islice(_next, RANGE):
        port = FIRST + (number - FIRST) % RANGE
        with socket.socket() as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                s.bind(("127.0.0.1", port))
            except OSError:
                continue
            if _claim(port):
                return port
    raise AssertionError("no free port")
