"""Who the client is: the PROXY protocol in and out, against HAProxy and nginx too; X-Forwarded-* and Forwarded by trust;
loops; limits per client address."""
import contextlib
import os
import socket
import struct
import time

import pytest

from proxy_alone import OK, Peer, answer_with, endpoints, fields, free_port, status
from proxy_fixtures import proxy, upstream  # noqa: F401 (fixtures)
from real_programs import Server, require, wait_until

LOOPBACK = ["127.0.0.0/8"]
SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
GET = b"GET / HTTP/1.1\r\nHost: example.com\r\n\r\n"
CLIENT = "203.0.113.9"


def v1(source=CLIENT, destination="198.51.100.1", ports=(40000, 80), family="TCP4"):
    return f"PROXY {family} {source} {destination} {ports[0]} {ports[1]}\r\n".encode()


def v2(source=CLIENT, destination="198.51.100.1", ports=(40000, 80), tlvs=b""):
    family = socket.AF_INET6 if ":" in source else socket.AF_INET
    pair = socket.inet_pton(family, source) + socket.inet_pton(family, destination) + struct.pack("!HH", *ports)
    kind = b"\x21\x21" if ":" in source else b"\x21\x11"
    return SIGNATURE + kind + struct.pack("!H", len(pair + tlvs)) + pair + tlvs


def listens_with_proxy(**settings):
    return {"listeners": [{"proxyProtocol": True}], "trustedProxies": LOOPBACK, **settings}


def exchange(proxy, data, pieces=None):
    """(head of the answer, or b"" when there was none)"""
    peer = proxy.connect()
    with contextlib.suppress(OSError):
        for piece in pieces or [data]:
            peer.send(piece)
    try:
        return peer.take_head()
    except ConnectionResetError:
        return b""
    finally:
        peer.close()


def last_fields(backend):
    return fields(backend.heads[-1])


# ---- PROXY protocol in ----

@pytest.mark.parametrize("header, client", [
    (v1(), CLIENT),
    (v1("2001:db8::9", "2001:db8::1", family="TCP6"), "2001:db8::9"),
    (v2(), CLIENT),
    (v2("2001:db8::9", "2001:db8::1"), "2001:db8::9"),
    (v2("::ffff:203.0.113.9", "::ffff:198.51.100.1"), CLIENT),
    (v2(tlvs=b"\x04\0\x03abc"), CLIENT),
    (b"PROXY UNKNOWN\r\n", "127.0.0.1"),
    (SIGNATURE + b"\x20\0\0\0", "127.0.0.1"),
], ids=["v1", "v1-ipv6", "v2", "v2-ipv6", "v2-mapped", "v2-tlv", "v1-unknown", "v2-local"])
@pytest.mark.parametrize("split", ["whole", "apart", "bytes"])
def test_a_proxy_header_names_the_client(proxy, upstream, header, client, split):
    backend = upstream(answer_with(OK))
    p = proxy([backend.port], settings=listens_with_proxy(timeouts={"headMs": 60_000}))
    pieces = {"whole": [header + GET], "apart": [header, GET],
              "bytes": [bytes([byte]) for byte in header + GET]}[split]
    assert status(exchange(p, None, pieces)) == 200
    assert last_fields(backend)["x-forwarded-for"] == [client]


def test_the_client_stays_the_same_for_all_requests_of_the_connection(proxy, upstream):
    backend = upstream(answer_with(OK))
    peer = proxy([backend.port], settings=listens_with_proxy()).connect()
    peer.send(v2() + GET + GET)
    for _ in range(2):
        assert status(peer.take_head()) == 200
        assert peer.take(2) == b"ok"
    peer.send(GET)
    assert status(peer.take_head()) == 200
    assert [fields(head)["x-forwarded-for"] for head in backend.heads] == [[CLIENT]] * 3
    peer.close()


@pytest.mark.parametrize("start", [
    b"", b"PROXY TCP4 203.0.113.9 198.51.100.1 40000\r\n", v1() + b"\r", v1().replace(b"\r\n", b"\n"),
    v1("203.0.113.256"), v1(family="TCP6"), SIGNATURE + b"\x31\x11\0\0", SIGNATURE + b"\x21\x11\xff\xff",
    SIGNATURE + b"\x21\x11\0\x04abcd", v2(tlvs=b"\x03\0\x04\0\0\0\0"), v2(tlvs=b"\x04\0\x09x")], ids=range(11))
