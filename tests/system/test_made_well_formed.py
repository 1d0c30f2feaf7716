"""What the proxy adds, takes away and puts right in heads, so that both sides get what the RFCs promise them: Host, Date, versions,
schemes, what is said of the client, and the end of a response that only closing can end."""
import email.utils
import json
import time

import pytest

from proxy_alone import OK, DEADLINE_S, answer_with, closed_port, fields, status
from proxy_fixtures import proxy, upstream  # noqa: F401 (fixtures)
from real_programs import wait_until

CLAIMS = ["Proxy", "X-Forwarded-Scheme", "X-Forwarded-Protocol", "X-Forwarded-Client-Cert", "Front-End-Https", "X-Original-Host",
          "X-Original-URL", "X-Rewrite-URL", "X-Original-Forwarded-For", "X-Client-IP", "X-Cluster-Client-IP", "True-Client-IP",
          "CF-Connecting-IP", "X-URL-Scheme", "X-Scheme", "X-Remote-User", "X-Remote-Addr", "X-Forwarded-Prefix",
          "X-Forwarded-Server", "X-Forwarded-Ssl", "X-Forwarded-User"]


def ask(p, data):
    peer = p.connect()
    peer.send(data)
    head = peer.take_head()
    peer.close()
    return head


# ---- Host


def test_a_request_without_host_names_the_endpoint(proxy, upstream, tmp_path):
    backend = upstream(answer_with(OK))
    log = tmp_path / "access.log"
    p = proxy([backend.port], access_log=str(log))
    assert status(ask(p, b"GET / HTTP/1.0\r\n\r\n")) == 200
    assert fields(backend.heads[0])["host"] == [f"127.0.0.1:{backend.port}"]
    assert "x-forwarded-host" not in fields(backend.heads[0])
    wait_until(lambda: log.read_text().count("\n") == 1, "the access log's line")
    assert json.loads(log.read_text())["host"] == ""  # the client named none


def test_each_try_names_its_own_endpoint(proxy, upstream):
    holder, refusing = closed_port()
    backend = upstream(answer_with(OK, keep_open=False))
    p = proxy([refusing, backend.port])
    for _ in range(8):
        assert status(ask(p, b"GET / HTTP/1.0\r\n\r\n")) == 200
    assert {tuple(fields(head)["host"]) for head in backend.heads} == {(f"127.0.0.1:{backend.port}",)}
    holder.close()


# ---- Date


def is_now(date):
    return abs(email.utils.parsedate_to_datetime(date).timestamp() - time.time()) < 2 * DEADLINE_S


