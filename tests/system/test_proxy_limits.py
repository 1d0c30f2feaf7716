"""What one client may take: connections, requests, bytes, and how slow it may be."""
import contextlib
import time

from proxy_alone import DEADLINE_S, OK, answer_with, status
from proxy_fixtures import proxy, upstream  # noqa: F401 (fixtures)
from real_programs import wait_until


def is_served(peer):
    peer.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    head = peer.take_head()
    return bool(head) and status(head) == 200 and peer.take(2) == b"ok"


def connect_until_served(p):
    """A connection that was closed a moment ago may still count."""
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline:
        try:
            peer = p.connect()
            if is_served(peer):
                return peer
        except (ConnectionResetError, BrokenPipeError):
            pass
    raise AssertionError("a closed connection never made room")


def test_a_client_gets_no_more_connections_than_its_share(proxy, upstream):
    p = proxy([upstream(answer_with(OK)).port], settings={"clients": {"connections": 3}})
    peers = [connect_until_served(p) for _ in range(3)]
    assert p.connect().is_closed_by_peer()
    peers[0].close()
    connect_until_served(p)


def test_a_client_with_too_many_requests_a_second_gets_429_and_its_turn_later(proxy, upstream):
    up = upstream(answer_with(OK))
    peer = proxy([up.port], settings={"clients": {"requestsPerSecond": 5}}).connect()
    codes = []

    def ask():
        peer.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        codes.append(status(peer.take_head()))
        peer.take(2 if codes[-1] == 200 else len(b"429 Too Many Requests\n"))
        return codes[-1]

    while 429 not in codes and len(codes) < 10_000:  # which take less than two thousand seconds, however slow all is
        ask()
    assert codes[:5] == [200] * 5 and codes[-1] == 429 and len(up.heads) == codes.count(200)
    wait_until(lambda: ask() == 200, "it may ask again")


def test_a_client_that_uploads_faster_than_allowed_is_slowed_down_not_cut_off(proxy, upstream):
    body = bytes(400_000)
    got = []

    def script(peer, up):
        peer.take_head()
        got.append(len(peer.take(len(body))))
        peer.send(OK)

    up = upstream(script)
    peer = proxy([up.port], settings={"clients": {"bodyBytesPerSecond": 200_000}}).connect()
    start = time.monotonic()
    peer.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(body))
    peer.send(body)
    assert status(peer.take_head()) == 200 and got == [len(body)]
    assert time.monotonic() - start > 0.5  # one second's bytes at once, the rest at the allowed rate


def test_an_upload_slower_than_the_least_rate_is_408(proxy, upstream):
    up = upstream(lambda peer, u: peer.take_rest())
    p = proxy([up.port], settings={"timeouts": {"bodyMs": 300}, "limits": {"bodyBytesPerSecondMin": 10_000}})
    peer = p.connect()
    peer.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n")
    peer.sock.settimeout(0.05)
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline:
        try:
            peer.send(b"x")
            if peer.more():
                break
        except TimeoutError:
            continue
    assert status(peer.take_head()) == 408


def upload_slowly(peer, pieces, piece_bytes):
    """(status, the longest that a piece came behind the one before it, in seconds)"""
    longest_s, before = 0, time.monotonic()
    with contextlib.suppress(ConnectionError):  # after an answer that did not wait for the end
        peer.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % (pieces * piece_bytes))
        for _ in range(pieces):
            time.sleep(0.05)  # a slow upload is the subject here
            began = time.monotonic()
            peer.send(bytes(piece_bytes))
            longest_s, before = max(longest_s, time.monotonic() - before), began
    return status(peer.take_head()), longest_s


def test_a_slow_upload_that_keeps_the_least_rate_is_taken(proxy, upstream):
    """Three pieces of 100 bytes make the 300 that are due every 3 seconds, of which the whole takes more. Sent anew if
    this process did not get to send them in time."""

    def script(peer, up):
        peer.take_head()
        peer.take(70 * 100)
        peer.send(OK)

    up = upstream(script)
    p = proxy([up.port], settings={"timeouts": {"bodyMs": 3000}, "limits": {"bodyBytesPerSecondMin": 100}})
    for _ in range(10):
        code, longest_s = upload_slowly(p.connect(), 70, 100)
        if code == 200:
            break
        assert code == 408 and longest_s > 0.9, (code, longest_s)
    assert code == 200


def test_a_reader_slower_than_the_least_rate_is_cut_off(proxy, upstream):
    def script(peer, up):
        peer.take_head()
        try:
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 50000000\r\n\r\n" + bytes(50_000_000))
            up.record("sent")
        except ConnectionError:
            up.record("cut off")

    up = upstream(script)
    p = proxy([up.port], settings={"timeouts": {"bodyMs": 300}, "limits": {"bodyBytesPerSecondMin": 100_000_000}})
    peer = p.connect(rcvbuf=4096)
    peer.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert status(peer.take_head()) == 200
    peer.sock.settimeout(0.05)
    deadline = time.monotonic() + DEADLINE_S
    while not up.heads and time.monotonic() < deadline:
        time.sleep(0.02)  # a slow reader is the subject here
        with contextlib.suppress(TimeoutError, ConnectionResetError):
            peer.more()  # its own end comes behind megabytes that the kernel holds
    assert up.heads == ["cut off"] and len(peer.data) < 40_000_000


def test_a_listener_has_its_own_limit_of_connections(proxy, upstream):
    p = proxy([upstream(answer_with(OK)).port], settings={"listeners": [{"connectionsPerWorker": 2}]})
    peers = [connect_until_served(p) for _ in range(2)]
    assert p.connect().is_closed_by_peer()
    assert all(is_served(peer) for peer in peers)