def test_a_bad_or_missing_proxy_header_ends_the_connection_without_an_answer(proxy, upstream, start):
    backend = upstream(answer_with(OK))
    p = proxy([backend.port], settings=listens_with_proxy())
    answer = exchange(p, start + GET)
    # "\r" behind a good header belongs to the request, which is malformed then.
    assert answer == b"" or (start == v1() + b"\r" and status(answer) == 400)
    assert backend.heads == []


@pytest.mark.parametrize("trusted", [[], ["192.0.2.0/24", "::1"]], ids=["nobody", "others"])
def test_a_proxy_header_from_who_is_not_trusted_ends_the_connection(proxy, upstream, trusted):
    backend = upstream(answer_with(OK))
    p = proxy([backend.port], settings=listens_with_proxy(trustedProxies=trusted))
    assert exchange(p, v2() + GET) == b""
    assert backend.heads == []


def test_a_listener_that_is_not_set_up_for_it_takes_no_proxy_header(proxy, upstream):
    backend = upstream(answer_with(OK))
    p = proxy([backend.port], settings={"trustedProxies": LOOPBACK})
    assert status(exchange(p, v1() + GET)) == 400
    assert status(exchange(p, v2() + GET)) == 400
    assert backend.heads == []


def test_who_names_a_client_does_not_vouch_for_its_fields(proxy, upstream):
    backend = upstream(answer_with(OK))
    p = proxy([backend.port], settings=listens_with_proxy())
    forged = GET[:-2] + b"X-Forwarded-For: 10.9.9.9\r\nX-Forwarded-Proto: https\r\n\r\n"
    assert status(exchange(p, v1() + forged)) == 200
    assert last_fields(backend)["x-forwarded-for"] == [CLIENT]
    assert last_fields(backend)["x-forwarded-proto"] == ["http"]
    assert status(exchange(p, v1("127.0.0.5") + forged)) == 200  # itself a trusted proxy
    assert last_fields(backend)["x-forwarded-for"] == ["10.9.9.9, 127.0.0.5"]


# ---- PROXY protocol out ----

def read_v1(peer):
    line = peer.take_line()
    words = line.decode().split()
    assert words[:2] == ["PROXY", "TCP4"]
    return words[2], int(words[4]), words[3], int(words[5])


def read_v2(peer):
    fixed = peer.take(16)
    assert fixed == SIGNATURE + b"\x21\x11\0\x0c"
    source, destination, source_port, port = struct.unpack("!4s4sHH", peer.take(12))
    return socket.inet_ntoa(source), source_port, socket.inet_ntoa(destination), port


def with_header(read):
    """One header a connection, then requests; .named has what each request was preceded by."""

    def script(peer, backend):
        named = None
        while True:
            if not named:
                named = read(peer)
            head = peer.take_head()
            if not head:
                return
            backend.named = getattr(backend, "named", []) + [named]
            backend.record(head)
            peer.send(OK)

    return script


@pytest.mark.parametrize("version, read", [("v1", read_v1), ("v2", read_v2)])
def test_each_connection_to_a_task_says_whom_it_is_for(proxy, upstream, version, read):
    backend = upstream(with_header(read))
    p = proxy([], services=[{"name": "web", "proxyProtocol": version, "endpoints": endpoints([backend.port])}])
    clients = [p.connect() for _ in range(3)]
    wanted = []
    for peer in clients * 2:
        peer.send(GET)
        assert status(peer.take_head()) == 200
        assert peer.take(2) == b"ok"
        wanted.append((*peer.sock.getsockname(), "127.0.0.1", p.port))
    assert backend.named == wanted
    for peer in clients:
        peer.close()


def test_a_named_client_is_named_again_with_what_it_connected_to(proxy, upstream):
    backend = upstream(with_header(read_v2))
    p = proxy([], settings=listens_with_proxy(),
              services=[{"name": "web", "proxyProtocol": "v2", "endpoints": endpoints([backend.port])}])
    assert status(exchange(p, v1(ports=(41000, 80)) + GET)) == 200
    assert backend.named == [(CLIENT, 41000, "198.51.100.1", 80)]


