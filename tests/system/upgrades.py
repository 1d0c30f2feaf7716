"""What an upgrade must not cut: requests at a steady rate, WebSockets and a download; and programs to upgrade to. Used by
the system test and, for longer, by tests/soak."""
import contextlib
import os
import shutil
import socket
import subprocess
import textwrap
import threading

from conftest import OUT, SLOWNESS, wait_until

SWITCHING = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
ENDLESS = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
PIECE = b"x" * 1000


def streaming_task(is_over):
    """Of proxy_fixtures.upstream: /ws is a tunnel that echoes, anything else a download that goes on until is_over is set."""

    def script(peer, up):
        head = peer.take_head()
        if head.startswith(b"GET /ws"):
            peer.send(SWITCHING)
            while peer.data or peer.more():
                peer.send(peer.data)
                peer.data = b""
            return
        peer.send(ENDLESS)
        while not is_over.wait(0.02):
            peer.send(b"%x\r\n%s\r\n" % (len(PIECE), PIECE))
        peer.send(b"0\r\n\r\n")

    return script


def is_streamed(port):
    """Whether the workers have the task: a tunnel to it opens. It is closed again."""
    with contextlib.suppress(AssertionError, OSError):
        WebSocket(port).sock.close()
        return True
    return False


class WebSocket:
    def __init__(self, port):
        self.sock = socket.create_connection(("127.0.0.1", port), 60 * SLOWNESS)
        self.sock.sendall(b"GET /ws HTTP/1.1\r\nHost: ws.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
        assert self._take(b"\r\n\r\n").startswith(b"HTTP/1.1 101")

    def _take(self, end):
        data = b""
        while not data.endswith(end):
            piece = self.sock.recv(1)
            assert piece, f"closed after {data!r}"
            data += piece
        return data

    def echoes(self, text):
        self.sock.sendall(text + b"\n")
        return self._take(b"\n") == text + b"\n"


class Download(threading.Thread):
    def __init__(self, port):
        super().__init__(daemon=True)
        self.port, self.bytes, self.is_whole = port, 0, False
        self.start()
        wait_until(lambda: self.bytes > 0, "the download runs")

    def run(self):
        with socket.create_connection(("127.0.0.1", self.port), 60 * SLOWNESS) as sock:
            sock.sendall(b"GET /download HTTP/1.1\r\nHost: ws.test\r\nConnection: close\r\n\r\n")
            data = b""
            with contextlib.suppress(OSError):
                while piece := sock.recv(65536):
                    self.bytes += len(piece)
                    data = (data + piece)[-7:]
            self.is_whole = data.endswith(b"\r\n0\r\n\r\n")


class Programs:
    """A path that Portico is started from, and what stands there."""

    def __init__(self, folder):
        self.path = folder / "bin" / "portico"
        self.path.parent.mkdir()
        self.put_good()

    def _replace(self, new):
        os.chmod(new, 0o755)
        os.rename(new, self.path)

    def put_good(self):
        new = self.path.with_suffix(".new")
        shutil.copy(OUT / "portico", new)
        self._replace(new)

    def put_text(self, text):
        new = self.path.with_suffix(".new")
        new.write_text(text)
        self._replace(new)


def between_programs(real, do):
    """A program for Programs.put_text(): the real one, but that `do` (Python, with `path` of the program) is run when it is
    executed in the supervisor's place. It is not run in the trial."""
    return f"""#!/usr/bin/python3
import os, sys, time
path = sys.argv[0]
if "--trial" not in sys.argv and "--refused" not in sys.argv:
{textwrap.indent(do, "    ")}
os.execv({str(real)!r}, sys.argv)
"""


def upgrade(portico):
    """`portico upgrade`: (exit code, what it said)."""
    done = subprocess.run([OUT / "portico", "upgrade", "--config", portico.config_path], capture_output=True, text=True,
                          timeout=150 * SLOWNESS)
    return done.returncode, done.stdout + done.stderr


def proxies(portico):
    """Process ids of all proxies of a supervisor."""
    task = f"/proc/{portico.process.pid}/task/{portico.process.pid}/children"
    with open(task) as f:
        pids = list(map(int, f.read().split()))
    found = []
    for pid in pids:
        with contextlib.suppress(OSError), open(f"/proc/{pid}/cmdline", "rb") as f:
            if f.read().split(b"\0")[:2] == [b"portico", b"proxy"]:
                found.append(pid)
    return found