def test_a_response_without_date_gets_one(proxy, upstream):
    backend = upstream(answer_with(OK))
    [date] = fields(ask(proxy([backend.port]), b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"))["date"]
    assert is_now(date) and date.endswith(" GMT")


def test_the_date_of_a_task_stays(proxy, upstream):
    then = "Sun, 06 Nov 1994 08:49:37 GMT"
    backend = upstream(answer_with(OK.replace(b"\r\n\r\n", f"\r\nDate: {then}\r\n\r\n".encode())))
    assert fields(ask(proxy([backend.port]), b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"))["date"] == [then]


@pytest.mark.parametrize("request_", [b"GET / HTTP/1.1\r\n\r\n", b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"], ids=["400", "503"])
def test_own_answers_have_a_date(proxy, request_):
    assert is_now(fields(ask(proxy([]), request_))["date"][0])


# ---- versions


def test_a_higher_minor_version_is_processed_as_1_1(proxy, upstream):
    backend = upstream(answer_with(OK.replace(b"HTTP/1.1", b"HTTP/1.2")))
    peer = proxy([backend.port]).connect()
    for _ in range(2):  # it stays open, as 1.1 does
        peer.send(b"GET / HTTP/1.7\r\nHost: a\r\n\r\n")
        assert peer.take_head().startswith(b"HTTP/1.1 200 OK\r\n")
        assert peer.take(2) == b"ok"
    assert {head.split(b"\r\n")[0] for head in backend.heads} == {b"GET / HTTP/1.1"}
    peer.close()


def test_a_higher_major_version_is_505(proxy):
    assert status(ask(proxy([]), b"GET / HTTP/2.0\r\nHost: a\r\n\r\n")) == 505


# ---- schemes

HTTPS = b"GET https://secret.example/a HTTP/1.1\r\nHost: secret.example\r\n\r\n"


def test_what_asks_for_https_on_cleartext_is_misdirected(proxy, upstream, tmp_path):
    backend = upstream(answer_with(OK))
    log = tmp_path / "access.log"
    p = proxy([backend.port], access_log=str(log))
    assert status(ask(p, HTTPS)) == 421
    assert status(ask(p, HTTPS.replace(b"https", b"http"))) == 200
    wait_until(lambda: log.read_text().count("\n") == 2, "the access log's lines")
    line = json.loads(log.read_text().splitlines()[0])
    assert (line["status"], line["end"], line["termination"]) == (421, "misdirected", "PR")
    assert line["target"] == "https://secret.example/a"
    assert len(backend.heads) == 1


def test_a_trusted_proxy_may_ask_for_https(proxy, upstream):
    backend = upstream(answer_with(OK))
    p = proxy([backend.port], settings={"trustedProxies": ["127.0.0.0/8"]})
    assert status(ask(p, HTTPS)) == 200
    assert fields(backend.heads[0])["x-forwarded-proto"] == ["https"]


# ---- who the client is


def test_port_and_address_are_those_seen_here(proxy, upstream):
    backend = upstream(answer_with(OK))
    p = proxy([backend.port])
    assert p.get(extra=b"X-Real-IP: 10.0.0.1\r\nX-Forwarded-Port: 443\r\nX_Real_IP: 10.0.0.2\r\n")[0] == 200
    seen = fields(backend.heads[0])
    assert seen["x-real-ip"] == ["127.0.0.1"] and seen["x-forwarded-port"] == [str(p.port)]
    assert "x_real_ip" not in seen


def test_port_and_address_are_those_of_the_proxy_header(proxy, upstream):
    backend = upstream(answer_with(OK))
    p = proxy([backend.port], settings={"trustedProxies": ["127.0.0.0/8"], "listeners": [{"proxyProtocol": True}]})
    ask(p, b"PROXY TCP4 203.0.113.9 198.51.100.1 40000 8443\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n")
    seen = fields(backend.heads[0])
    assert seen["x-real-ip"] == ["203.0.113.9"] and seen["x-forwarded-port"] == ["8443"]


def test_what_a_trusted_proxy_says_of_port_and_address_stays(proxy, upstream):
    backend = upstream(answer_with(OK))
    p = proxy([backend.port], settings={"trustedProxies": ["127.0.0.0/8"]})
    for extra, real_ip in ((b"X-Real-IP: 203.0.113.9\r\nX-Forwarded-Port: 443\r\n", ["203.0.113.9"]),
                           (b"X-Forwarded-For: 203.0.113.9\r\nX-Forwarded-Port: 443\r\n", None)):
        p.get(extra=extra)
        seen = fields(backend.heads[-1])
        assert seen.get("x-real-ip") == real_ip and seen["x-forwarded-port"] == ["443"]


@pytest.mark.parametrize("trusted", [False, True])
def test_claims_of_other_proxies_are_believed_from_trusted_ones_only(proxy, upstream, trusted):
    backend = upstream(answer_with(OK))
    p = proxy([backend.port], settings={"trustedProxies": ["127.0.0.0/8"] if trusted else []})
    extra = "".join(f"{name}: mine\r\n{name.replace('-', '_')}: mine\r\n" for name in CLAIMS if name != "Proxy") + "Proxy: mine\r\n"
    p.get(extra=extra.encode())
    seen = fields(backend.heads[0])
    for name in CLAIMS:
        is_believed = trusted and name != "Proxy"  # it would be HTTP_PROXY to CGI-like programs, whoever sends it
        assert seen.get(name.lower()) == (["mine"] if is_believed else None), name
        assert "_" not in name and name.lower().replace("-", "_") not in {one for one in seen if "_" in one}


# ---- bodies


def test_blanks_before_a_chunk_extension_are_taken(proxy, upstream):
    def script(peer, one):
        head = peer.take_head()
        one.record(head)
        body = peer.take_chunked()
        peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x \t;a=b\r\n%s\r\n0 ;c\r\n\r\n" % (len(body), body))

    p = proxy([upstream(script).port])
    peer = p.connect()
    peer.send(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5 ;x=\"y\"\r\nhello\r\n0\t;z\r\n\r\n")
    assert status(peer.take_head()) == 200
    assert peer.take_chunked() == b"hello"
    peer.close()


def cut(framing, ending):
    """Answers with a body that breaks off."""

    def script(peer, one):
        one.record(peer.take_head())
        peer.send(b"HTTP/1.1 200 OK\r\n" + framing + b"\r\n\r\n" + b"5\r\nhello\r\n" * 3)
        one.wait_for(lambda one: one.may_end)
        ending(peer)

    return script


@pytest.mark.parametrize("ending", [lambda peer: peer.close(), lambda peer: peer.reset(), lambda peer: peer.send(b"zz\r\n")],
                         ids=["closed", "reset", "malformed"])
def test_a_truncated_response_to_http_1_0_ends_with_a_reset(proxy, upstream, ending):
    backend = upstream(cut(b"Transfer-Encoding: chunked", ending))
    backend.may_end = False
    peer = proxy([backend.port]).connect()
    peer.send(b"GET / HTTP/1.0\r\n\r\n")
    assert status(peer.take_head()) == 200
    assert peer.take(15) == b"hello" * 3
    with backend.changed:
        backend.may_end = True
        backend.changed.notify_all()
    with pytest.raises(ConnectionResetError):
        peer.sock.recv(1)
    peer.close()


def test_a_whole_response_to_http_1_0_ends_with_a_close(proxy, upstream):
    for framing in (b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", b"Connection: close\r\n\r\nhello"):
        backend = upstream(answer_with(b"HTTP/1.1 200 OK\r\n" + framing, keep_open=False))
        peer = proxy([backend.port]).connect()
        peer.send(b"GET / HTTP/1.0\r\n\r\n")
        assert status(peer.take_head()) == 200
        assert peer.take(5) == b"hello"
        assert peer.sock.recv(1) == b""
        peer.close()
