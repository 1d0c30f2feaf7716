"""Endpoints and clients that break, hang or lie."""
import hashlib
import json
import resource
import threading

import pytest

from proxy_alone import DEADLINE_S, OK, answer_with, closed_port, endpoints, fields, status
from proxy_fixtures import proxy, upstream  # noqa: F401 (fixtures)
from real_programs import wait_until


def short(name):
    """Only the time-out that is the subject is short: a slow test must not run into another one."""
    return {"timeouts": {name: 300}}


def test_a_refused_connection_is_tried_on_another_endpoint(proxy, upstream):
    up = upstream(answer_with(OK))
    dead, dead_port = closed_port()
    p = proxy([dead_port, up.port])
    assert [p.get()[0] for _ in range(20)] == [200] * 20
    dead.close()


def test_a_post_is_tried_again_only_when_it_cannot_have_been_acted_on(proxy, upstream):
    """Refused: nobody has seen it, so another endpoint gets it. Broken after it was sent: 502, never a second time."""
    up = upstream(answer_with(OK))
    dead, dead_port = closed_port()
    p = proxy([dead_port, up.port])
    for _ in range(10):
        peer = p.connect()
        peer.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n")
        assert status(peer.take_head()) == 200
        peer.close()
    dead.close()

    def dies(peer, u):
        u.record(peer.take_head())

    breaking = upstream(dies)
    p.document["services"] = [{"name": "web", "endpoints": endpoints([breaking.port])}]
    other = proxy([breaking.port])
    peer = other.connect()
    peer.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n")
    assert status(peer.take_head()) == 502
    assert len(breaking.heads) == 1


def test_a_get_on_a_pooled_connection_that_died_is_sent_again(proxy, upstream):
    def one_then_dies_on_the_second(peer, up):
        up.record(peer.take_head())
        peer.send(OK)
        up.record(peer.take_head())  # gets the second request, and breaks off without a byte

    first, second = upstream(one_then_dies_on_the_second), upstream(one_then_dies_on_the_second)
    peer = proxy([first.port, second.port]).connect()
    for _ in range(4):
        peer.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert status(peer.take_head()) == 200 and peer.take(2) == b"ok"


def test_a_post_on_a_pooled_connection_that_died_is_not_sent_again(proxy, upstream):
    def script(peer, up):
        up.record(peer.take_head())
        peer.send(OK)
        up.record(peer.take_head())

    up = upstream(script)
    peer = proxy([up.port]).connect()
    peer.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert status(peer.take_head()) == 200 and peer.take(2) == b"ok"
    peer.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n")
    assert status(peer.take_head()) == 502
    assert len(up.heads) == 2


def test_no_endpoint_is_503_with_retry_after_at_once(proxy):
    p = proxy([])
    code, head, _ = p.get()
    assert code == 503 and fields(head)["retry-after"] == ["1"]


def test_all_endpoints_dead_is_502(proxy):
    held = [closed_port() for _ in range(3)]
    p = proxy([port for _, port in held])
    assert p.get()[0] == 502
    for sock, _ in held:
        sock.close()


def test_a_silent_endpoint_is_504(proxy, upstream):
    up = upstream(lambda peer, u: peer.take_rest())
    assert proxy([up.port], settings=short("responseMs")).get()[0] == 504


@pytest.mark.parametrize("response", [
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
    b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
    b"HTTP/1.1 20 OK\r\n\r\n",
    b"HTTP/1.1 999 OK\r\nContent-Length: 0\r\n\r\n",
    b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nBad Name: x\r\n\r\n",
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70000 + b"\r\n\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\n" * 100,
    b"HTTP/1.1 200",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\nzz\r\n",
])
def test_a_malformed_response_is_502_and_its_connection_is_not_used_again(proxy, upstream, response):
    up = upstream(answer_with(response, keep_open=False))
    p = proxy([up.port], settings={"responses": "strict"})
    peer = p.connect()
    peer.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    head = peer.take_head()
    while status(head) == 100:
        head = peer.take_head()
        if not head:
            return  # interim responses had gone out, the end is visible as a close
    assert status(head) == 502


