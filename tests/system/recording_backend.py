"""For tests of what a task gets to see: a backend that records, a client that has an address of its own, and a fence.
All on one asyncio loop, without a sleep.

Requests are told apart by their sender: each client binds to its own address in 127.0.0.0/8, and the proxy names it in
X-Forwarded-For. So the bytes of a case need no mark in them. The backend reads by the rules of strict_reader alone."""
import asyncio
import collections
import hashlib
import os
import re
import socket
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "corpus"))
import strict_reader  # noqa: E402

SENDER = re.compile(rb"(?i)X-Forwarded-For: *(?:[^\r\n]*, *)?(127\.[0-9.]+)")
NEVER_SENT_ON = (b"keep-alive", b"proxy-connection", b"http2-settings", b"transfer_encoding", b"content_length")


def echo(request, sender):
    """What only the sender of this very request must get."""
    return b"%s %s %s %s" % (sender, request.method, request.target, hashlib.sha1(request.body).hexdigest().encode())


def sender_of(request):
    named = strict_reader.values(request, b"x-forwarded-for")
    return named[-1].split(b",")[-1].strip() if named else b"nobody"


def wrong_fields(request):
    """Fields that end with a connection (RFC 9110 7.6.1) and were sent on all the same, and what Connection named."""
    names = [name.lower() for name, _ in request.fields]
    wrong = [name for name in names if name in NEVER_SENT_ON]
    wrong += [value for value in strict_reader.values(request, b"te") if value.lower() != b"trailers"]
    options = b",".join(strict_reader.values(request, b"connection")).lower().replace(b" ", b"").split(b",")
    wrong += [option for option in options if option not in (b"", b"upgrade", b"te")]
    if b"upgrade" in names and b"upgrade" not in options:
        wrong.append(b"upgrade")
    return wrong


class _Task(asyncio.Protocol):
    """One connection from the proxy."""

    def __init__(self, backend):
        self.backend = backend
        self.data = b""
        self.is_finished = False  # the backend has sent what no sane proxy would use this connection after
        self.has_invited = False
        self.ended = asyncio.get_running_loop().create_future()

    def connection_made(self, transport):
        self.transport = transport
        # Without it a second piece waits for the acknowledgement of the first, and arrives behind what happened meanwhile.
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.backend.connection_count += 1

    def data_received(self, data):
        self.data += data
        try:
            found = strict_reader.read_request(self.data)
        except strict_reader.Malformed as wrong:
            self.backend.violations.append(f"{wrong}: {self.data!r}")
            self.transport.abort()
            return
        if not found:
            self._invite()
            return
        request, rest = found
        self.data, self.has_invited = b"", False
        if rest:
            self.backend.violations.append(f"bytes behind {request.head!r}: {rest!r}")
        if self.is_finished:
            self.backend.violations.append(f"connection used again for {request.head!r}")
        if wrong_fields(request):
            self.backend.violations.append(f"{wrong_fields(request)} sent on in {request.head!r}")
        sender = sender_of(request)
        self.backend.seen[sender].append(request)
        self.is_finished = self.is_finished or sender in self.backend.single_use
        self.backend.answer(self, request, sender)

    def _invite(self):
        head = self.data.partition(b"\r\n\r\n")[0].lower()
        if not self.has_invited and len(head) < len(self.data) and b"\r\nexpect: 100-continue" in head:
            self.has_invited = True
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def connection_lost(self, error):
        self.ended.set_result(None)
        if self.data:
            found = SENDER.search(self.data)
            self.backend.unfinished[found.group(1) if found else b"nobody"].append(self.data)


class RecordingBackend:
    """seen: the whole requests of each sender; unfinished: beginnings whose connection ended; violations: what is not
    HTTP/1.1."""

    def __init__(self):
        self.listener = socket.socket()
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen(1024)
        self.port = self.listener.getsockname()[1]
        self.seen = collections.defaultdict(list)
        self.unfinished = collections.defaultdict(list)
        self.violations = []
        self.connection_count = 0
        self.single_use = set()  # senders behind whose request nothing else may come on a connection
        self.special_answers = {}  # target -> function(task, request): sends something else than the echo

    async def start(self):
        await asyncio.get_running_loop().create_server(lambda: _Task(self), sock=self.listener)

    def answer(self, task, request, sender):
        special = self.special_answers.get(request.target)
        if special:
            special(task, request)
            return
        mark = echo(request, sender)
        body = b"" if request.method == b"HEAD" else mark
        task.transport.write(b"HTTP/1.1 200 OK\r\nX-Echo: %s\r\nContent-Length: %d\r\n\r\n%s" % (mark, len(mark), body))


class Client(asyncio.Protocol):
    """One connection to the proxy. `ended` is done when the proxy has closed it."""

    def __init__(self, address):
        self.address = address
        self.data = b""
        self.was_reset = False
        self.ended = asyncio.get_running_loop().create_future()
        self.waiter = None
        self.answered_count = 0  # for the user to keep

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.data += data
        if self.waiter and not self.waiter.done():
            self.waiter.set_result(None)

    def connection_lost(self, error):
        self.was_reset = isinstance(error, ConnectionError)
        if not self.ended.done():
            self.ended.set_result(None)
        if self.waiter and not self.waiter.done():
            self.waiter.set_result(None)

    def send(self, data):
        if data and not self.transport.is_closing():
            self.transport.write(data)

    def send_eof(self):
        if not self.transport.is_closing():
            self.transport.write_eof()

    async def take_response(self, is_head_request=False):
        """The next response, interim ones left out; None when the connection ended before one was whole."""
        while True:
            found = strict_reader.read_response(self.data, is_head_request, self.ended.done())
            if found:
                response, self.data = found
                if response.status >= 200:
                    return response
            elif self.ended.done():
                return None
            else:
                self.waiter = asyncio.get_running_loop().create_future()
                await self.waiter


class Clients:
    """Makes clients, each with an address of its own."""

    def __init__(self, port):
        self.port = port
        self.made = 0
        self.fence = None

    async def connect(self):
        loop = asyncio.get_running_loop()
        self.made += 1
        number = self.made
        address = f"127.{1 + (number >> 16)}.{number >> 8 & 255}.{number & 255}"
        sock = socket.socket()
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.bind((address, 0))
        await loop.sock_connect(sock, ("127.0.0.1", self.port))
        _, client = await loop.create_connection(lambda: Client(address.encode()), sock=sock)
        return client

    async def ask_innocently(self, client=None, target=b"/innocent"):
        """An ordinary request, on its own connection unless one is given; it must get its own answer."""
        own = client or await self.connect()
        own.send(b"GET %s HTTP/1.1\r\nHost: example.com\r\n\r\n" % target)
        response = await own.take_response()
        assert response, f"no answer to an innocent request from {own.address}"
        expected = b"%s GET %s %s" % (own.address, target, hashlib.sha1(b"").hexdigest().encode())
        assert response.status == 200 and response.body == expected, f"an innocent request got {response}"
        assert not own.data, f"behind the answer to an innocent request: {own.data!r}"
        if not client:
            own.transport.close()

    async def wait_until_read(self):
        """When it returns, the proxy's only worker has had its turn with all that was sent to it before."""
        if not self.fence:
            self.fence = await self.connect()
        await self.ask_innocently(self.fence, b"/fence")
