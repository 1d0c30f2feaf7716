"""One host with very many connections: others are served, and so is it. Clients here have addresses of their own, 127.0.0.N."""
import contextlib
import threading
import time

import pytest
from conftest import SANITIZED

from proxy_alone import DEADLINE_S, OK, answer_with, status
from proxy_fixtures import proxy, upstream  # noqa: F401 (fixtures)
from real_programs import wait_until

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
PLACES = 64
GRACE_S = 0.2  # GRACE_MS of proxy/client/shedding.c


def proxy_with_places(proxy, port, **clients):
    return proxy([port], settings={"limits": {"connectionsPerWorker": PLACES}, "clients": clients})


def is_served(peer):
    """False: it was closed instead."""
    with contextlib.suppress(ConnectionError):
        peer.send(GET)
        head = peer.take_head()
        return bool(head) and status(head) == 200 and peer.take(2) == b"ok"
    return False


def served_once(p, client):
    peer = p.connect(source=client)
    assert is_served(peer)
    return peer


def served_in_the_end(p, client):
    """One that was closed because nobody was idle for long enough comes again."""

    peers = []

    def ask():
        peers.append(p.connect(source=client))
        return is_served(peers[-1])

    wait_until(ask, f"{client} is served")
    return peers[-1]


def crowd_of(p, count):
    """Silent ones of 127.0.0.1, all accepted: the last of them has been served, and they are accepted in their order."""
    crowd = [p.connect(source="127.0.0.1") for _ in range(count - 1)]
    return [*crowd, served_once(p, "127.0.0.1")]


def wait_past_grace():
    """Until all that is idle now is so for longer than a request may be on its way. An age, not a guess: more is as good."""
    time.sleep(2 * GRACE_S)


def closed_of(peers):
    """How many the proxy has closed so far."""
    count = 0
    for peer in peers:
        peer.sock.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            count += peer.is_closed_by_peer()
    return count


def test_a_crowd_of_silent_connections_keeps_nobody_out(proxy, upstream):
    """It has all places."""
    p = proxy_with_places(proxy, upstream(answer_with(OK)).port, sharePercent=100)
    between_requests = served_once(p, "127.0.0.3")
    crowd = crowd_of(p, PLACES - 1)
    wait_past_grace()
    others = [served_once(p, "127.0.0.2"), served_once(p, "127.0.0.1")]
    assert is_served(between_requests)  # it had been idle for longer than any of the crowd
    assert closed_of(crowd) == len(others)


def test_who_comes_when_a_crowd_is_younger_than_what_is_left_alone_waits_and_is_served(proxy, upstream):
    p = proxy_with_places(proxy, upstream(answer_with(OK)).port, sharePercent=100)
    between_requests = served_once(p, "127.0.0.3")
    crowd = crowd_of(p, PLACES - 1)
    assert is_served(between_requests)  # on a slow machine too the crowd is idle for longer
    others = [served_once(p, "127.0.0.2"), served_once(p, "127.0.0.1")]
    assert is_served(between_requests)
    assert closed_of(crowd) == len(others)


def test_a_crowd_of_connections_between_two_requests_keeps_nobody_out(proxy, upstream):
    p = proxy_with_places(proxy, upstream(answer_with(OK)).port, sharePercent=100)
    silent = p.connect(source="127.0.0.3")
    crowd = [served_once(p, "127.0.0.1") for _ in range(PLACES - 1)]
    wait_past_grace()
    others = [served_once(p, f"127.0.0.{n}") for n in (2, 4, 5)]
    assert is_served(silent)
    assert closed_of(crowd) == len(others)


def test_an_address_that_has_its_share_gives_up_idle_connections_for_new_ones(proxy, upstream):
    p = proxy_with_places(proxy, upstream(answer_with(OK)).port)  # half of all by default
    crowd = [p.connect(source="127.0.0.1") for _ in range(PLACES // 2)]
    kept = served_in_the_end(p, "127.0.0.1")
    assert closed_of(crowd) == 1
    others = [served_once(p, "127.0.0.2") for _ in range(PLACES // 2)]
    assert is_served(kept) and all(is_served(peer) for peer in others)


def test_an_address_whose_share_is_busy_gets_no_more_and_others_do(proxy, upstream):
    go = threading.Event()

    def script(peer, up):
        while head := peer.take_head():
            up.record(head)
            if head.startswith(b"GET /held "):
                go.wait(DEADLINE_S)
            peer.send(OK)

    up = upstream(script)
    p = proxy_with_places(proxy, up.port, sharePercent=25)
    busy = [p.connect(source="127.0.0.1") for _ in range(PLACES // 4)]
    for peer in busy:
        peer.send(b"GET /held HTTP/1.1\r\nHost: a\r\n\r\n")
    up.wait_for(lambda u: len(u.heads) == len(busy))
    assert p.connect(source="127.0.0.1").is_closed_by_peer()
    assert is_served(p.connect(source="127.0.0.2"))
    go.set()
    assert [(status(peer.take_head()), peer.take(2)) for peer in busy] == [(200, b"ok")] * len(busy)


def test_a_trusted_proxy_has_no_share(proxy, upstream):
    p = proxy([upstream(answer_with(OK)).port], settings={"limits": {"connectionsPerWorker": PLACES}, "trustedProxies": ["127.0.0.1"]})
    peers = [served_once(p, "127.0.0.1") for _ in range(PLACES)]
    assert all(is_served(peer) for peer in peers)


@pytest.mark.skipif(SANITIZED, reason="a sanitizer keeps what is freed")
def test_memory_that_half_heads_took_is_given_back(proxy, upstream):
    p = proxy([upstream(answer_with(OK)).port], settings={"timeouts": {"headMs": 600_000}})
    served_once(p, "127.0.0.2").close()
    before = p.rss_kib()
    crowd = [p.connect(source="127.0.0.1") for _ in range(600)]
    for peer in crowd:
        peer.send(b"GET / HTTP/1.1\r\nHost: a\r\nX: " + bytes(b"x" * 14000))
    wait_until(lambda: p.rss_kib() > before + 8000, "they take memory")
    for peer in crowd:
        peer.close()
    wait_until(lambda: p.rss_kib() < before + 2000, "it is given back")
