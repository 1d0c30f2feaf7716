"""Thousands of clients that misbehave, beside legitimate traffic of 200 requests a second that must not notice. Every
figure is printed (pytest -s); what is asserted is 10 times the p99 without them and 50 ms, since the machine that runs
this has other things to do: other tests run meanwhile."""
import contextlib
import json
import os
import resource
import time

import pytest

from conftest import SANITIZED, Backend, wait_until
from faults import Flood, Legitimate, failures_and_p99_ms
from proxy_alone import OK, answer_with, status
from proxy_fixtures import proxy, upstream  # noqa: F401 (fixtures)

SHARE = 10 if SANITIZED else 1  # a sanitizer's process is slow and large: a tenth of the crowd
MEASURE_S = 3
MEASUREMENTS_MAX = 10  # what else the machine does only ever makes one worse: the best tells
DISTURBED_MS = 100  # half of the grace that a new connection has before it may be shed
FOR_LONG_MS = 600000
MIB = 1 << 20
LIMITS = {"connectionsPerWorker": 19000}
BUFFER_CEILING_MIB = 64
RSS_GROWTH_MAX_MIB = 96  # what all of these may make the process grow by: buffers and connection objects
CONNECTION_BYTES_MAX = 512
STAGES = 5  # in which idle connections come
one_runner = pytest.mark.xdist_group("crowds")  # each of them is enough for a machine


@pytest.fixture(scope="module")
def endpoint():
    backend = Backend()
    yield backend
    backend.stop()


@pytest.fixture(scope="module")
def undisturbed(endpoint, tmp_path_factory):
    """p99 of legitimate traffic with nobody else there, in ms."""
    from proxy_alone import ProxyAlone

    one = ProxyAlone(tmp_path_factory.mktemp("undisturbed"), [endpoint.port])
    failed, p99_ms = failures_and_p99_ms(Legitimate(one.port, MEASURE_S).result())
    one.stop()
    assert failed == 0
    print(f"\nundisturbed: p99 {p99_ms:.2f} ms")
    return p99_ms


def start(proxy, endpoint, access_log="off", **settings):
    settings.setdefault("limits", {**LIMITS, "bufferBytesPerWorker": BUFFER_CEILING_MIB * MIB})
    settings.setdefault("clients", {"sharePercent": 100})  # all of them come from one address
    return proxy([endpoint.port], settings=settings, access_log=str(access_log))


def is_disturbed(report):
    """The load generator, or whom it talks to, has stood still for a while."""
    return max(report["lateness_us"]["max"], report["latency_from_sent_us"]["max"]) > DISTURBED_MS * 1000


def measure_beside(what, port, undisturbed_ms, is_shedding=False, **options):
    """No request may fail. A p99 out of bounds is measured once more: it may have been the machine's other work. So are
    failures where connections are shed, when the generator was too slow to ask in time on one that it had opened."""
    for _ in range(MEASUREMENTS_MAX):
        report = Legitimate(port, MEASURE_S, **options).result()
        failed, p99_ms = failures_and_p99_ms(report)
        print(f"\n{what}: {failed} failed, p99 {p99_ms:.2f} ms beside {undisturbed_ms:.2f} ms"
              f" ({'within' if p99_ms <= 2 * undisturbed_ms + 2 else 'NOT within'} twice + 2 ms)")
        assert failed == 0 or (is_shedding and is_disturbed(report)), (report["errors"], report["first_error"])
        if failed == 0 and p99_ms <= 10 * undisturbed_ms + 50:
            return
    raise AssertionError(f"p99 {p99_ms} ms beside {undisturbed_ms} ms, {failed} failed: {report['errors']}")


def grown_mib(p, before_kib):
    return (p.rss_kib() - before_kib) / 1024


@one_runner
def test_slow_heads_and_stalled_bodies_of_5000_clients_are_cut_and_nobody_else_notices(proxy, endpoint, undisturbed):
    p = start(proxy, endpoint, timeouts={"headMs": FOR_LONG_MS, "bodyMs": FOR_LONG_MS})  # until all have been looked at
    before, half = p.rss_kib(), 2500 // SHARE
    with Flood(p.port, "slow-heads", half) as heads, Flood(p.port, "stalled-bodies", half, path="/echo") as bodies:
        for flood in (heads, bodies):
            flood.wait_for(lambda s: s["open"] == half, "all of them are there")
        measure_beside(f"slowloris, {2 * half} connections", p.port, undisturbed)
        grown = grown_mib(p, before)
        p.document["settings"]["timeouts"] = {"headMs": 1000, "bodyMs": 1000}
        p.reload()
        for flood in (heads, bodies):
            flood.wait_for(lambda s: s["open"] == 0, "all have been cut")
        print(f"memory: {grown:.1f} MiB more; cut: {heads.state}, {bodies.state}")
        assert heads.state["4xx"] == half and bodies.state["4xx"] == half  # 408, to those that still listen
        assert SANITIZED or grown < RSS_GROWTH_MAX_MIB