def test_a_connection_that_named_a_client_is_closed_behind_its_request(proxy, upstream):
    def script(peer, up):
        while head := peer.take_head():
            up.record(head)
            peer.send(OK)
        up.record(b"end")

    backend = upstream(script)
    p = proxy([], services=[{"name": "web", "proxyProtocol": "v1", "endpoints": endpoints([backend.port])}])
    peer = p.connect()
    for number in (1, 2):
        peer.send(GET)
        assert (status(peer.take_head()), peer.take(2)) == (200, b"ok")
        backend.wait_for(lambda up: len(up.heads) == 2 * number)
    assert [head[:6] for head in backend.heads] == [b"PROXY ", b"end", b"PROXY ", b"end"]


# ---- beside HAProxy and nginx ----

HAPROXY_CONFIG = """
global
    log stderr format raw local0 notice
defaults
    mode http
    timeout connect 20s
    timeout client 20s
    timeout server 20s
frontend before
    mode tcp
    bind 127.0.0.1:{front}
    default_backend portico
backend portico
    mode tcp
    server portico 127.0.0.1:{portico} {send}
frontend behind
    bind 127.0.0.1:{back} accept-proxy
    http-request return status 200 content-type text/plain lf-string "%[src]:%[src_port]"
"""


@contextlib.contextmanager
def haproxy(folder, back, front=0, portico=0, send=""):
    config = folder / "haproxy.cfg"
    config.write_text(HAPROXY_CONFIG.format(front=front or free_port(), back=back, portico=portico or free_port(),
                                            send=send))
    server = Server([require("/usr/sbin/haproxy", "haproxy"), "-db", "-f", config], folder / "haproxy.log")
    try:
        if front:
            server.wait_for_port(front)
        server.wait_for_port(back)
        yield server
    finally:
        server.stop()


@contextlib.contextmanager
def nginx(folder, back):
    config = folder / "nginx.conf"
    config.write_text(f"""
{"user root;" if os.getuid() == 0 else ""}
daemon off; pid {folder}/nginx.pid; error_log stderr;
events {{ worker_connections 64; }}
http {{
    access_log off; client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
    uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
    server {{ listen 127.0.0.1:{back} proxy_protocol; return 200 "$proxy_protocol_addr:$proxy_protocol_port"; }}
}}
""")
    server = Server([require("/usr/sbin/nginx", "nginx-light"), "-e", "stderr", "-c", config], folder / "nginx.log")
    try:
        server.wait_for_port(back)
        yield server
    finally:
        server.stop()


@pytest.mark.parametrize("program", [haproxy, nginx])
@pytest.mark.parametrize("version", ["v1", "v2"])
def test_others_read_what_we_write(proxy, tmp_path, program, version):
    back = free_port()
    with program(tmp_path, back):
        p = proxy([], services=[{"name": "web", "proxyProtocol": version, "endpoints": endpoints([back])}])
        for _ in range(3):
            peer = p.connect()
            for _ in range(2):
                peer.send(GET)
                assert status(head := peer.take_head()) == 200
                wanted = "%s:%d" % peer.sock.getsockname()
                assert fields(head)["content-length"] == [str(len(wanted))]
                assert peer.take(len(wanted)).decode() == wanted
            peer.close()


@pytest.mark.parametrize("send", ["send-proxy", "send-proxy-v2", "send-proxy-v2 proxy-v2-options unique-id,crc32c",
                                  "send-proxy check fall 100", "send-proxy-v2 check fall 100"])
def test_we_read_what_others_write(proxy, upstream, tmp_path, send):
    backend = upstream(answer_with(OK))
    # With "check": connections that name no client, or the balancer itself. A few that are late do not take us out.
    p = proxy([backend.port], settings=listens_with_proxy())
    front = free_port()
    with haproxy(tmp_path, free_port(), front, p.port, send):
        sock = socket.create_connection(("127.0.0.1", front), source_address=("127.0.0.77", 0))
        peer = Peer(sock)
        peer.send(GET + GET)
        for _ in range(2):
            assert status(peer.take_head()) == 200
            assert peer.take(2) == b"ok"
        peer.close()
    assert [fields(head)["x-forwarded-for"] for head in backend.heads] == [["127.0.0.77"]] * 2


