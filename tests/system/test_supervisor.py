"""The supervisor binds, starts, restarts and stops."""

import contextlib
import os
import pathlib
import re
import select
import signal
import socket
import threading
import time

import pytest

from conftest import SLOWNESS, Load, free_port, get, is_alive, is_refused, read_status, try_get, wait_until
from proxy_alone import OK
from proxy_fixtures import upstream  # noqa: F401 (fixture)

RESTARTS_MAX = 4  # measured: what else the machine does only ever makes one slower


@contextlib.contextmanager
def taken_port(reuse_port):
    with socket.socket() as s:
        if reuse_port:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        s.bind(("127.0.0.1", 0))
        s.listen()
        yield s.getsockname()[1]


@pytest.mark.parametrize("reuse_port", [False, True])
def test_a_listener_port_in_use_is_one_clear_line_and_exit_code_2(make_portico, reuse_port):
    with taken_port(reuse_port) as port:
        p = make_portico(port=port).start()
        assert p.wait_exit() == 2
    assert p.log() == f"portico: listeners[0].address 127.0.0.1:{port}: Address already in use\n"


def test_an_admin_port_in_use_is_refused_in_the_same_way(make_portico):
    with taken_port(False) as port:
        p = make_portico(admin_port=port).start()
        assert p.wait_exit() == 2
    assert p.log() == f"portico: admin.address 127.0.0.1:{port}: Address already in use\n"


def test_two_installations_cannot_share_a_port_by_accident(make_portico, portico):
    second = make_portico(port=portico.port).start()
    assert second.wait_exit() == 2
    assert "Address already in use" in second.log()
    assert get(portico.port)[0] == 200


def test_a_bad_configuration_is_told_whole_and_nothing_is_started(make_portico):
    p = make_portico()
    p.write_config('{"listeners": [{"address": "nowhere"}], "proxi": {}}')
    p.start()
    assert p.wait_exit() == 2
    assert "proxi" in p.log() and "nowhere" in p.log()


@pytest.mark.skipif(os.getuid() != 0, reason="only root changes accounts")
def test_an_unknown_account_ends_the_first_start(make_portico):
    p = make_portico(proxy={"user": "no-such-account", "workers": 1}).start()
    assert p.wait_exit() == 2
    assert "there is no account 'no-such-account'" in p.log()


def freeze(pid):
    """When it returns, no thread of the process takes a connection or a request any more."""
    os.kill(pid, signal.SIGSTOP)
    wait_until(lambda: all(read_status(pid, tid)["State"][0] == "T" for tid in os.listdir(f"/proc/{pid}/task")), "stopped")


def kill_proxy_under_load(portico, load):
    """(when, seconds until the first answer to a request made after that)."""
    freeze(wait_until(lambda: portico.child("proxy"), "a proxy"))
    killed_at = time.monotonic()
    old = portico.kill("proxy")
    portico.wait_for_new("proxy", old)
    wait_until(lambda: load.answered_at[-1][0] > killed_at, "an answer to a request made after the kill")
    first = min(end for began, end in load.answered_at if began > killed_at)
    load.wait_for_more(20)
    # What was under way died with the process; what came afterwards stood in the queue of the listening sockets.
    assert not [f for f in load.failures if f[0] > killed_at]
    return killed_at, first - killed_at


def test_a_killed_proxy_serves_again_within_a_second(portico):
    spent_s = []
    with Load(portico.port) as load:
        while len(spent_s) < RESTARTS_MAX and (not spent_s or min(spent_s) >= 1.0 * SLOWNESS):
            killed_at, spent = kill_proxy_under_load(portico, load)
            spent_s.append(spent)
    assert min(spent_s) < 1.0 * SLOWNESS, spent_s
    assert not [f for f in load.failures if f[0] > killed_at]
    portico.wait_metric("portico_proxy_restarts_total", lambda v: v == len(spent_s))


def test_counters_survive_the_death_of_the_proxy(portico):
    for _ in range(10):
        get(portico.port)
    before = portico.metric("portico_proxy_connections_accepted_total")
    assert before >= 10
    old = portico.kill("proxy")
    portico.wait_for_new("proxy", old)
    portico.wait_serving()
    assert portico.metric("portico_proxy_connections_accepted_total") > before


def test_a_killed_control_costs_no_request_and_comes_back(portico, backends):
    old = portico.child("control")
    with Load(portico.port) as load:
        portico.kill("control")
        portico.wait_for_new("control", old)
        wait_until(portico.is_ready, "the new control is ready")
        portico.wait_metric("portico_publisher_acks_total", lambda v: v >= 1)
        load.wait_for_more(50)
    assert load.failures == []
    assert portico.metric("portico_control_restarts_total") == 1
    other = backends()
    portico.write_endpoints([{"service": "other", "address": other.address, "host": "other.test", "path": "/"}])
    wait_until(lambda: portico.serves(host="other.test"), "the new control takes changes over")


