"""What the proxy passes on, in both directions."""
import re

import pytest

from proxy_alone import OK, answer_with, fields, status
from proxy_fixtures import proxy, upstream  # noqa: F401 (fixtures)


def echo_body(peer, up):
    """Answers with the body that it got, framed as it came."""
    while True:
        head = peer.take_head()
        if not head:
            return
        up.record(head)
        found = fields(head)
        if "transfer-encoding" in found:
            body = peer.take_chunked()
            peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            for at in range(0, len(body), 7000):
                piece = body[at:at + 7000]
                peer.send(b"%x\r\n%s\r\n" % (len(piece), piece))
            peer.send(b"0\r\n\r\n")
        else:
            body = peer.take(int(found.get("content-length", ["0"])[0]))
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))


def test_adds_who_asked_and_for_what(proxy, upstream):
    up = upstream(answer_with(OK))
    proxy([up.port]).get("/a?b=c", b"X-Forwarded-For: 6.6.6.6\r\nX_Forwarded_For: 7.7.7.7\r\nForwarded: for=8.8.8.8\r\n")
    found = fields(up.heads[0])
    assert up.heads[0].startswith(b"GET /a?b=c HTTP/1.1\r\n")
    assert found["x-forwarded-for"] == ["127.0.0.1"]
    assert found["x-forwarded-proto"] == ["http"]
    assert found["x-forwarded-host"] == ["example.com"]
    assert re.fullmatch("[0-9a-f]{32}", found["x-request-id"][0])
    assert "x_forwarded_for" not in found and "forwarded" not in found
    assert re.fullmatch("1.1 portico-[0-9a-f]{8}", found["via"][0])


@pytest.mark.parametrize("name", ["X-Forwarded-Prefix", "X-Forwarded-Ssl", "X-Forwarded-User", "X-Forwarded-Server",
                                  "X-Original-URL", "X-Rewrite-URL", "X_Forwarded_Prefix", "X-Original_Url"])
def test_claims_of_a_client_that_is_not_trusted_do_not_go_on(proxy, upstream, name):
    up = upstream(answer_with(OK))
    p = proxy([up.port])
    assert p.get("/", name.encode() + b": forged\r\n")[0] == 200
    assert b"forged" not in up.heads[0]


def test_keeps_a_sound_request_id_and_replaces_another(proxy, upstream):
    up = upstream(answer_with(OK))
    p = proxy([up.port])
    p.get("/", b"X-Request-Id: abc-123\r\n")
    p.get("/", b"X-Request-Id: a<b>\r\n")
    assert fields(up.heads[0])["x-request-id"] == ["abc-123"]
    assert len(fields(up.heads[1])["x-request-id"][0]) == 32


def test_removes_hop_by_hop_fields_of_requests(proxy, upstream):
    up = upstream(answer_with(OK))
    proxy([up.port]).get("/", b"Keep-Alive: 5\r\nTE: gzip\r\nProxy-Connection: x\r\nUpgrade: h2c\r\nX-Secret: 1\r\n"
                              b"Connection: X-Secret, Host, X-Forwarded-For\r\n")
    found = fields(up.heads[0])
    for name in ("keep-alive", "te", "proxy-connection", "upgrade", "x-secret", "connection"):
        assert name not in found
    assert found["host"] == ["example.com"] and found["x-forwarded-for"] == ["127.0.0.1"]


def test_removes_hop_by_hop_fields_of_responses(proxy, upstream):
    up = upstream(answer_with(b"HTTP/1.1 200 OK\r\nKeep-Alive: timeout=5\r\nConnection: keep-alive, X-Internal\r\n"
                              b"X-Internal: 1\r\nX-Kept: 2\r\nContent-Length: 2\r\n\r\nok"))
    _, head, body = proxy([up.port]).get()
    found = fields(head)
    assert "keep-alive" not in found and "x-internal" not in found
    assert found["x-kept"] == ["2"] and found["connection"] == ["close"] and body == b"ok"


