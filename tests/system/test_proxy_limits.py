"""What one client may take: connections, requests, bytes, and how slow it may be."""
import contextlib
import os
import threading
import time

from ports import free_port
from proxy_alone import DEADLINE_S, OK, answer_with, fields, status
from proxy_fixtures import proxy, upstream  # noqa: F401 (fixtures)
from real_programs import wait_until


GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


def is_served(peer):
    peer.send(GET)
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
    go, other = threading.Event(), free_port()
    up = upstream(lambda peer, up: [(up.record(head), go.wait(DEADLINE_S), peer.send(OK)) for head in iter(peer.take_head, b"")])
    p = proxy([up.port], other_ports=[other], settings={"listeners": [{"connectionsPerWorker": 2}, {}]})
    peers = [p.connect() for _ in range(2)]
    elsewhere = p.connect(port=other)  # idle, but no place at the other listener comes of that
    for peer in peers:
        peer.send(GET)
    up.wait_for(lambda u: len(u.heads) == 2)
    assert p.connect().is_closed_by_peer()
    go.set()
    assert [(status(peer.take_head()), peer.take(2)) for peer in peers] == [(200, b"ok")] * 2
    assert is_served(elsewhere)
    assert is_served(p.connect())  # takes the place of one that is idle now


def ask(peer):
    peer.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    code = status(peer.take_head())
    peer.take(2 if code == 200 else len(b"429 Too Many Requests\n"))
    return code


def test_a_listener_with_too_many_requests_a_second_answers_429_and_another_does_not_notice(proxy, upstream):
    up, other = upstream(answer_with(OK)), free_port()
    p = proxy([up.port], other_ports=[other], settings={"listeners": [{"requestsPerSecondPerWorker": 5}, {}]})
    peers, codes = [p.connect(), p.connect()], []
    while 429 not in codes and len(codes) < 10_000:  # which take less than two thousand seconds, however slow all is
        codes.append(ask(peers[len(codes) % 2]))
    assert codes[:5] == [200] * 5 and codes[-1] == 429 and len(up.heads) == codes.count(200)
    free = p.connect(port=other)
    assert [ask(free) for _ in range(50)] == [200] * 50
    for peer in peers:
        wait_until(lambda: ask(peer) == 200, "it may ask again")


def test_a_request_that_a_listener_refuses_is_not_counted_for_its_client(proxy, upstream):
    up, other = upstream(answer_with(OK)), free_port()
    p = proxy([up.port], other_ports=[other],
              settings={"clients": {"requestsPerSecond": 200}, "listeners": [{"requestsPerSecondPerWorker": 1}, {}]})
    peer, free = p.connect(), p.connect(port=other)
    codes = [ask(peer) for _ in range(900)]
    assert 429 in codes
    assert [ask(free) for _ in range(100)] == [200] * 100


def take_body(got):
    """Takes uploads, one behind the other as its connection is reused, and keeps in got how much of which has come: by what its
    head says in X-Upload."""

    def script(peer, up):
        while head := peer.take_head():
            name, length = (int(fields(head)[key][0]) for key in ("x-upload", "content-length"))
            got[name] = bytearray()
            while len(got[name]) < length:
                if not peer.data and not peer.more():
                    return
                got[name] += peer.take(len(peer.data))
            peer.send(OK)

    return script


def start_upload(peer, name, body, length=None):
    """In a thread: the proxy may not read for long."""

    def send():
        with contextlib.suppress(OSError):
            peer.send(b"POST / HTTP/1.1\r\nHost: a\r\nX-Upload: %d\r\nContent-Length: %d\r\n\r\n" % (name, length or len(body)))
            peer.send(body)

    thread = threading.Thread(target=send, daemon=True)
    thread.start()
    return thread


def test_uploads_to_a_listener_share_its_bytes_a_second(proxy, upstream):
    bodies, got = [os.urandom(200_000) for _ in range(2)], {}
    up = upstream(take_body(got))
    p = proxy([up.port], settings={"listeners": [{"bodyBytesPerSecondPerWorker": 200_000}]})
    peers = [p.connect() for _ in bodies]
    start = time.monotonic()
    threads = [start_upload(peer, i, bodies[i]) for i, peer in enumerate(peers)]
    assert [status(peer.take_head()) for peer in peers] == [200, 200]
    assert time.monotonic() - start > 0.5  # one second's bytes at once, the rest at the allowed rate
    assert got == dict(enumerate(bodies))
    for thread in threads:
        thread.join()


def test_a_listener_without_a_limit_is_not_slowed_down_by_one_that_waits(proxy, upstream):
    """What one listener would take minutes for is there on the other before the first has gone on much."""
    body, got, other = bytes(16_000_000), {}, free_port()
    up = upstream(take_body(got))
    p = proxy([up.port], other_ports=[other], settings={"listeners": [{"bodyBytesPerSecondPerWorker": 100_000}, {}]})
    slow, fast = p.connect(), p.connect(port=other)
    threads = [start_upload(slow, 0, body)]
    wait_until(lambda: got.get(0), "the slow one is under way")
    threads.append(start_upload(fast, 1, body))
    assert status(fast.take_head()) == 200
    assert len(got[1]) == len(body) and len(got[0]) < len(body) / 4
    p.document["settings"]["listeners"] = []
    p.reload()
    assert status(slow.take_head()) == 200 and got[0] == body  # what waited goes on when the limit has gone
    for thread in threads:
        thread.join()


def test_the_limits_of_a_listener_come_and_go_with_a_snapshot(proxy, upstream):
    p = proxy([upstream(answer_with(OK)).port])
    peer = p.connect()
    assert ask(peer) == 200
    p.document["settings"]["listeners"] = [{"requestsPerSecondPerWorker": 1}]
    p.reload()
    wait_until(lambda: ask(peer) == 429, "the limit holds, for connections that are there too")
    p.document["settings"]["listeners"] = []
    p.reload()
    wait_until(lambda: all(ask(peer) == 200 for _ in range(20)), "the limit has gone")


def test_an_upload_stays_whole_when_a_limit_comes_and_goes_in_the_middle_of_it(proxy, upstream):
    third, got = 2_000_000, {}
    body = os.urandom(3 * third)
    p = proxy([upstream(take_body(got)).port])
    peer = p.connect()

    def limit(rates):
        p.document["settings"]["listeners"] = [rates]
        p.reload()

    def refuses():
        with contextlib.closing(p.connect()) as one:  # answered here: a request that has no end would wait there
            one.send(b"TRACE / HTTP/1.1\r\nHost: a\r\n\r\n")
            return status(one.take_head()) == 429

    peer.send(b"POST / HTTP/1.1\r\nHost: a\r\nX-Upload: 0\r\nContent-Length: %d\r\n\r\n" % len(body))
    peer.send(body[:third])
    wait_until(lambda: len(got.get(0, b"")) == third, "the first third")
    limit({"bodyBytesPerSecondPerWorker": 1_000_000, "requestsPerSecondPerWorker": 1})
    wait_until(refuses, "the limit holds")
    peer.send(body[third : 2 * third])
    wait_until(lambda: len(got[0]) == 2 * third, "the second third")
    limit({})
    wait_until(lambda: not any(refuses() for _ in range(20)), "the limit has gone")
    peer.send(body[2 * third :])
    assert status(peer.take_head()) == 200
    assert got[0] == body
