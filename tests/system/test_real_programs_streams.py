"""Streams that flow both ways at once and end with trailers, framed as gRPC-web does."""
import struct

from proxy_alone import fields, status
from proxy_fixtures import proxy, upstream  # noqa: F401 (fixtures)

HEAD = (b"POST /echo.Echo/Stream HTTP/1.1\r\nHost: a\r\nContent-Type: application/grpc-web+proto\r\nTE: trailers\r\n"
        b"Connection: TE\r\nTrailer: X-Sent\r\nTransfer-Encoding: chunked\r\n\r\n")
ANSWER = (b"HTTP/1.1 200 OK\r\nContent-Type: application/grpc-web+proto\r\nTrailer: Grpc-Status, Grpc-Message\r\n"
          b"Transfer-Encoding: chunked\r\n\r\n")


def grpc_message(content, flags=0):
    return struct.pack(">BI", flags, len(content)) + content


def chunk(content):
    return b"%x\r\n%s\r\n" % (len(content), content)


class ChunkedReader:
    """A body as it comes: content piece by piece, then the trailer section."""

    def __init__(self, peer):
        self.peer, self.content, self.trailers = peer, b"", None

    def line(self):
        while b"\r\n" not in self.peer.data:
            if not self.peer.more():
                raise EOFError("the stream ended early")
        line, _, self.peer.data = self.peer.data.partition(b"\r\n")
        return line

    def read_chunk(self):
        """False at the end; self.trailers is then there."""
        size = int(self.line(), 16)
        if size == 0:
            self.trailers = {}
            while line := self.line():
                name, _, value = line.decode().partition(":")
                self.trailers[name.lower()] = value.strip()
            return False
        piece = self.peer.take(size + 2)
        if len(piece) < size + 2:
            raise EOFError("a chunk ended early")
        self.content += piece[:-2]
        return True

    def take(self, count):
        """count bytes of content; fewer only at the end."""
        while len(self.content) < count and self.read_chunk():
            pass
        taken, self.content = self.content[:count], self.content[count:]
        return taken

    def take_message(self):
        prefix = self.take(5)
        if not prefix:
            return None
        flags, length = struct.unpack(">BI", prefix)
        return flags, self.take(length)


def serve_echo(seen):
    """Answers each message before the next has come, and with trailers at the end."""
    def serve(peer, up):
        while head := peer.take_head():
            up.record(head)
            peer.send(ANSWER)
            reader, count = ChunkedReader(peer), 0
            while message := reader.take_message():
                peer.send(chunk(grpc_message(message[1])))
                count += 1
            seen.append((count, reader.trailers))
            peer.send(chunk(grpc_message(b"grpc-status: 0\r\n", 0x80)) + b"0\r\nGrpc-Status: 0\r\nGrpc-Message: %d%%20done\r\n\r\n" % count)

    return serve


def converse(peer, sizes):
    """Sends a message, waits for it to come back, sends the next. Returns the response's head and trailers."""
    peer.send(HEAD)
    head = peer.take_head()  # before any of the body is sent
    reader = ChunkedReader(peer)
    for size in sizes:
        content = bytes(size)
        peer.send(chunk(grpc_message(content)))
        assert reader.take_message() == (0, content)
    peer.send(b"0\r\nX-Sent: %d\r\n\r\n" % len(sizes))
    assert reader.take_message() == (0x80, b"grpc-status: 0\r\n")
    assert reader.take(1) == b""
    return head, reader.trailers


def test_messages_flow_both_ways_and_end_with_trailers_both_ways(proxy, upstream):
    seen = []
    up = upstream(serve_echo(seen))
    peer = proxy([up.port]).connect()
    sizes = [0, 1, 4090, 4096, 65536, 300_000, 7] * 20
    head, trailers = converse(peer, sizes)
    assert status(head) == 200
    assert trailers == {"grpc-status": "0", "grpc-message": f"{len(sizes)}%20done"}
    assert seen == [(len(sizes), {"x-sent": str(len(sizes))})]
    peer.close()


def test_trailers_that_were_announced_stay_announced(proxy, upstream):
    up = upstream(serve_echo([]))
    peer = proxy([up.port]).connect()
    head, _ = converse(peer, [])
    peer.close()
    assert fields(up.heads[0])["trailer"] == ["X-Sent"]
    assert fields(head)["trailer"] == ["Grpc-Status, Grpc-Message"]


def test_many_streams_at_once(proxy, upstream):
    seen = []
    p = proxy([upstream(serve_echo(seen)).port])
    streams = [(p.connect(), i) for i in range(50)]
    readers = []
    for peer, _ in streams:
        peer.send(HEAD)
    for peer, _ in streams:
        assert status(peer.take_head()) == 200
        readers.append(ChunkedReader(peer))
    for turn in range(10):
        for peer, i in streams:
            peer.send(chunk(grpc_message(b"%d %d" % (i, turn))))
        for reader, (_, i) in zip(readers, streams):
            assert reader.take_message() == (0, b"%d %d" % (i, turn))
    for peer, _ in streams:
        peer.send(b"0\r\n\r\n")
    for reader in readers:
        assert reader.take_message() == (0x80, b"grpc-status: 0\r\n")
        assert reader.take(1) == b"" and reader.trailers["grpc-status"] == "0"
        reader.peer.close()
    assert sorted(seen, key=str) == [(10, {})] * 50


def test_an_error_before_the_first_message_is_a_response_of_trailers_only(proxy, upstream):
    def refuse(peer, up):
        up.record(peer.take_head())
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/grpc-web+proto\r\nGrpc-Status: 12\r\n"
                  b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n")

    peer = proxy([upstream(refuse).port]).connect()
    peer.send(HEAD)
    head = peer.take_head()
    assert status(head) == 200 and fields(head)["grpc-status"] == ["12"]
    reader = ChunkedReader(peer)
    assert reader.take(1) == b"" and reader.trailers == {}
    peer.close()
