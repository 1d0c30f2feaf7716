"""The proxy alone, serving a snapshot file, between a raw client socket and scripted upstreams. No sleeps: everything
waits on sockets, with a deadline."""
import contextlib
import json
import os
import signal
import socket
import subprocess
import threading
import time

from ports import free_port

OUT = os.environ.get("PORTICO_OUT", "build/release")
BINARY = os.path.join(OUT, "portico")
DEADLINE_S = 60  # a bound against hanging, far above what anything here takes on a machine that has other work
LOST_SIGNAL_S = 20


def closed_port():
    """A port that refuses: bound, so that nobody else takes it, but not listening."""
    s = socket.socket()
    s.bind(("127.0.0.1", 0))
    return s, s.getsockname()[1]


class Peer:
    """One socket, read with a deadline, bytes kept until used."""

    def __init__(self, sock):
        self.sock = sock
        self.sock.settimeout(DEADLINE_S)
        self.data = b""

    def send(self, data):
        self.sock.sendall(data)

    def more(self):
        piece = self.sock.recv(65536)
        self.data += piece
        return bool(piece)

    def take(self, count):
        while len(self.data) < count and self.more():
            pass
        taken, self.data = self.data[:count], self.data[count:]
        return taken

    def take_head(self):
        """The head with its empty line; b"" when the peer closed before one."""
        while b"\r\n\r\n" not in self.data:
            if not self.more():
                return b""
        head, _, self.data = self.data.partition(b"\r\n\r\n")
        return head + b"\r\n\r\n"

    def take_rest(self):
        try:
            while self.more():
                pass
        except ConnectionResetError:
            pass
        taken, self.data = self.data, b""
        return taken

    def take_line(self):
        while b"\r\n" not in self.data:
            if not self.more():
                raise EOFError("the stream ended inside a line")
        line, _, self.data = self.data.partition(b"\r\n")
        return line

    def take_chunked(self):
        return self.take_chunked_with_trailers()[0]

    def take_chunked_with_trailers(self):
        body, trailers = b"", b""
        while True:
            size = int(self.take_line(), 16)
            if size == 0:
                break
            piece = self.take(size + 2)
            if len(piece) < size + 2:
                raise EOFError("chunk ended early")
            body += piece[:-2]
        while line := self.take_line():
            trailers += line + b"\r\n"
        return body, trailers

    def is_closed_by_peer(self):
        try:
            return self.sock.recv(1) == b""
        except ConnectionResetError:
            return True

    def reset(self):
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
        self.sock.close()

    def close(self):
        self.sock.close()


def fields(head):
    """Lower-case name -> list of values."""
    found = {}
    for line in head.decode("latin-1").split("\r\n")[1:]:
        if line:
            name, _, value = line.partition(":")
            found.setdefault(name.lower(), []).append(value.strip())
    return found


def status(head):
    return int(head.split(b" ")[1])


class Upstream:
    """Accepts on a port of that address; each connection runs `script(peer, self)` in its own thread. Records heads."""

    def __init__(self, script, address="127.0.0.1"):
        self.script = script
        self.listener = socket.create_server((address, 0), backlog=128)
        self.port = self.listener.getsockname()[1]
        self.heads = []
        self.connections = 0
        self.changed = threading.Condition()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            with self.changed:
                self.connections += 1
                self.changed.notify_all()
            threading.Thread(target=self._serve, args=(Peer(sock),), daemon=True).start()

    def _serve(self, peer):
        try:
            self.script(peer, self)
        except (OSError, EOFError):
            pass
        finally:
            peer.close()

    def record(self, head):
        with self.changed:
            self.heads.append(head)
            self.changed.notify_all()

    def wait_for(self, condition):
        with self.changed:
            assert self.changed.wait_for(lambda: condition(self), DEADLINE_S), "upstream never saw it"

    def close(self):
        # shutdown wakes the thread that is blocked in accept; close alone would leave the port accepting.
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()