@pytest.mark.parametrize("size", [0, 1, 4095, 4096, 70000, 3_000_000])
def test_passes_bodies_of_known_length_unchanged(proxy, upstream, size):
    up = upstream(echo_body)
    peer = proxy([up.port]).connect()
    body = bytes(i * 7 % 251 for i in range(size))
    peer.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % size + body)
    assert status(peer.take_head()) == 200
    assert peer.take(size) == body


@pytest.mark.parametrize("size", [0, 1, 4096, 70000, 2_000_000])
def test_passes_chunked_bodies_unchanged(proxy, upstream, size):
    up = upstream(echo_body)
    peer = proxy([up.port]).connect()
    body = bytes(i * 5 % 249 for i in range(size))
    peer.send(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
    for at in range(0, size, 33333):
        piece = body[at:at + 33333]
        peer.send(b"%x;ignored=yes\r\n%s\r\n" % (len(piece), piece))
    peer.send(b"0\r\nX-Trailer: dropped\r\n\r\n")
    head = peer.take_head()
    assert fields(head)["transfer-encoding"] == ["chunked"]
    assert peer.take_chunked() == body


def test_uses_one_upstream_connection_for_many_requests(proxy, upstream):
    up = upstream(answer_with(OK))
    peer = proxy([up.port]).connect()
    for _ in range(20):
        peer.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert status(peer.take_head()) == 200 and peer.take(2) == b"ok"
    assert up.connections == 1 and len(up.heads) == 20


def test_answers_pipelined_requests_in_order(proxy, upstream):
    def script(peer, up):
        while True:
            head = peer.take_head()
            if not head:
                return
            target = head.split(b" ")[1]
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(target), target))

    up = upstream(script)
    peer = proxy([up.port]).connect()
    peer.send(b"".join(b"GET /%03d HTTP/1.1\r\nHost: a\r\n\r\n" % i for i in range(100)))
    for i in range(100):
        assert status(peer.take_head()) == 200
        assert peer.take(4) == b"/%03d" % i


def test_a_request_split_at_every_byte_means_the_same(proxy, upstream):
    up = upstream(echo_body)
    p = proxy([up.port])
    request = b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nX-A: b\r\n\r\nabc"
    for at in range(1, len(request)):
        peer = p.connect()
        peer.send(request[:at])
        peer.send(request[at:])
        assert status(peer.take_head()) == 200 and peer.take(3) == b"abc"
        peer.close()


def test_a_response_that_comes_byte_by_byte_means_the_same(proxy, upstream):
    def script(peer, up):
        peer.take_head()
        for byte in b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n":
            peer.send(bytes([byte]))
        peer.take_head()

    peer = proxy([upstream(script).port]).connect()
    peer.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert status(peer.take_head()) == 200 and peer.take_chunked() == b"abc"


