"""What one client may take: connections, requests, bytes, and how slow it may be."""
import time

from proxy_alone import OK, answer_with, status
from proxy_fixtures import proxy, upstream  # noqa: F401 (fixtures)


def is_served(peer):
    peer.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    head = peer.take_head()
    return bool(head) and status(head) == 200 and peer.take(2) == b"ok"


def connect_until_served(p):
    """A connection that was closed a moment ago may still count."""
    deadline = time.monotonic() + 10
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
    for _ in range(20):
        peer.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        head = peer.take_head()
        codes.append(status(head))
        peer.take(2 if codes[-1] == 200 else len(b"429 Too Many Requests\n"))
    assert codes[:5] == [200] * 5 and 429 in codes and len(up.heads) == codes.count(200)
    deadline = time.monotonic() + 10
    while codes[-1] != 200 and time.monotonic() < deadline:
        peer.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        codes.append(status(peer.take_head()))
        peer.take(2 if codes[-1] == 200 else len(b"429 Too Many Requests\n"))
    assert codes[-1] == 200


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
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            peer.send(b"x")
            if peer.more():
                break
        except TimeoutError:
            continue
    assert status(peer.take_head()) == 408


def test_a_slow_upload_that_keeps_the_least_rate_is_taken(proxy, upstream):
    body = bytes(400)

    def script(peer, up):
        peer.take_head()
        peer.take(len(body))
        peer.send(OK)

    up = upstream(script)
    p = proxy([up.port], settings={"timeouts": {"bodyMs": 300}, "limits": {"bodyBytesPerSecondMin": 100}})
    peer, pace = p.connect(), p.connect()
    pace.sock.settimeout(0.02)
    peer.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 400\r\n\r\n")
    for i in range(40):
        peer.send(body[i * 10:i * 10 + 10])
        try:
            pace.more()  # nothing comes: a pause of its time-out
        except TimeoutError:
            pass
    assert status(peer.take_head()) == 200


def test_a_reader_slower_than_the_least_rate_is_cut_off(proxy, upstream):
    up = upstream(answer_with(b"HTTP/1.1 200 OK\r\nContent-Length: 50000000\r\n\r\n" + bytes(50_000_000)))
    p = proxy([up.port], settings={"timeouts": {"bodyMs": 300}, "limits": {"bodyBytesPerSecondMin": 100_000_000}})
    peer = p.connect(rcvbuf=4096)
    peer.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert status(peer.take_head()) == 200
    peer.sock.settimeout(0.05)
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        time.sleep(0.02)  # a slow reader is the subject here
        try:
            if not peer.more():
                break
        except TimeoutError:
            continue
        except ConnectionResetError:
            break
    assert len(peer.data) < 40_000_000


def test_a_listener_has_its_own_limit_of_connections(proxy, upstream):
    p = proxy([upstream(answer_with(OK)).port], settings={"listeners": [{"connectionsPerWorker": 2}]})
    peers = [connect_until_served(p) for _ in range(2)]
    assert p.connect().is_closed_by_peer()
    assert all(is_served(peer) for peer in peers)