def test_the_admin_port_is_never_free_while_control_restarts(portico):
    portico.kill("control")
    with socket.socket() as s:
        with pytest.raises(OSError):
            s.bind(("127.0.0.1", portico.admin_port))
    assert get(portico.admin_port, "/healthz")[0] == 200  # waited in the queue for the new one


def test_both_children_killed_together_come_back(portico):
    old = portico.kill("control"), portico.kill("proxy")
    portico.wait_for_new("control", old[0])
    portico.wait_for_new("proxy", old[1])
    portico.wait_serving()


def test_a_child_that_keeps_dying_is_started_with_growing_delay(portico):
    def kill_once_more():
        portico.wait_for_new("proxy", portico.kill("proxy"))
        log = portico.log()
        return "proxy: next start in 100 ms" in log and "proxy: next start in 200 ms" in log

    assert not kill_once_more()  # the first time it is started without any delay
    wait_until(kill_once_more, "growing delays")  # one that has lived for 10 s begins anew: on a slow machine, more kills
    portico.wait_serving()


def test_a_child_that_is_killed_while_it_starts_is_back_soon_however_often(portico):
    for role in ["proxy"] * 12 + ["control"] * 12:
        portico.wait_for_new(role, portico.kill(role))
    portico.wait_serving()
    delays = {int(ms) for ms in re.findall(r"next start in (\d+) ms", portico.log())}
    assert delays <= {100, 200, 250}


def test_children_stop_when_the_supervisor_is_killed(portico):
    children = [portico.child("control"), portico.child("proxy")]
    assert all(children)
    portico.send(signal.SIGKILL)
    portico.wait_exit()
    wait_until(lambda: not any(map(is_alive, children)), "both children have ended")


@pytest.fixture
def start_held(make_portico, upstream):  # noqa: F811
    """start_held(drain) -> (portico, release, thread, result): a request is in flight, which its endpoint answers when
    `release` is set and not before; result gets its status, or None."""
    release = threading.Event()

    def script(peer, up):
        while head := peer.take_head():
            if head.startswith(b"GET /held "):
                release.wait()
            peer.send(OK)

    def start(drain):
        p, result = make_portico(proxy={"workers": 2, "timeouts": {"drain": drain, "response": "10m"}}), []
        p.write_endpoints([("web", f"127.0.0.1:{upstream(script).port}")])
        p.start_and_wait()
        p.wait_serving()
        thread = threading.Thread(target=lambda: result.append(try_get(p.port, "/held", timeout_s=600)), daemon=True)
        thread.start()
        wait_until(lambda: 'portico_in_flight{service="web"} 1\n' in p.admin("/metrics")[1], "in flight")
        return p, release, thread, result

    yield start
    release.set()


def test_sigterm_lets_a_request_in_flight_end(start_held):
    p, release, thread, result = start_held("10m")
    p.send(signal.SIGTERM)
    wait_until(lambda: is_refused(p.port), "new connections are refused: nobody would take them from the queue")
    assert result == []
    release.set()
    assert p.wait_exit() == 0
    thread.join(60)
    assert result == [200]


def test_a_proxy_that_crashes_while_it_drains_is_an_error_in_the_log(start_held):
    p, _, thread, _ = start_held("10m")
    proxy = p.child("proxy")
    p.send(signal.SIGTERM)
    wait_until(lambda: "stopping: requests in progress" in p.log(), "it drains")
    os.kill(proxy, signal.SIGABRT)
    assert p.wait_exit() == 0
    line, = [line for line in p.log().splitlines() if f"proxy[{proxy}] ended: signal 6" in line]
    assert " ERROR " in line
    thread.join(60)


def test_the_drain_has_an_end(start_held):
    p, _, thread, result = start_held("1s")
    began = time.monotonic()
    p.send(signal.SIGTERM)
    assert p.wait_exit() == 3  # something was cut off
    assert 0.9 < time.monotonic() - began < 20  # without the setting it is 30 s
    assert "drain time is over" in p.log()
    thread.join(60)
    assert result == [None]


@pytest.mark.parametrize("numbers", [[signal.SIGQUIT], [signal.SIGTERM, signal.SIGTERM], [signal.SIGINT, signal.SIGTERM]])
def test_sigquit_or_a_second_sigterm_stops_at_once(start_held, numbers):
    p, _, thread, result = start_held("10m")
    children = [p.child("control"), p.child("proxy")]
    for i, number in enumerate(numbers):
        p.send(number)
        if i + 1 < len(numbers):
            wait_until(lambda: "stopping" in p.log(), "the first signal was seen")
    assert p.wait_exit() == 0  # the drain would last for longer than this waits
    assert all(children) and not any(map(is_alive, children))
    thread.join(60)
    assert result == [None]