# ---- X-Forwarded-* and Forwarded ----

SENT = (b"X-Forwarded-For: 203.0.113.1\r\nX-Forwarded-For: 203.0.113.2\r\nX-Forwarded-Proto: https\r\n"
        b"X-Forwarded-Host: front.test\r\nX-Real-IP: 203.0.113.1\r\nForwarded: for=203.0.113.1\r\n"
        b"X_Forwarded_For: 1\r\n")
ELEMENT = 'for=127.0.0.1;host="example.com";proto=http'


@pytest.mark.parametrize("settings, wanted", [
    ({}, {"x-forwarded-for": ["127.0.0.1"], "x-real-ip": ["127.0.0.1"], "x-forwarded-proto": ["http"], "x-forwarded-host": ["example.com"]}),
    ({"trustedProxies": ["192.0.2.0/24"], "forwardedFor": "preserve", "sendForwarded": True},
     {"x-forwarded-for": ["127.0.0.1"], "x-real-ip": ["127.0.0.1"], "x-forwarded-proto": ["http"], "x-forwarded-host": ["example.com"],
      "forwarded": [ELEMENT]}),
    ({"trustedProxies": LOOPBACK},
     {"x-forwarded-for": ["203.0.113.1, 203.0.113.2, 127.0.0.1"], "x-real-ip": ["203.0.113.1"], "x-forwarded-proto": ["https"],
      "x-forwarded-host": ["front.test"], "forwarded": ["for=203.0.113.1"]}),
    ({"trustedProxies": LOOPBACK, "forwardedFor": "append", "sendForwarded": True},
     {"x-forwarded-for": ["203.0.113.1, 203.0.113.2, 127.0.0.1"], "x-real-ip": ["203.0.113.1"], "x-forwarded-proto": ["https"],
      "x-forwarded-host": ["front.test"], "forwarded": ["for=203.0.113.1, " + ELEMENT]}),
    ({"trustedProxies": LOOPBACK, "forwardedFor": "replace"},
     {"x-forwarded-for": ["127.0.0.1"], "x-real-ip": ["127.0.0.1"], "x-forwarded-proto": ["http"], "x-forwarded-host": ["example.com"]}),
    ({"trustedProxies": LOOPBACK, "forwardedFor": "preserve", "sendForwarded": True},
     {"x-forwarded-for": ["203.0.113.1", "203.0.113.2"], "x-real-ip": ["203.0.113.1"], "x-forwarded-proto": ["https"],
      "x-forwarded-host": ["front.test"], "forwarded": ["for=203.0.113.1"]}),
], ids=["default", "other-trusted", "append", "append-forwarded", "replace", "preserve"])
def test_what_is_said_of_the_client_depends_on_who_says_it(proxy, upstream, settings, wanted):
    backend = upstream(answer_with(OK))
    p = proxy([backend.port], settings=settings)
    assert status(exchange(p, GET[:-2] + SENT + b"\r\n")) == 200
    seen = last_fields(backend)
    named = {name: values for name, values in seen.items() if "forwarded" in name or "real" in name}
    assert named == {**wanted, "x-forwarded-port": [str(p.port)]}


# ---- loops and hops ----

def test_a_request_that_has_been_here_is_a_loop(proxy, upstream):
    backend = upstream(answer_with(OK))
    p = proxy([backend.port])
    assert status(exchange(p, GET[:-2] + b"Via: 1.1 portico\r\n\r\n")) == 200  # another of our kind
    vias = last_fields(backend)["via"]
    assert len(vias) == 2 and vias[0] == "1.1 portico"
    assert status(exchange(p, GET[:-2] + b"Via: 1.0 a, " + vias[1].encode() + b" (x)\r\n\r\n")) == 508
    assert len(backend.heads) == 1