def answer_with(response, keep_open=True):
    """Every request without a body gets the same bytes."""

    def script(peer, upstream):
        while True:
            head = peer.take_head()
            if not head:
                return
            upstream.record(head)
            peer.send(response)
            if not keep_open:
                return

    return script


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class ProxyAlone:
    def __init__(self, directory, ports, settings=None, workers=1, routes=None, access_log="off", preexec=None,
                 services=None, other_ports=()):
        self.directory = directory
        self.port = free_port()
        self.path = os.path.join(str(directory), "snapshot.json")
        self.serial = 0
        self.document = {
            "version": 1, "serial": 1, "workers": workers, "accessLog": access_log,
            "listeners": [{"name": f"http{i or ''}", "address": f"127.0.0.1:{port}"}
                          for i, port in enumerate([self.port, *other_ports])],
            "settings": settings or {},
            "services": services if services is not None else [{"name": "web", "endpoints": endpoints(ports)}],
            "routes": routes or [{"host": "*", "path": "/", "service": "web"}],
        }
        self.write()
        self.log_path = os.path.join(str(directory), "proxy.log")
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen([BINARY, "proxy", "--snapshot", self.path], stderr=log, preexec_fn=preexec)
        try:
            self.wait_until_serving()
        except BaseException:
            self.process.kill()
            self.process.wait()
            raise

    def write(self):
        self.serial += 1
        self.document["serial"] = self.serial
        temporary = self.path + ".new"
        with open(temporary, "w") as f:
            json.dump(self.document, f)
        os.rename(temporary, self.path)

    def wait_until_serving(self):
        """Until a worker has closed a connection that asked nothing. A port that accepts is not enough: the kernel does
        so before signals are handled, and a connection that is only closed here may still count for a limit there."""
        deadline = time.monotonic() + DEADLINE_S
        while time.monotonic() < deadline:
            assert self.process.poll() is None, open(self.log_path).read()
            try:
                with socket.create_connection(("127.0.0.1", self.port), DEADLINE_S) as probe:
                    probe.shutdown(socket.SHUT_WR)
                    if probe.recv(1) == b"":
                        return
            except OSError:
                time.sleep(0.01)  # a poll interval of a wait on state, not a guess
        raise AssertionError("proxy never served: " + open(self.log_path).read())

    def reload(self):
        self.write()
        self.process.send_signal(signal.SIGHUP)

    def connect(self, rcvbuf=None, port=None, source=None):
        sock = socket.socket()
        if source:
            sock.bind((source, 0))
        if rcvbuf:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
        sock.connect(("127.0.0.1", port or self.port))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return Peer(sock)

    def get(self, target="/", extra=b"", host=b"example.com"):
        """One request on a connection of its own: (status, head, rest until close)."""
        peer = self.connect()
        peer.send(b"GET " + target.encode() + b" HTTP/1.1\r\nHost: " + host + b"\r\nConnection: close\r\n" + extra + b"\r\n")
        head = peer.take_head()
        rest = peer.take_rest()
        peer.close()
        return status(head), head, rest

    def rss_kib(self):
        with open(f"/proc/{self.process.pid}/status") as f:
            for line in f:
                if line.startswith("VmRSS"):
                    return int(line.split()[1])
        return 0

    def stop(self):
        """The thread sanitizer loses a signal now and then: the kernel delivers it, and its handler hands it to nobody. There it is
        sent again; a proxy that drains takes no notice of that."""
        deadline = time.monotonic() + DEADLINE_S
        while self.process.poll() is None and time.monotonic() < deadline:
            self.process.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(LOST_SIGNAL_S if os.path.basename(OUT) == "tsan" else DEADLINE_S)
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        return self.process.returncode


def endpoints(ports):
    return [{"id": f"task-{port}", "address": f"127.0.0.1:{port}"} for port in ports]
