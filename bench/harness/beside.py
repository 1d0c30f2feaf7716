"""What happens beside the load of a turn: idle connections that stay, and backends that come and go."""
import resource
import selectors
import socket
import threading
import time

from harness.problem import Problem
from harness.stand import get

FOLLOW_TIMEOUT_S = 10
WITNESSES_WANTED = 10
HEAD = b"GET /health HTTP/1.1\r\nHost: bench\r\n\r\n"


def raise_file_limit(count):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < count:
        if hard != resource.RLIM_INFINITY and hard < count:
            raise Problem(f"{count} files are needed at once; ulimit -n allows {hard}")
        resource.setrlimit(resource.RLIMIT_NOFILE, (count, hard))


class IdleConnections:
    """Connections that have had one answer and then stay, as those of browsers do."""

    def __init__(self, port, count):
        raise_file_limit(count + 1024)
        self.sockets = []
        try:
            for _ in range(count):
                s = socket.create_connection(("127.0.0.1", port), 10)
                self.sockets.append(s)
                s.settimeout(10)
                s.sendall(HEAD)
                if b" 200 " not in s.recv(4096):
                    raise Problem(f"idle connection {len(self.sockets)}: no answer of status 200")
        except (OSError, Problem) as problem:
            opened = len(self.sockets)
            self.close()
            raise Problem(f"{opened} of {count} idle connections: {problem}") from None

    def still_open_count(self):
        """An idle connection has nothing to read: what is readable was closed."""
        closed = 0
        with selectors.DefaultSelector() as selector:
            for s in self.sockets:
                selector.register(s, selectors.EVENT_READ)
            closed = len(selector.select(0))
        return len(self.sockets) - closed

    def close(self):
        for s in self.sockets:
            s.close()
        self.sockets = []


class Churn:
    """A thread that makes a running proxy use another set of its backends, again and again: half of them stay, of the other
    half another one is left out at each step. At the end it must have followed: the last set is one backend, the witness,
    which gets no request before."""

    def __init__(self, standing, every_ms):
        self.standing, self.every_s = standing, every_ms / 1000
        self.changes = 0
        self.problem = None
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)

    def backends_at(self, step):
        """All but the witness and one of the second half."""
        ports = self.standing.instance.backends[:-1]
        half = len(ports) // 2
        return [p for i, p in enumerate(ports) if i != half + step % (len(ports) - half)]

    def _run(self):
        next_at = time.monotonic()
        while not self.stopping.is_set():
            try:
                self.standing.instance.reload(self.standing.process, self.backends_at(self.changes))
            except (Problem, OSError) as problem:
                self.problem = str(problem)
                return
            self.changes += 1
            next_at += self.every_s
            self.stopping.wait(max(0, next_at - time.monotonic()))

    def start(self):
        self.thread.start()

    def stop(self):
        self.stopping.set()
        self.thread.join(10)

    def check_followed(self):
        """Raises Problem when requests still go elsewhere after FOLLOW_TIMEOUT_S. It is told each second: HAProxy loses a
        signal that comes while it is busy with the one before."""
        standing = self.standing
        told_at, deadline = 0, time.monotonic() + FOLLOW_TIMEOUT_S
        answers = []
        while len(answers) < WITNESSES_WANTED:
            if time.monotonic() - told_at > 1:
                standing.instance.reload(standing.process, standing.instance.backends[-1:])
                told_at = time.monotonic()
            try:
                answers.append(get(standing.port, "/")[0].get("x-task"))
            except (Problem, OSError):
                answers = []  # it may be in the middle of a reload
            if answers and answers[-1] != standing.witness_name:
                answers = []
            if time.monotonic() > deadline:
                raise Problem("it does not follow changes of its backends")