@pytest.mark.parametrize("response", [b"HTTP/1.1 204 No Content\r\n\r\n", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 99\r\n\r\n"])
def test_responses_without_a_body_end_with_the_head(proxy, upstream, response):
    up = upstream(answer_with(response))
    peer = proxy([up.port]).connect()
    for _ in range(3):
        peer.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert peer.take_head().startswith(response[:12])
    assert up.connections == 1


def test_head_has_the_length_but_no_body(proxy, upstream):
    up = upstream(answer_with(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"))
    peer = proxy([up.port]).connect()
    for _ in range(3):
        peer.send(b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert fields(peer.take_head())["content-length"] == ["1000"]
    assert up.connections == 1 and peer.data == b""


def test_a_response_that_ends_with_the_connection_is_framed_for_a_keep_alive_client(proxy, upstream):
    up = upstream(answer_with(b"HTTP/1.0 200 OK\r\n\r\n" + b"z" * 100000, keep_open=False))
    peer = proxy([up.port]).connect()
    for _ in range(2):
        peer.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        head = peer.take_head()
        assert head.startswith(b"HTTP/1.1 200 OK\r\n") and fields(head)["transfer-encoding"] == ["chunked"]
        assert peer.take_chunked() == b"z" * 100000


def test_a_1_0_client_gets_a_chunked_response_without_chunks(proxy, upstream):
    up = upstream(answer_with(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"))
    peer = proxy([up.port]).connect()
    peer.send(b"GET / HTTP/1.0\r\n\r\n")
    head = peer.take_head()
    assert "transfer-encoding" not in fields(head)
    assert peer.take_rest() == b"abcde"
    assert up.heads[0].startswith(b"GET / HTTP/1.1\r\n")


def test_a_1_0_client_that_asks_for_it_keeps_its_connection(proxy, upstream):
    up = upstream(answer_with(OK))
    peer = proxy([up.port]).connect()
    for _ in range(3):
        peer.send(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        assert fields(peer.take_head())["connection"] == ["keep-alive"]
        assert peer.take(2) == b"ok"


def test_continue_reaches_the_client_before_it_sends_the_body(proxy, upstream):
    def script(peer, up):
        head = peer.take_head()
        assert fields(head)["expect"] == ["100-continue"]
        peer.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = peer.take(4)
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n" + body)
        peer.take_head()

    peer = proxy([upstream(script).port]).connect()
    peer.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n")
    assert status(peer.take_head()) == 100
    peer.send(b"body")
    assert status(peer.take_head()) == 200 and peer.take(4) == b"body"


def test_interim_responses_never_reach_a_1_0_client(proxy, upstream):
    up = upstream(answer_with(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + OK))
    peer = proxy([up.port]).connect()
    peer.send(b"GET / HTTP/1.0\r\n\r\n")
    assert status(peer.take_head()) == 200


def test_an_early_answer_reaches_a_client_that_still_uploads(proxy, upstream):
    def script(peer, up):
        peer.take_head()
        peer.send(b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\n\r\nbig")
        up.wait_for(lambda u: u.heads == ["seen"])

    up = upstream(script)
    peer = proxy([up.port]).connect()
    peer.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 1000)
    head = peer.take_head()
    assert status(head) == 413 and fields(head)["connection"] == ["close"] and peer.take(3) == b"big"
    assert peer.is_closed_by_peer()
    up.record("seen")


def test_absolute_form_is_routed_and_forwarded_by_its_authority(proxy, upstream):
    up = upstream(answer_with(OK))
    p = proxy([up.port], routes=[{"host": "real.example", "path": "/", "service": "web"}])
    peer = p.connect()
    peer.send(b"GET http://real.example/x HTTP/1.1\r\nHost: other.example\r\n\r\n")
    assert status(peer.take_head()) == 200
    assert up.heads[0].startswith(b"GET /x HTTP/1.1\r\n") and fields(up.heads[0])["host"] == ["real.example"]


def test_routes_by_host_and_longest_path(proxy, upstream):
    ups = {name: upstream(answer_with(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n" + name)) for name in (b"a", b"b", b"c")}
    services = [{"name": n.decode(), "endpoints": [{"id": "1", "address": f"127.0.0.1:{u.port}"}]} for n, u in ups.items()]
    p = proxy([], services=services, routes=[{"host": "a.example", "path": "/", "service": "a"},
                                             {"host": "a.example", "path": "/api", "service": "b"},
                                             {"host": "*.example", "path": "/", "service": "c"}])
    assert p.get("/", host=b"A.Example.:80")[2] == b"a"
    assert p.get("/api/x", host=b"a.example")[2] == b"b"
    assert p.get("/apix", host=b"a.example")[2] == b"a"
    assert p.get("/x/../api", host=b"a.example")[2] == b"b"
    assert p.get("/", host=b"z.example")[2] == b"c"
    assert p.get("/", host=b"elsewhere")[0] == 404


def test_the_largest_head_with_the_largest_host_goes_on(proxy, upstream):
    up = upstream(answer_with(OK))
    p = proxy([up.port], settings={"limits": {"headBytes": 65536}})
    host = b"a." * 1023 + b"ab"
    start = b"GET / HTTP/1.1\r\nHost: " + host + b"\r\nX-Pad: "
    peer = p.connect()
    peer.send(start + b"p" * (65536 - len(start) - 4) + b"\r\n\r\n")
    assert status(peer.take_head()) == 200
    assert fields(up.heads[0])["x-forwarded-host"] == [host.decode()]
    peer = p.connect()
    peer.send(start.replace(host, host + b"a") + b"p\r\n\r\n")
    assert status(peer.take_head()) == 400
