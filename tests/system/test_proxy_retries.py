"""Which requests are sent a second time, how often, and for how long."""
import collections
import selectors
import threading
import time

from proxy_alone import DEADLINE_S, OK, answer_with, closed_port, endpoints, fields, status
from proxy_fixtures import proxy, upstream  # noqa: F401 (fixtures)
from real_programs import wait_until


def dies_after_the_request(body_len=0):
    def script(peer, up):
        up.record(peer.take_head() + peer.take(body_len))

    return script


def takes_body_and_answers(body_len):
    def script(peer, up):
        while head := peer.take_head():
            up.record(head + peer.take(body_len))
            peer.send(OK)

    return script


def put(peer, body, pieces=1):
    peer.send(b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(body))
    for i in range(pieces):
        peer.send(body[i * len(body) // pieces:(i + 1) * len(body) // pieces])


def wait_readable(socks, count):
    """At least `count` of them, once so many are."""
    ready, deadline = [], time.monotonic() + DEADLINE_S
    with selectors.DefaultSelector() as selector:
        for sock in socks:
            selector.register(sock, selectors.EVENT_READ)
        while len(ready) < count and time.monotonic() < deadline:
            for key, _ in selector.select(deadline - time.monotonic()):
                selector.unregister(key.fileobj)
                ready.append(key.fileobj)
    assert len(ready) >= count, f"{len(ready)} of {count} answered"
    return ready


def test_a_small_put_that_comes_in_pieces_is_sent_again_whole(proxy, upstream):
    """The first endpoint asked breaks off behind the body, whichever it is; the second one gets all of it."""
    body = bytes(range(256)) * 32
    first_gone = threading.Event()

    def script(peer, up):
        head = peer.take_head()
        up.record(head + peer.take(len(body)))
        if first_gone.is_set():
            peer.send(OK)
        first_gone.set()

    ups = [upstream(script), upstream(script)]
    peer = proxy([u.port for u in ups]).connect()
    put(peer, body, pieces=7)
    assert status(peer.take_head()) == 200
    assert [u.heads[0].endswith(body) for u in ups] == [True, True]


def test_a_put_that_is_larger_than_what_is_kept_is_not_sent_again(proxy, upstream):
    body = bytes(64 << 10)
    ups = [upstream(dies_after_the_request(len(body))) for _ in range(2)]
    peer = proxy([u.port for u in ups]).connect()
    put(peer, body)
    assert status(peer.take_head()) == 502
    assert sum(len(u.heads) for u in ups) == 1


def test_with_replay_bytes_of_zero_a_body_is_never_sent_again(proxy, upstream):
    ups = [upstream(dies_after_the_request(5000)) for _ in range(2)]
    peer = proxy([u.port for u in ups], settings={"limits": {"replayBytes": 0}}).connect()
    put(peer, bytes(5000))
    assert status(peer.take_head()) == 502
    assert sum(len(u.heads) for u in ups) == 1


def test_an_endpoint_that_is_silent_for_a_try_loses_the_request_to_another(proxy, upstream):
    """The first endpoint asked says nothing, the other one answers. Asked anew if this process took so long that the
    time of the first try was over before the first had read, or that of both before the other had answered."""
    try_s, lock = 0.3, threading.Lock()
    read_at, answered_at = collections.defaultdict(list), {}

    def script(peer, up):
        head = peer.take_head()
        target = head.split(b" ")[1]
        with lock:
            read_at[target].append(time.monotonic())
            is_first = len(read_at[target]) == 1
            up.heads.append(target)
        if is_first:
            peer.take_rest()
        else:
            peer.send(OK)
            answered_at[target] = time.monotonic()

    ups = [upstream(script), upstream(script)]
    p = proxy([u.port for u in ups], settings={"timeouts": {"responseMs": int(try_s * 1000)}})
    for number in range(20):
        target, began = b"/%d" % number, time.monotonic()
        code = p.get(target.decode())[0]
        if code == 200:
            break
        was_first_silent = read_at[target] and read_at[target][0] < began + try_s
        was_late = not was_first_silent or answered_at.get(target, began + 2 * try_s) >= began + 2 * try_s
        assert code == 504 and was_late
    assert code == 200
    assert [u.heads.count(target) for u in ups] == [1, 1]


def test_all_tries_together_end_with_the_request_time_out(proxy, upstream):
    up = upstream(dies_after_the_request(1))  # waits for a byte that never comes
    p = proxy([up.port], settings={"timeouts": {"requestMs": 200, "responseMs": 60_000}})
    assert p.get()[0] == 504


def test_a_service_may_have_a_response_time_out_of_its_own(proxy, upstream):
    """One service has less time than all, the other what all have. A reload then gives that one less too, which the request that
    waits hears of."""
    def script(peer, up):
        if peer.take_head().startswith(b"GET /patient/answered "):
            up.wait_for(lambda u: b"go on" in u.heads)
            peer.send(OK)
        else:
            up.record(b"silent")
            peer.take_rest()

    up = upstream(script)
    quick, patient = ({"name": name, "endpoints": endpoints([up.port])} for name in ("quick", "patient"))
    quick["responseTimeoutMs"] = 100
    p = proxy([], settings={"retries": 0, "timeouts": {"responseMs": 3_600_000}}, services=[quick, patient],
              routes=[{"host": "*", "path": f"/{s['name']}", "service": s["name"]} for s in (quick, patient)])
    answered, silent = p.connect(), p.connect()
    answered.send(b"GET /patient/answered HTTP/1.1\r\nHost: a\r\n\r\n")
    assert p.get("/quick")[0] == 504
    up.record(b"go on")
    assert status(answered.take_head()) == 200
    before = up.heads.count(b"silent")
    silent.send(b"GET /patient HTTP/1.1\r\nHost: a\r\n\r\n")
    up.wait_for(lambda u: u.heads.count(b"silent") > before)
    patient["responseTimeoutMs"] = 100
    p.reload()
    assert status(silent.take_head()) == 504


def test_the_request_time_out_does_not_cut_a_response_that_has_begun(proxy, upstream):
    def script(peer, up):
        if peer.take_head().startswith(b"GET /silent "):
            peer.take_rest()
            return
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nhe")
        up.wait_for(lambda u: u.heads)
        peer.send(b"re")

    up, long = upstream(script), 20_000 * DEADLINE_S
    p = proxy([up.port], settings={"timeouts": {"requestMs": long, "responseMs": long, "bodyMs": long}})
    peer = p.connect()
    peer.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert status(peer.take_head()) == 200
    p.document["settings"]["timeouts"]["requestMs"] = 100
    p.reload()
    assert p.get("/silent")[0] == 504  # this one began later, and its time is over
    up.record(b"go on")
    assert peer.take(4) == b"here"


def test_retries_beyond_the_budget_are_not_made(proxy, upstream):
    """Many requests at once on a service whose endpoints all break off: the first three retries are free, the budget of 0 % allows
    no other while those are under way."""
    count, changed, tries = 40, threading.Condition(), [0]
    first_tries_die, retries_die = threading.Event(), threading.Event()

    def script(peer, _):
        peer.take_head()
        with changed:
            tries[0] += 1
            is_first_try = tries[0] <= count  # no retry before the first tries die
            changed.notify_all()
        (first_tries_die if is_first_try else retries_die).wait(DEADLINE_S)

    ups = [upstream(script) for _ in range(2)]
    p = proxy([u.port for u in ups], settings={"retryBudgetPercent": 0, "timeouts": {"responseMs": 600_000}})
    peers = [p.connect() for _ in range(count)]
    for peer in peers:
        peer.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    with changed:
        assert changed.wait_for(lambda: tries[0] == count, DEADLINE_S)
    first_tries_die.set()
    answered = wait_readable([peer.sock for peer in peers], count - 3)
    codes = [status(peer.take_head()) for peer in peers if peer.sock in answered]
    assert codes == [502] * (count - 3)
    with changed:
        assert changed.wait_for(lambda: tries[0] == count + 3, DEADLINE_S)
    retries_die.set()
    for peer in peers:
        peer.close()


def test_a_refused_connection_costs_no_more_than_the_allowed_tries(proxy):
    held = [closed_port() for _ in range(4)]
    code, head, _ = proxy([port for _, port in held], settings={"retries": 3}).get()
    assert code == 502 and fields(head)["connection"] == ["close"]
    for sock, _ in held:
        sock.close()


def answers_or_dies(go, dies):
    """Each request waits for `go`."""

    def script(peer, up):
        while head := peer.take_head():
            up.record(head)
            go.wait(DEADLINE_S)
            if dies:
                return
            peer.send(OK)

    return script


def ask_all(p, count):
    peers = [p.connect() for _ in range(count)]
    for peer in peers:
        peer.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    return peers


def test_one_of_two_endpoints_that_dies_loses_no_request_that_can_be_sent_again(proxy, upstream):
    """Half of all requests are in flight on it: more than the budget of 20 %."""
    go = threading.Event()
    dying, healthy = upstream(answers_or_dies(go, True)), upstream(answers_or_dies(go, False))
    p = proxy([dying.port, healthy.port])
    peers = ask_all(p, 40)
    wait_until(lambda: len(dying.heads) + len(healthy.heads) == 40, "all are in flight")
    assert len(dying.heads) > 8
    go.set()
    assert [status(peer.take_head()) for peer in peers] == [200] * 40


def test_pooled_connections_of_the_only_endpoint_that_break_at_once_fail_no_request(proxy, upstream):
    """As when a server reloads: it closes what it has kept, with requests on their way, and takes new connections."""
    count, requests, lock = 16, [0], threading.Lock()
    all_there = threading.Barrier(count)

    def script(peer, up):
        for turn in range(2):
            head = peer.take_head()
            with lock:
                requests[0] += bool(head)
                is_first_wave, is_second_wave = requests[0] <= count, count < requests[0] <= 2 * count
            if is_first_wave or is_second_wave:
                all_there.wait(DEADLINE_S)  # so that each has a connection of its own, and breaks with all others
            if not head or is_second_wave:
                return
            peer.send(OK)

    p = proxy([upstream(script).port], settings={"retries": 0})
    peers = ask_all(p, count)
    assert [(status(peer.take_head()), peer.take(2)) for peer in peers] == [(200, b"ok")] * count
    for peer in peers:
        peer.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert [(status(peer.take_head()), peer.take(2)) for peer in peers] == [(200, b"ok")] * count
    assert requests == [3 * count]


def test_of_a_service_whose_endpoints_all_die_one_endpoints_share_is_tried_again(proxy, upstream):
    count, go, retries_go, lock, tries = 40, threading.Event(), threading.Event(), threading.Lock(), [0]

    def script(peer, up):
        peer.take_head()
        with lock:
            is_first_try = tries[0] < count  # no retry before the first tries die
            if is_first_try:
                up.heads.append(b"")
            tries[0] += 1  # last: who sees it sees the heads too
        (go if is_first_try else retries_go).wait(DEADLINE_S)

    ups = [upstream(script) for _ in range(2)]
    p = proxy([u.port for u in ups], settings={"retryBudgetPercent": 1, "timeouts": {"responseMs": 600_000}})
    peers = ask_all(p, count)
    wait_until(lambda: tries[0] == count, "all are in flight")
    share = max(len(u.heads) for u in ups)
    go.set()
    answered = wait_readable([peer.sock for peer in peers], count - share)
    assert all(status(peer.take_head()) == 502 for peer in peers if peer.sock in answered)
    wait_until(lambda: tries[0] - count > 3, "more are tried again than is always allowed")
    assert tries[0] - count <= share
    retries_go.set()
    for peer in peers:
        peer.close()