@one_runner
def test_slow_readers_of_large_bodies_take_no_memory_and_nobody_else_notices(proxy, endpoint, undisturbed):
    p = start(proxy, endpoint)
    before, count = p.rss_kib(), 200 // SHARE
    with Flood(p.port, "slow-readers", count, bytes=1024, path="/?size=104857600") as flood:
        flood.wait_for(lambda s: s["answered"] == count, "each reads")
        measure_beside(f"{count} slow readers of 100 MiB", p.port, undisturbed)
        grown = grown_mib(p, before)
        print(f"memory: {grown:.1f} MiB more, {grown * 1024 / count:.0f} KiB each")
        assert flood.state["open"] == count  # 1 KiB/s is more than the least that is allowed
        assert SANITIZED or grown < BUFFER_CEILING_MIB + 8


def descriptor_count(p):
    return len(os.listdir(f"/proc/{p.process.pid}/fd"))


@pytest.mark.parametrize("mode,path", [("slow-bodies", "/echo"), ("slow-readers", "/?size=104857600")])
def test_a_body_below_the_least_rate_is_cut(proxy, endpoint, tmp_path, mode, path):
    """Seen from the proxy: a slow reader finds the end only behind what the kernel holds for it already."""
    log = tmp_path / "access.log"
    p = start(proxy, endpoint, log, limits={**LIMITS, "bodyBytesPerSecondMin": 20000}, timeouts={"bodyMs": 2000})
    before = descriptor_count(p)

    def cut_count():
        text = log.read_text()
        lines = text[:text.rfind("\n") + 1].splitlines()  # the last one may not be whole yet
        return sum(json.loads(line)["end"] == "body-timeout" for line in lines)

    with Flood(p.port, mode, 20, bytes=512, interval_ms=500, path=path) as flood:
        flood.wait_for(lambda s: s["opened"] == 20, "all of them are there")
        wait_until(lambda: cut_count() == 20, "all have been cut")
        wait_until(lambda: descriptor_count(p) < before + 20, "their connections are closed")


@pytest.mark.long
@pytest.mark.parametrize("mode,path", [("slow-bodies", "/echo"), ("slow-readers", "/?size=104857600")])
def test_a_slow_body_above_the_least_rate_is_not_cut(proxy, endpoint, mode, path):
    """8 KiB/s where 1000 bytes/s are asked for, looked at over more than twice the time-out. That one is so long that the
    clients may stand still for some seconds: the machine has other work."""
    p = start(proxy, endpoint, limits={**LIMITS, "bodyBytesPerSecondMin": 1000}, timeouts={"bodyMs": 6000})
    with Flood(p.port, mode, 20, bytes=1024, interval_ms=125, path=path) as flood:
        flood.wait_for(lambda s: s["opened"] == 20, "all of them are there")
        wait_until(lambda: descriptor_count(p) >= 40, "all have an endpoint")
        began = time.monotonic()
        while time.monotonic() < began + 14:
            assert descriptor_count(p) >= 40, f"cut after {time.monotonic() - began:.1f} s"
            assert p.get()[0] == 200
            time.sleep(0.05)  # between two looks
        assert flood.state["open"] == 20


