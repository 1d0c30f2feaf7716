"""Answers of tasks as other proxies take them: what is read leniently goes on well-formed, what leaves the end of a message open is
refused in both modes, and the access log says why and where."""
import json

import pytest

from proxy_alone import OK, answer_with, endpoints, status
from proxy_fixtures import proxy, upstream  # noqa: F401 (fixtures)
from real_programs import wait_until

LENIENT = {  # what a task sends, then what the client gets
    "bare-lf": (b"HTTP/1.1 200 OK\nContent-Length: 2\nX-A: b\n\nok", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-A: b\r\n"),
    "fold": (b"HTTP/1.1 200 OK\r\nX-A: b\r\n  c\r\nContent-Length: 2\r\n\r\nok",
             b"HTTP/1.1 200 OK\r\nX-A: b c\r\nContent-Length: 2\r\n"),
    "space-before-colon": (b"HTTP/1.1 200 OK\r\nContent-Length : 2\r\n\r\nok", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n"),
    "length-twice": (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok",
                     b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n"),
    "status-700": (b"HTTP/1.1 700 Odd\r\nContent-Length: 2\r\n\r\nok", b"HTTP/1.1 700 Odd\r\nContent-Length: 2\r\n"),
}
OPEN = {  # what a task sends, then fault, faultOffset, faultLine
    "two-framings": (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n",
                     "both Content-Length and Transfer-Encoding", 36, "Transfer-Encoding: chunked"),
    "lengths-differ": (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok",
                       "more than one Content-Length", 36, "Content-Length: 3"),
    "folded-length": (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n 2\r\n\r\nok", "folded field line", 36, " 2"),
    "control": (b"HTTP/1.1 200 OK\r\nX-A: \"b\x1b[1mc\r\n\r\n", "field value has a control character", 24, 'X-A: "b\x1b[1mc'),
    "no-http": (b"SSH-2.0-OpenSSH_9.2\r\n", "HTTP version is malformed", 0, "SSH-2.0-OpenSSH_9.2"),
}


def ask(p):
    peer = p.connect()
    peer.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    return peer, peer.take_head()


def last_line(path, count=1):
    wait_until(lambda: path.read_text().count("\n") >= count, f"{count} lines of the access log")
    return json.loads(path.read_text().splitlines()[-1])


@pytest.mark.parametrize("name", LENIENT)
def test_what_peers_take_goes_on_well_formed(proxy, upstream, name):
    sent, got = LENIENT[name]
    peer, head = ask(proxy([upstream(answer_with(sent)).port]))
    assert head[: head.index(b"Date: ")] == got
    assert peer.take(2) == b"ok"
    peer.close()


@pytest.mark.parametrize("name", LENIENT)
@pytest.mark.parametrize("how", ["settings", "service"])
def test_a_strict_reading_refuses_it(proxy, upstream, tmp_path, name, how):
    backend = upstream(answer_with(LENIENT[name][0]))
    log = tmp_path / "access.log"
    word = {"responses": "strict"}
    p = proxy([], settings=word if how == "settings" else {"responses": "lenient"}, access_log=str(log), routes=None,
              services=[{"name": "web", "endpoints": endpoints([backend.port]), **(word if how == "service" else {})}])
    peer, head = ask(p)
    assert status(head) == 502
    line = last_line(log)
    assert (line["end"], line["faultPlace"]) == ("upstream-malformed", "response-head")
    assert line["fault"]
    peer.close()


@pytest.mark.parametrize("mode", ["lenient", "strict"])
@pytest.mark.parametrize("name", OPEN)
def test_what_leaves_the_framing_open_is_refused_and_the_log_says_where(proxy, upstream, tmp_path, mode, name):
    sent, fault, offset, text = OPEN[name]
    log = tmp_path / "access.log"
    peer, head = ask(proxy([upstream(answer_with(sent)).port], settings={"responses": mode}, access_log=str(log)))
    assert status(head) == 502
    line = last_line(log)
    assert (line["fault"], line["faultPlace"], line["faultOffset"], line["faultLine"]) == (fault, "response-head", offset, text)
    peer.close()


def test_a_bad_chunk_is_refused_with_its_offset(proxy, upstream, tmp_path):
    log = tmp_path / "access.log"
    backend = upstream(answer_with(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nzz\r\n"))
    peer, head = ask(proxy([backend.port], access_log=str(log)))
    assert status(head) == 502
    line = last_line(log)
    assert (line["fault"], line["faultPlace"], line["faultOffset"]) == ("chunk size is malformed", "response-body", 10)
    peer.close()


@pytest.mark.parametrize("sent, fault, place, offset, text", [
    (b"GET / HTTP/1.1\r\nHost: a\r\nX \x1b: b\r\n\r\n", "field name is empty or not a token, or has no colon", "request-head", 25,
     "X \x1b: b"),
    (b"GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n", "request target is malformed", "request-head", 4, "GET /a#b HTTP/1.1"),
    (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "more than one Host", "request-head", 25, "Host: b"),
    (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcX", "chunk data is not followed by CRLF",
     "request-body", 6, ""),
], ids=["name", "target", "host", "chunk"])
def test_a_refused_request_says_why_and_where(proxy, upstream, tmp_path, sent, fault, place, offset, text):
    log = tmp_path / "access.log"
    p = proxy([upstream(answer_with(OK)).port], access_log=str(log))
    peer = p.connect()
    peer.send(sent)
    assert status(peer.take_head()) == 400
    line = last_line(log)
    assert (line["fault"], line["faultPlace"], line["faultOffset"], line["faultLine"]) == (fault, place, offset, text)
    peer.close()