def test_readyz_fails_while_the_proxy_stands_still(make_portico):
    p = make_portico(proxy={"workers": 2, "timeouts": {"watchdog": "1h"}})
    p.start_and_wait()
    pid = p.child("proxy")
    freeze(pid)
    wait_until(lambda: try_get(p.admin_port, "/readyz") == 503, "not ready")
    assert "no sign of life" in p.admin("/readyz")[1]
    os.kill(pid, signal.SIGCONT)
    wait_until(p.is_ready, "ready again")


@pytest.mark.long
def test_processes_that_stand_still_are_started_again(make_portico, backend):
    p = make_portico(proxy={"workers": 1, "timeouts": {"watchdog": "10s"}})
    p.write_endpoints([("web", backend.address)])
    p.start_and_wait()
    p.wait_serving()
    old = {role: p.child(role) for role in ("control", "proxy")}
    for pid in old.values():
        freeze(pid)
    for role, pid in old.items():
        p.wait_for_new(role, pid)
        assert f"{role}[{pid}]: no sign of life" in p.log()
    p.wait_serving()
    wait_until(p.is_ready, "ready")


def test_silent_admin_clients_keep_nobody_waiting(portico):
    def is_answered_before_the_silent_ones_are_due():
        silent = [socket.create_connection(("127.0.0.1", portico.admin_port), 60) for _ in range(100)]
        for one in silent[::2]:
            with contextlib.suppress(OSError):
                one.sendall(b"GET /healthz HTT")
        status = try_get(portico.admin_port, "/healthz")
        is_closed = select.select([silent[61]], [], [], 0)[0]  # one of the last 64: it makes no room before it is due
        for one in silent:
            one.close()
        return status == 200 and not is_closed

    wait_until(is_answered_before_the_silent_ones_are_due, "answered in time")


def test_both_killed_answer_no_503_before_the_first_probes(portico):
    freeze(portico.child("proxy"))
    control, proxy = portico.kill("control"), portico.kill("proxy")
    portico.wait_for_new("control", control)
    portico.wait_for_new("proxy", proxy)
    assert get(portico.port)[0] == 200  # waited in the queue


@pytest.mark.skipif(os.getuid() != 0, reason="only root has capabilities to lose")
def test_root_without_capabilities_says_what_is_missing_and_serves(make_portico, backend):
    p = make_portico()
    p.write_endpoints([("web", backend.address)])
    p.start_and_wait("setpriv", "--bounding-set=-all", "--inh-caps=-all")
    p.wait_serving()
    assert "the account is not changed, for want of CAP_SETUID CAP_SETGID CAP_KILL" in p.log()
    status = read_status(p.child("proxy"))
    assert status["CapEff"].strip("0") == "" and status["NoNewPrivs"] == "1" and status["Seccomp"] == "2"


def test_nothing_is_left_behind(portico):
    children = [portico.child("control"), portico.child("proxy")]
    portico.send(signal.SIGTERM)
    assert portico.wait_exit() == 0
    assert all(children) and not any(map(is_alive, children))
    for port in (portico.port, portico.admin_port):
        with socket.socket() as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            s.bind(("127.0.0.1", port))


@pytest.mark.skipif(os.getuid() != 0, reason="a process id namespace needs root")
def test_as_process_1_it_reaps_orphans_and_stops_on_sigterm(make_portico, backend):
    p = make_portico()
    p.write_endpoints([("web", backend.address)])
    p.start_and_wait("unshare", "--pid", "--fork", "--kill-child", "--mount-proc")
    p.wait_serving()
    task = pathlib.Path(f"/proc/{p.process.pid}/task/{p.process.pid}/children")
    inner = int(task.read_text().split()[0])
    assert pathlib.Path(f"/proc/{inner}/status").read_text().count("NSpid:") == 1
    children = pathlib.Path(f"/proc/{inner}/task/{inner}/children")
    own = set(children.read_text().split())
    # An orphan in the namespace: its parent ends at once.
    os.system(f"nsenter -t {inner} -p sh -c 'sleep 0.3 & exit 0'")
    wait_until(lambda: set(children.read_text().split()) <= own, "no zombie is left")
    os.kill(inner, signal.SIGTERM)
    assert p.wait_exit() == 0


def test_listeners_are_bound_for_every_worker(make_portico, backend):
    ports = [free_port(), free_port()]
    p = make_portico(
        listeners=[{"name": f"l{i}", "address": f"127.0.0.1:{port}"} for i, port in enumerate(ports)],
        proxy={"workers": 3},
    )
    p.write_endpoints([("web", backend.address)])
    p.start_and_wait()
    for port in ports:
        wait_until(lambda: try_get(port) == 200, "serves")
    hexadecimal = [f"0100007F:{port:04X}" for port in ports]

    def listening_counts():
        with open("/proc/net/tcp") as f:
            rows = [line.split() for line in f if " 0A " in line]
        return [sum(row[1] == h for row in rows) for h in hexadecimal]

    # Read in pieces: while others open and close sockets, one look may miss a row.
    wait_until(lambda: listening_counts() == [3, 3], "three sockets for each")