@one_runner
def test_ten_thousand_idle_connections_cost_little_and_nobody_else_notices(proxy, endpoint, undisturbed):
    p = start(proxy, endpoint, timeouts={"idleMs": FOR_LONG_MS})
    count = 10000 // SHARE // STAGES
    with Flood(p.port, "idle", 64) as warm:  # what the process has at any rate: slabs, tables, pooled connections
        warm.wait_for(lambda s: s["2xx"] == 64, "each has had an answer")
    each, floods = [], []
    with contextlib.ExitStack() as stack:
        for _ in range(STAGES):
            before = p.rss_kib()
            floods.append(stack.enter_context(Flood(p.port, "idle", count)))
            floods[-1].wait_for(lambda s: s["2xx"] == count, "each has had an answer")
            each.append((p.rss_kib() - before) * 1024 / count)
        print(f"\nidle connections: {[round(n) for n in each]} bytes each, {count} at a time")
        measure_beside(f"{count * STAGES} idle connections", p.port, undisturbed)
        assert [flood.state["open"] for flood in floods] == [count] * STAGES
        # Where many requests met because somebody was slow, room for so many at once came to it: once, not each time.
        assert SANITIZED or sorted(each)[STAGES // 2] <= CONNECTION_BYTES_MAX


@one_runner
def test_connections_reset_in_every_phase_hurt_nobody_else(proxy, endpoint, undisturbed):
    p = start(proxy, endpoint)
    with Flood(p.port, "resets", 100, again=True, per_second=1500, path="/?size=60000") as flood:
        flood.wait_for(lambda s: s["resets"] > 500 // SHARE, "many resets")
        seen = flood.state["resets"]
        measure_beside("resets", p.port, undisturbed)
        print(f"resets: {flood.stop()['resets'] - seen} meanwhile")
    peer = p.connect()
    peer.send(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    assert status(peer.take_head()) == 200


@one_runner
def test_at_256_descriptors_idle_connections_are_shed_and_nobody_else_notices(proxy, endpoint, undisturbed):
    p = proxy([endpoint.port], preexec=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256)))
    with Flood(p.port, "idle", 400, again=True, per_second=500) as flood:
        flood.wait_for(lambda s: s["opened"] >= 400, "more of them than there are descriptors")
        measure_beside("no descriptor left", p.port, undisturbed, is_shedding=True)
        assert flood.stop()["open"] < 256
    wait_until(lambda: take_status(send_get(p)) == 200, "serves new connections")


def send_get(p):
    peer = p.connect()
    peer.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    return peer


def take_status(peer):
    """None: closed without an answer."""
    try:
        head = peer.take_head()
        return status(head) if head else None
    except ConnectionError:
        return None


def ask_each(p, count):
    """(so many clients of which each has asked as soon as it was there, the longest of these times in ms)"""
    peers, longest_ms = [], 0.0
    for _ in range(count):
        began = time.monotonic()
        peers.append(send_get(p))
        longest_ms = max(longest_ms, (time.monotonic() - began) * 1000)
    return peers, longest_ms


@one_runner
def test_at_the_descriptor_limit_idle_connections_are_shed_before_those_with_a_request(proxy, upstream):
    p = proxy([upstream(answer_with(OK)).port], preexec=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64)))
    rounds = 0
    for _ in range(MEASUREMENTS_MAX):
        idle, new, was_slow_ms = [], [], 0.0
        for _ in range(30):
            (peer,), took_ms = ask_each(p, 1)
            idle.append(peer)
            was_slow_ms = max(was_slow_ms, took_ms)
            is_answered = take_status(peer) == 200 and peer.take(2) == b"ok"
            assert is_answered or was_slow_ms > DISTURBED_MS
        new, took_ms = ask_each(p, 24)
        answers = [take_status(peer) for peer in new]
        for peer in idle + new:
            peer.close()
        # Who has not asked within 200 ms may be shed too, and this test may have stood still for so long.
        assert answers == [200] * len(new) or max(was_slow_ms, took_ms) > DISTURBED_MS
        rounds += answers == [200] * len(new)
        if rounds == 3:
            return
    raise AssertionError(f"only {rounds} rounds of {MEASUREMENTS_MAX} were not disturbed")


@one_runner
def test_at_256_descriptors_a_new_client_gets_its_answer_while_idle_ones_are_shed(proxy, endpoint, undisturbed):
    p = proxy([endpoint.port], preexec=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256)))
    with Flood(p.port, "idle", 400) as flood:
        flood.wait_for(lambda s: s["opened"] == 400, "more of them than there are descriptors")
        measure_beside("new connections, no descriptor left", p.port, undisturbed, is_shedding=True, rate=50,
                       options=["--one-per-connection"])


def test_a_reader_that_never_reads_does_not_hold_up_the_drain_for_ever(proxy, upstream):
    p = proxy([upstream(answer_with(OK)).port], settings={"timeouts": {"drainMs": 1500}})
    with Flood(p.port, "slow-heads", 50) as flood:
        flood.wait_for(lambda s: s["open"] == 50, "all of them are there")
        assert p.stop() == 0