def test_bytes_behind_a_response_never_reach_the_next_request(proxy, upstream):
    up = upstream(answer_with(OK + b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"))
    peer = proxy([up.port]).connect()
    for _ in range(3):
        peer.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert status(peer.take_head()) == 200 and peer.take(2) == b"ok"
    assert up.connections == 3


@pytest.mark.parametrize("response", [
    b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc",
])
def test_a_response_that_breaks_off_is_seen_as_incomplete(proxy, upstream, response):
    up = upstream(answer_with(response, keep_open=False))
    peer = proxy([up.port]).connect()
    peer.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert status(peer.take_head()) == 200
    rest = peer.take_rest()
    assert not rest.endswith(b"0\r\n\r\n") and len(rest) < 100


@pytest.fixture
def begun_upload(proxy, upstream):
    """(client, backend, what came to the backend until the end): the first of the chunks has been sent."""
    ends = []

    def script(peer, up):
        up.record(peer.take_head())
        ends.append(peer.take_rest())
        up.record(b"end")

    up = upstream(script)
    peer = proxy([up.port]).connect()
    peer.send(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
    up.wait_for(lambda u: len(u.heads) == 1)
    return peer, up, ends


def test_an_upload_that_breaks_off_is_never_completed(begun_upload):
    peer, up, ends = begun_upload
    peer.close()
    up.wait_for(lambda u: len(u.heads) == 2)
    assert b"0\r\n\r\n" not in ends[0]


def test_an_upload_with_bad_chunks_is_400_and_never_completed(begun_upload):
    peer, up, ends = begun_upload
    peer.send(b"5 \r\nworld\r\n0\r\n\r\n")
    assert status(peer.take_head()) == 400
    up.wait_for(lambda u: len(u.heads) == 2)
    assert b"0\r\n\r\n" not in ends[0] and b"world" not in ends[0]


AMBIGUOUS = [
    b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nabcde",
    b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    b"POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"GET / HTTP/1.1\nHost: a\n\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    b"GET / HTTP/1.1\r\n\r\n",
    b"GET /\x00 HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /..%2fadmin HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /../x HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET / HTTP/2.0\r\nHost: a\r\n\r\n",
    b"CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n",
    b"TRACE / HTTP/1.1\r\nHost: a\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\n folded: x\r\n\r\n",
    b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 40000 + b"\r\n\r\n",
]


@pytest.mark.parametrize("request_bytes", AMBIGUOUS, ids=range(len(AMBIGUOUS)))
def test_an_ambiguous_request_is_refused_and_reaches_no_endpoint(proxy, upstream, request_bytes):
    up = upstream(answer_with(OK))
    peer = proxy([up.port]).connect()
    peer.send(request_bytes)
    assert status(peer.take_head()) in (400, 405, 414, 431, 501, 505)
    assert up.connections == 0


def test_a_head_that_never_ends_is_408(proxy, upstream):
    up = upstream(answer_with(OK))
    peer = proxy([up.port], settings=short("headMs")).connect()
    peer.send(b"GET / HTTP/1.1\r\nHost")
    assert status(peer.take_head()) == 408


def test_an_idle_connection_is_closed_after_its_time(proxy, upstream):
    up = upstream(answer_with(OK))
    peer = proxy([up.port], settings=short("idleMs")).connect()
    assert peer.is_closed_by_peer()


def test_an_upload_that_stalls_is_408(proxy, upstream):
    up = upstream(lambda peer, u: peer.take_rest())
    peer = proxy([up.port], settings=short("bodyMs")).connect()
    peer.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc")
    assert status(peer.take_head()) == 408


def test_a_client_that_ends_its_sending_is_gone(proxy, upstream):
    closed = []

    def script(peer, up):
        up.record(peer.take_head())
        closed.append(peer.is_closed_by_peer())
        up.record(b"closed")

    up = upstream(script)
    peer = proxy([up.port]).connect()
    peer.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    up.wait_for(lambda u: len(u.heads) == 1)
    peer.sock.shutdown(1)
    up.wait_for(lambda u: len(u.heads) == 2)
    assert closed == [True] and peer.take_rest() == b""


def test_a_half_closed_client_gets_its_answer_where_the_settings_say_so(proxy, upstream):
    up = upstream(answer_with(OK))
    peer = proxy([up.port], settings={"answerHalfClosed": True}).connect()
    peer.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n")
    peer.sock.shutdown(1)
    assert peer.take_rest().count(b"HTTP/1.1 200 OK") == 2


BIG = 64 * 1024 * 1024


def test_a_slow_reader_does_not_make_the_proxy_grow(proxy, upstream):
    block = bytes(range(256)) * 256

    def script(peer, up):
        peer.take_head()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % BIG)
        for _ in range(BIG // len(block)):
            peer.send(block)
        peer.take_head()

    p = proxy([upstream(script).port])
    before = p.rss_kib()
    peer = p.connect(rcvbuf=8192)
    peer.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    peer.take_head()
    got, digest = len(peer.data), hashlib.sha1(peer.data)
    peer.data = b""
    while got < BIG:
        piece = peer.sock.recv(1 << 20)
        assert piece
        digest.update(piece)
        got += len(piece)
    assert digest.digest() == hashlib.sha1(block * (BIG // len(block))).digest()
    assert p.rss_kib() - before < 16 * 1024


def test_a_slow_reader_does_not_keep_its_task_from_others(proxy, upstream):
    """The task has one connection at a time, and takes the next when the proxy has let go of it. The first client reads
    nothing, so that one of its answers waits in the proxy: whatever the kernel takes, they are more than that."""
    rounds, body = 300, bytes(range(256)) * 128
    one_at_a_time = threading.Lock()

    def script(peer, up):
        with one_at_a_time:
            head = peer.take_head()
            up.record(head)
            peer.send(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
            peer.take_rest()

    up = upstream(script)
    p = proxy([up.port], settings={"timeouts": {"bodyMs": 1000 * DEADLINE_S, "responseMs": 1000 * DEADLINE_S}})
    slow, other = p.connect(rcvbuf=8192), p.connect()
    slow.send(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n" * rounds)
    for _ in range(rounds):
        other.send(b"GET /other HTTP/1.1\r\nHost: a\r\n\r\n")
        assert status(other.take_head()) == 200 and other.take(len(body)) == body
    assert sum(head.startswith(b"GET /slow") for head in up.heads) < rounds  # it is blocked
    for _ in range(rounds):
        assert status(slow.take_head()) == 200 and slow.take(len(body)) == body


def test_a_slow_endpoint_does_not_make_the_proxy_grow(proxy, upstream):
    release = threading.Event()
    digest = hashlib.sha1()

    def script(peer, up):
        peer.take_head()
        up.record(b"head")
        release.wait(DEADLINE_S)
        digest.update(peer.data)
        got = len(peer.data)
        while got < BIG:
            piece = peer.sock.recv(1 << 20)
            if not piece:
                return
            digest.update(piece)
            got += len(piece)
        peer.send(OK)

    p = proxy([upstream(script).port])
    before = p.rss_kib()
    peer = p.connect()
    block = bytes(range(256)) * 256

    def send_all():
        peer.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % BIG)
        for _ in range(BIG // len(block)):
            peer.send(block)

    sender = threading.Thread(target=send_all)
    sender.start()
    release.set()
    sender.join()
    assert status(peer.take_head()) == 200
    assert digest.digest() == hashlib.sha1(block * (BIG // len(block))).digest()
    assert p.rss_kib() - before < 16 * 1024


def answer_and_hold(go):
    """Answers at once, but requests for /held only after `go`."""

    def script(peer, up):
        while head := peer.take_head():
            up.record(head)
            if head.startswith(b"GET /held "):
                go.wait(DEADLINE_S)
            peer.send(OK)

    return script


def is_answered(peer):
    peer.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    return status(peer.take_head()) == 200 and peer.take(2) == b"ok"


def test_running_out_of_descriptors_sheds_those_that_asked_nothing_and_serves_on(proxy, upstream):
    """The first client has a request in hand while the crowd comes. Between two requests it would be idle, and might go
    too when all of the crowd are so new that a request of theirs may be on its way."""
    go = threading.Event()
    up = upstream(answer_and_hold(go))
    limit = 64
    p = proxy([up.port], preexec=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit)))
    first = p.connect()
    assert is_answered(first)
    first.send(b"GET /held HTTP/1.1\r\nHost: a\r\n\r\n")
    up.wait_for(lambda u: len(u.heads) == 2)
    crowd = [p.connect() for _ in range(limit * 2)]
    assert is_answered(crowd[-1])  # so all of them have had their turn
    assert crowd[0].is_closed_by_peer()
    go.set()
    assert status(first.take_head()) == 200 and first.take(2) == b"ok"
    for _ in range(10):
        assert is_answered(first)
    for one in crowd:
        one.close()
    assert p.get()[0] == 200


def test_more_connections_than_allowed_are_closed_at_once_when_all_are_busy(proxy, upstream):
    go = threading.Event()
    up = upstream(answer_and_hold(go))
    p = proxy([up.port], settings={"limits": {"connectionsPerWorker": 4}, "clients": {"sharePercent": 100}})
    kept = [p.connect() for _ in range(4)]
    for peer in kept:
        peer.send(b"GET /held HTTP/1.1\r\nHost: a\r\n\r\n")
    up.wait_for(lambda u: len(u.heads) == 4)
    assert p.connect().is_closed_by_peer()
    go.set()
    assert [status(peer.take_head()) for peer in kept] == [200] * 4


def test_a_reload_under_load_fails_no_request(proxy, upstream):
    ups = [upstream(answer_with(OK)) for _ in range(3)]
    p = proxy([u.port for u in ups], workers=2)
    failures, stop = [], threading.Event()

    def load():
        peer = p.connect()
        try:
            while not stop.is_set():
                peer.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                head = peer.take_head()
                if not head or status(head) != 200 or peer.take(2) != b"ok":
                    failures.append(head)
                    return
        except OSError as error:
            failures.append(error)

    threads = [threading.Thread(target=load) for _ in range(8)]
    for t in threads:
        t.start()
    for i in range(50):
        p.document["services"][0]["endpoints"] = endpoints([u.port for j, u in enumerate(ups) if j != i % 3])
        p.document["routes"] = [{"host": "*", "path": "/", "service": "web"}, {"host": "*", "path": f"/r{i}", "service": "web"}]
        seen = sum(len(u.heads) for u in ups)
        p.reload()
        wait_until(lambda: failures or sum(len(u.heads) for u in ups) >= seen + 20, "traffic has gone on")
    stop.set()
    for t in threads:
        t.join()
    assert failures == []


def test_a_bad_snapshot_is_refused_whole_and_the_old_one_serves_on(proxy, upstream):
    up = upstream(answer_with(OK))
    p = proxy([up.port])
    assert p.get()[0] == 200  # the good one has been read
    p.document["routes"].append({"host": "*", "path": "/x", "service": "nobody"})
    p.reload()
    wait_until(lambda: "routes[1].service" in open(p.log_path).read(), "it has been read")
    assert p.get("/x")[0] == 200


def test_a_drain_finishes_what_is_in_hand(proxy, upstream):
    go = threading.Event()
    up = upstream(answer_and_hold(go))
    p = proxy([up.port])
    idle, peer = p.connect(), p.connect()
    assert is_answered(idle)
    peer.send(b"GET /held HTTP/1.1\r\nHost: a\r\n\r\n")
    up.wait_for(lambda u: len(u.heads) == 2)
    p.process.terminate()
    assert idle.is_closed_by_peer()  # the worker has begun to drain; the log says so before
    go.set()
    head = peer.take_head()
    assert status(head) == 200 and peer.take(2) == b"ok" and fields(head)["connection"] == ["close"]
    assert p.process.wait(DEADLINE_S) == 0


def test_the_access_log_has_a_json_line_for_each_request(proxy, upstream, tmp_path):
    up = upstream(answer_with(OK))
    log = tmp_path / "access.log"
    p = proxy([up.port], access_log=str(log))
    p.get("/a%22b?x=1")
    p.get("/none", host=b"a")
    p.stop()
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert [(l["status"], l["method"], l["service"], l["end"]) for l in lines] == [(200, "GET", "web", "complete")] * 2
    assert lines[0]["target"] == "/a%22b?x=1" and lines[0]["responseBytes"] == 2 and lines[0]["durationUs"] > 0


def test_requests_go_to_the_less_busy_endpoint(proxy, upstream):
    """One endpoint holds its requests: with two choices each time, the free one gets nearly all of the others."""
    go = threading.Event()

    def stuck(peer, up):
        while True:
            head = peer.take_head()
            if not head:
                return
            up.record(head)
            go.wait(10 * DEADLINE_S)
            peer.send(OK)

    slow, fast = upstream(stuck), upstream(answer_with(OK))
    p = proxy([slow.port, fast.port], settings={"timeouts": {"responseMs": 20_000 * DEADLINE_S}})
    peers = []
    try:
        while not slow.heads:
            peers.append(p.connect())
            before = len(fast.heads)
            peers[-1].send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            wait_until(lambda: slow.heads or len(fast.heads) > before, "one of them has it")
            if not slow.heads:  # as long as it has not been answered, the fast one is no less busy
                assert status(peers[-1].take_head()) == 200 and peers[-1].take(2) == b"ok"
        for _ in range(50):
            assert p.get()[0] == 200
        assert len(slow.heads) == 1
    finally:
        go.set()