def test_a_proxy_that_is_its_own_backend_answers_508(proxy, tmp_path):
    p = proxy([])
    p.document["services"][0]["endpoints"] = endpoints([p.port])
    p.reload()
    wait_until(lambda: status(exchange(p, GET)) == 508, "the route leads to the proxy itself")


def test_max_forwards_ends_here_or_is_counted_down(proxy, upstream):
    backend = upstream(answer_with(OK))
    p = proxy([backend.port])

    def ask(method, value):
        return status(exchange(p, GET.replace(b"GET", method)[:-2] + b"Max-Forwards: " + value + b"\r\n\r\n"))

    assert ask(b"OPTIONS", b"0") == 200
    assert ask(b"OPTIONS", b"x") == 400
    assert backend.heads == []
    assert ask(b"OPTIONS", b"2") == 200
    assert last_fields(backend)["max-forwards"] == ["1"]
    assert ask(b"GET", b"0") == 200
    assert last_fields(backend)["max-forwards"] == ["0"]
    assert len(backend.heads) == 2


# ---- limits of a client ----

def test_more_connections_than_a_client_may_have_are_closed_at_once(proxy, upstream):
    backend = upstream(answer_with(OK))
    p = proxy([backend.port], settings=listens_with_proxy(clients={"connections": 2}))
    first = [p.connect(), p.connect()]
    for peer in first:
        peer.send(v2() + GET)
        assert status(peer.take_head()) == 200
    assert exchange(p, v2(ports=(40001, 80)) + GET) == b""
    assert status(exchange(p, v2("203.0.113.10") + GET)) == 200  # another client
    for peer in first:  # which still work
        peer.send(GET)
        assert peer.take(2) == b"ok"
        assert status(peer.take_head()) == 200
    first[0].close()
    wait_until(lambda: exchange(p, v2() + GET) != b"", "there is room for another connection")
    first[1].close()


def test_ipv6_clients_count_by_their_64_bits(proxy, upstream):
    backend = upstream(answer_with(OK))
    p = proxy([backend.port], settings=listens_with_proxy(clients={"connections": 1}))
    peer = p.connect()
    peer.send(v2("2001:db8:0:1::1", "2001:db8::1") + GET)
    assert status(peer.take_head()) == 200
    assert exchange(p, v2("2001:db8:0:1:ffff::2", "2001:db8::1") + GET) == b""
    assert status(exchange(p, v2("2001:db8:0:2::1", "2001:db8::1") + GET)) == 200
    peer.close()


def test_requests_beyond_the_rate_of_a_client_are_answered_429(proxy, upstream):
    backend = upstream(answer_with(OK))
    p = proxy([backend.port], settings=listens_with_proxy(clients={"requestsPerSecond": 2}))

    def ask(header, count):
        peer = p.connect()
        peer.send(header)
        seen = []
        for _ in range(count):
            peer.send(GET)
            head = peer.take_head()
            if not head:
                break
            peer.take(int(fields(head)["content-length"][0]))
            seen.append(status(head))
        peer.close()
        return seen

    many = []
    for _ in range(10):  # however slow this machine is, ten thousand requests take less than five thousand seconds
        many += ask(v2(), 1000)
        if 429 in many:
            break
    assert many[:2] == [200, 200] and 429 in many and set(many) == {200, 429}
    assert ask(v2("203.0.113.10"), 2) == [200, 200]
    wait_until(lambda: ask(v2(), 1) == [200], "the client may ask again")


def test_a_request_body_is_read_at_the_rate_of_its_client(proxy, upstream):
    def script(peer, backend):
        head = peer.take_head()
        if head:
            body = peer.take(int(fields(head)["content-length"][0]))
            backend.record(body)
            peer.send(OK)

    backend = upstream(script)
    p = proxy([backend.port], settings={"clients": {"bodyBytesPerSecond": 200000}})
    body = os.urandom(400000)
    peer = p.connect()
    began = time.monotonic()
    peer.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(body))
    peer.send(body)
    assert status(peer.take_head()) == 200
    # A burst of one second's bytes and a buffer's content above it: the rest cannot be faster.
    assert time.monotonic() - began > (400000 - 200000 - 100000) / 200000
    assert backend.heads == [body]
    peer.close()
