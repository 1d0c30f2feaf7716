"""Reads and writes that move one byte, and storms of EINTR and EAGAIN: what is passed on is the same."""
import errno
import os
import re

import pytest

from conversation import BIG, NAMES, REQUESTS, ROUTES, answer_all_kinds, converse, start  # noqa: F401
from faults import SHIM, Faults
from proxy_alone import fields, status
from proxy_fixtures import upstream  # noqa: F401 (fixture)

pytestmark = pytest.mark.skipif(not os.path.exists(SHIM), reason="no shim for this kind of build")

READS, WRITES = ("recv", "readv", "recvmsg"), ("send", "writev", "sendmsg")
MIB = 1 << 20
# Byte by byte a conversation takes its time, on a machine with other work many times as long.
PATIENT_MS = 300000
PATIENT_S = PATIENT_MS / 1000
PATIENT = {"timeouts": {"headMs": PATIENT_MS, "bodyMs": PATIENT_MS, "connectMs": 20000, "responseMs": PATIENT_MS,
                        "drainMs": 20000}}


def pieces_of(max_bytes, names):
    return {name: {"max_bytes": max_bytes} for name in names}


def storm_of(error, every, other=0, max_bytes=0):
    """One call in `every` fails. Neither accept4 nor epoll_wait has EAGAIN but for "nothing there"."""
    storm = {name: {"every": every, "error": error, "other_error": other, "max_bytes": max_bytes}
             for name in (*READS, *WRITES, "accept4")}
    storm["epoll_wait"] = {"every": every, "error": errno.EINTR}
    return storm


WEATHER = {
    "reads of one byte": pieces_of(1, READS),
    "writes of one byte": pieces_of(1, WRITES),
    "reads and writes of one byte": pieces_of(1, (*READS, *WRITES)),
    "reads and writes of 61 bytes": pieces_of(61, (*READS, *WRITES)),
    "every third call is interrupted": storm_of(errno.EINTR, 3),
    "every second call would block": storm_of(errno.EAGAIN, 2),
    "interrupted, blocked and short": storm_of(errno.EINTR, 3, errno.EAGAIN, 1500),
}


MILD = [name for name in WEATHER if name not in ("reads of one byte", "writes of one byte")]  # the third has both


@pytest.fixture(params=list(WEATHER))
def weather(request, tmp_path):
    """(faults, a function that lets the weather begin)."""
    faults = Faults(tmp_path)

    def begin(seed=1):
        for name, options in WEATHER[request.param].items():
            faults.arm(name, seed=seed * 1000003, **options)

    return faults, begin


@pytest.mark.long
def test_a_conversation_of_all_kinds_is_the_same(tmp_path, upstream, start, weather):
    faults, begin = weather
    proxy = start(upstream(answer_all_kinds).port, faults, settings=PATIENT)
    begin()
    outcome = converse(proxy, PATIENT_S, REQUESTS)
    assert set(outcome.values()) == {"right"} and set(NAMES) < set(outcome), outcome
    assert sum(faults.calls(name) for name in (*READS, *WRITES)) > 100  # there was weather
    faults.disarm()
    assert proxy.stop() == 0


def test_pipelined_requests_are_answered_in_order(tmp_path, upstream, start, weather):
    faults, begin = weather

    def script(peer, up):
        while True:
            head = peer.take_head()
            if not head:
                return
            target = head.split(b" ")[1]
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(target), target))

    proxy = start(upstream(script).port, faults, settings=PATIENT)
    begin()
    peer = proxy.connect()
    peer.send(b"".join(b"GET /%03d HTTP/1.1\r\nHost: web\r\n\r\n" % i for i in range(50)))
    for i in range(50):
        assert status(peer.take_head()) == 200
        assert peer.take(4) == b"/%03d" % i


@pytest.mark.long
@pytest.mark.parametrize("weather", MILD, indirect=True)
def test_a_mebibyte_passes_both_ways(tmp_path, upstream, start, weather):
    faults, begin = weather
    body = (BIG * 11)[:MIB]

    def script(peer, up):
        peer.sock.settimeout(PATIENT_S)  # for all of sendall()
        head = peer.take_head()
        got = peer.take(int(fields(head)["content-length"][0]))
        up.record(got)
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(got) + got)
        peer.take_head()

    up = upstream(script)
    proxy = start(up.port, faults, settings=PATIENT)
    begin()
    peer = proxy.connect()
    peer.sock.settimeout(PATIENT_S)
    peer.send(b"PUT / HTTP/1.1\r\nHost: web\r\nContent-Length: %d\r\n\r\n" % MIB + body)
    assert status(peer.take_head()) == 200
    assert peer.take(MIB) == body and up.heads == [body]


def transcript(proxy, up):
    """What a request with trailers and its answer with trailers look like behind the proxy, chunks joined."""
    del up.heads[:]
    peer = proxy.connect()
    peer.send(b"POST /t HTTP/1.1\r\nHost: web\r\nTE: trailers\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n"
              b"5;x=y\r\nhello\r\n6\r\n world\r\n0\r\nX-Sum: 11\r\n\r\n")
    head = peer.take_head()
    answer = (head, *take_chunked_with_trailers(peer))
    peer.close()
    up.wait_for(lambda u: len(u.heads) == 2)
    seen = re.sub(rb"(?i)x-request-id: [^\r]*\r\n", b"", up.heads[0])
    return seen, up.heads[1], answer


def take_chunked_with_trailers(peer):
    body = b""
    while True:
        while b"\r\n" not in peer.data:
            assert peer.more(), "ended inside a chunked body"
        line, _, peer.data = peer.data.partition(b"\r\n")
        size = int(line.split(b";")[0], 16)
        if size == 0:
            break
        body += peer.take(size + 2)[:-2]
    trailers = []
    while True:
        while b"\r\n" not in peer.data:
            assert peer.more(), "ended inside trailers"
        line, _, peer.data = peer.data.partition(b"\r\n")
        if not line:
            return body, trailers
        trailers.append(line)


def test_bodies_with_trailers_are_the_same(tmp_path, upstream, start, weather):
    faults, begin = weather

    def script(peer, up):
        while head := peer.take_head():
            up.record(head)
            up.record(take_chunked_with_trailers(peer))
            peer.send(b"HTTP/1.1 200 OK\r\nTrailer: X-End\r\nTransfer-Encoding: chunked\r\n\r\n"
                      b"3\r\nabc\r\n10\r\n0123456789abcdef\r\n0\r\nX-End: yes\r\n\r\n")

    up = upstream(script)
    proxy = start(up.port, faults, settings=PATIENT, routes=ROUTES)
    undisturbed = transcript(proxy, up)
    assert undisturbed[1][0] == b"hello world" and undisturbed[2][1] == b"abc0123456789abcdef"
    begin()
    assert transcript(proxy, up) == undisturbed
