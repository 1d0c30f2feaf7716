"""Upgraded connections, trailers, interim responses and hops: what else a conversation can hold."""
import contextlib

import pytest

from proxy_alone import DEADLINE_S, OK, answer_with, fields, status
from proxy_fixtures import proxy, upstream  # noqa: F401 (fixtures)

UPGRADE = b"GET /chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
SWITCHING = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nX-Own: 1\r\n\r\n"


def echo_after(answer):
    def script(peer, up):
        up.record(peer.take_head())
        peer.send(answer)
        while peer.data or peer.more():
            peer.send(peer.data)
            peer.data = b""

    return script


def test_a_tunnel_carries_bytes_both_ways_after_101(proxy, upstream):
    up = upstream(echo_after(SWITCHING))
    peer = proxy([up.port]).connect()
    peer.send(UPGRADE)
    head = peer.take_head()
    assert status(head) == 101 and fields(head)["upgrade"] == ["websocket"] and fields(head)["x-own"] == ["1"]
    assert [v.lower() for v in fields(head)["connection"]] == ["upgrade"]
    sent = fields(up.heads[0])
    assert sent["upgrade"] == ["websocket"] and [v.lower() for v in sent["connection"]] == ["upgrade"]
    for message in (b"\x81\x00", b"x" * 70_000, b"\r\n\r\nGET / HTTP/1.1\r\n\r\n"):
        peer.send(message)
        assert peer.take(len(message)) == message


def test_what_a_client_sends_before_the_switch_reaches_the_tunnel_only_after_it(proxy, upstream):
    seen = []

    def script(peer, up):
        up.record(peer.take_head())
        peer.sock.settimeout(0.2)
        with contextlib.suppress(TimeoutError):
            peer.more()
        seen.append(peer.data)
        peer.sock.settimeout(DEADLINE_S)
        peer.send(SWITCHING)
        peer.send(peer.take(5))

    up = upstream(script)
    peer = proxy([up.port]).connect()
    peer.send(UPGRADE + b"early")
    assert status(peer.take_head()) == 101 and peer.take(5) == b"early"
    assert seen == [b""]


def test_a_refused_upgrade_leaves_http_on_the_connection(proxy, upstream):
    up = upstream(answer_with(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno"))
    peer = proxy([up.port]).connect()
    peer.send(UPGRADE + b"GET /second HTTP/1.1\r\nHost: a\r\n\r\n")
    for _ in range(2):
        assert status(peer.take_head()) == 403 and peer.take(2) == b"no"
    assert up.heads[1].startswith(b"GET /second ")


@pytest.mark.parametrize("request_head, answer", [
    (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", SWITCHING),
    (UPGRADE, SWITCHING.replace(b"websocket", b"other")),
    (UPGRADE, b"HTTP/1.1 101 Switching Protocols\r\n\r\n"),
    (UPGRADE, b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"),
    (UPGRADE.replace(b"websocket", b"h2c"), SWITCHING.replace(b"websocket", b"h2c")),
    (UPGRADE.replace(b"\r\n\r\n", b"\r\nContent-Length: 0\r\nUpgrade: other\r\n\r\n"), SWITCHING),
], ids=["not asked for", "another protocol", "no fields", "no Connection", "h2c", "two asked for"])
def test_a_switch_that_was_not_agreed_is_502(proxy, upstream, request_head, answer):
    up = upstream(answer_with(answer))
    peer = proxy([up.port]).connect()
    peer.send(request_head)
    assert status(peer.take_head()) == 502


def test_a_200_to_an_upgrade_is_no_tunnel(proxy, upstream):
    up = upstream(answer_with(OK))
    peer = proxy([up.port]).connect()
    peer.send(UPGRADE)
    assert status(peer.take_head()) == 200 and peer.take(2) == b"ok"
    peer.send(b"GET /next HTTP/1.1\r\nHost: a\r\n\r\n")
    assert status(peer.take_head()) == 200 and peer.take(2) == b"ok"
    assert up.heads[1].startswith(b"GET /next ")


def test_a_half_closed_tunnel_still_carries_the_other_direction(proxy, upstream):
    import socket

    def script(peer, up):
        up.record(peer.take_head())
        peer.send(SWITCHING)
        peer.send(b"got " + peer.take_rest())

    up = upstream(script)
    peer = proxy([up.port]).connect()
    peer.send(UPGRADE + b"last words")
    assert status(peer.take_head()) == 101
    peer.sock.shutdown(socket.SHUT_WR)
    assert peer.take_rest() == b"got last words"


def test_a_tunnel_without_a_byte_for_its_time_is_closed(proxy, upstream):
    """The time-outs become short when the tunnel is there: a slow test must not run into them before."""
    up = upstream(echo_after(SWITCHING))
    timeouts = {"tunnelMs": 600_000}
    p = proxy([up.port], settings={"timeouts": timeouts})
    idle, peer = p.connect(), p.connect()
    peer.send(UPGRADE)
    assert status(peer.take_head()) == 101
    timeouts.update({"bodyMs": 100, "idleMs": 100})
    p.reload()
    assert idle.is_closed_by_peer()  # these count now, but not for a tunnel
    peer.send(b"ping")
    assert peer.take(4) == b"ping"
    timeouts["tunnelMs"] = 300
    p.reload()
    assert peer.is_closed_by_peer()


def test_a_slow_reader_of_a_tunnel_stops_the_endpoint_not_the_memory(proxy, upstream):
    import threading
    taken, done = [0], threading.Event()

    def script(peer, up):
        up.record(peer.take_head())
        peer.send(SWITCHING)
        peer.sock.settimeout(2)
        try:
            while taken[0] < 64 << 20:
                taken[0] += peer.sock.send(bytes(65536))
        except TimeoutError:
            pass
        done.set()

    up = upstream(script)
    p = proxy([up.port])
    peer = p.connect(rcvbuf=4096)
    before = p.rss_kib()
    peer.send(UPGRADE)
    assert status(peer.take_head()) == 101
    assert done.wait(DEADLINE_S) and taken[0] < 32 << 20
    assert p.rss_kib() - before < 4096


def test_trailers_of_a_request_reach_the_endpoint(proxy, upstream):
    got = []

    def script(peer, up):
        up.record(peer.take_head())
        got.append(peer.take_chunked_with_trailers())
        peer.send(OK)

    up = upstream(script)
    peer = proxy([up.port]).connect()
    peer.send(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n"
              b"3\r\nabc\r\n0\r\nX-Sum: 6\r\nAuthorization: no\r\n\r\n")
    assert status(peer.take_head()) == 200
    assert got == [(b"abc", b"X-Sum: 6\r\n")]
    assert fields(up.heads[0])["trailer"] == ["X-Sum"]


def test_trailers_of_a_response_reach_who_asked_for_them_and_nobody_else(proxy, upstream):
    answer = (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n"
              b"3\r\nabc\r\n0\r\nX-Sum: 6\r\nSet-Cookie: no\r\n\r\n")
    up = upstream(answer_with(answer))
    peer = proxy([up.port]).connect()
    peer.send(b"GET / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nConnection: TE\r\n\r\n")
    assert status(peer.take_head()) == 200
    assert peer.take_chunked_with_trailers() == (b"abc", b"X-Sum: 6\r\n")
    assert fields(up.heads[0])["te"] == ["trailers"]
    peer.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert status(peer.take_head()) == 200
    assert peer.take_chunked_with_trailers() == (b"abc", b"")


@pytest.mark.parametrize("trailer", [b"Content-Length: 3", b"Transfer-Encoding: chunked", b"Host: b", b"bad name: 1"])
def test_a_trailer_that_names_framing_is_400_and_the_request_never_completed(proxy, upstream, trailer):
    completed = []

    def script(peer, up):
        up.record(peer.take_head())
        completed.append(peer.take_chunked())

    up = upstream(script)
    peer = proxy([up.port]).connect()
    peer.send(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
    up.wait_for(lambda u: u.heads)
    peer.send(b"3\r\nabc\r\n0\r\n" + trailer + b"\r\n\r\n")
    assert status(peer.take_head()) == 400
    peer.take_rest()  # until the proxy closes
    assert completed == []


def test_early_hints_reach_the_client_before_the_answer(proxy, upstream):
    def script(peer, up):
        up.record(peer.take_head())
        peer.send(b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n")
        up.wait_for(lambda u: len(u.heads) == 2)
        peer.send(OK)

    up = upstream(script)
    peer = proxy([up.port]).connect()
    peer.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    head = peer.take_head()
    assert status(head) == 103 and fields(head)["link"] == ["</a.css>"]
    up.record(b"the client has it")
    assert status(peer.take_head()) == 200


def test_an_unknown_expectation_is_417(proxy, upstream):
    up = upstream(answer_with(OK))
    code, _, _ = proxy([up.port]).get(extra=b"Expect: the-unexpected\r\n")
    assert code == 417 and up.heads == []


def test_a_request_that_was_here_before_is_508(proxy, upstream):
    up = upstream(answer_with(OK))
    p = proxy([up.port])
    assert p.get()[0] == 200
    via = fields(up.heads[0])["via"][0]
    assert via.startswith("1.1 portico-")
    assert p.get(extra=b"Via: 1.0 other, " + via.encode() + b"\r\n")[0] == 508
    assert p.get(extra=b"Via: 1.1 portico-00\r\n")[0] == 200


def test_max_forwards_counts_down_and_ends_here_at_zero(proxy, upstream):
    up = upstream(answer_with(OK))
    peer = proxy([up.port]).connect()
    peer.send(b"OPTIONS * HTTP/1.1\r\nHost: a\r\nMax-Forwards: 3\r\n\r\n")
    assert status(peer.take_head()) == 200 and peer.take(2) == b"ok"
    assert fields(up.heads[0])["max-forwards"] == ["2"]
    peer.send(b"OPTIONS * HTTP/1.1\r\nHost: a\r\nMax-Forwards: 0\r\n\r\n")
    assert status(peer.take_head()) == 200
    assert len(up.heads) == 1
