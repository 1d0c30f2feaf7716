"""`portico upgrade` and SIGUSR2: what stands at the program's path takes over, with the configuration as it is now."""

import contextlib
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import threading

import pytest

from conftest import OUT, free_port, get, is_refused, read_status, try_get, wait_until
from faults import Legitimate
from proxy_fixtures import upstream  # noqa: F401 (fixture)
from upgrades import Download, Programs, WebSocket, between_programs, is_streamed, proxies, streaming_task, upgrade


@pytest.fixture
def over():
    event = threading.Event()
    yield event
    event.set()


@pytest.fixture
def serving(make_portico, backend, upstream, over, tmp_path):  # noqa: F811
    """(portico, programs): a service on every host, and a streaming one on ws.test."""
    p, programs = make_portico(), Programs(tmp_path)
    p.program = programs.path
    up = upstream(streaming_task(over))
    stream = {"service": "stream", "address": f"127.0.0.1:{up.port}", "host": "ws.test", "path": "/"}
    p.write_endpoints([("web", backend.address), stream])
    p.start_and_wait()
    p.wait_serving()
    wait_until(lambda: is_streamed(p.port), "the streaming task is in rotation too")
    p.wait_metric("portico_publisher_unacked_seconds", lambda v: v == 0)  # in that of every worker
    return p, programs


def test_upgrades_under_load_fail_no_request_and_cut_no_socket(serving, over):
    p, programs = serving
    pid, first_proxy = p.process.pid, p.child("proxy")
    sockets, download = [WebSocket(p.port) for _ in range(4)], Download(p.port)
    load = Legitimate(p.port, duration_s=4, rate=300)
    assert upgrade(p) == (0, f"upgraded, process {pid}\n")
    programs.put_text("#!/bin/sh\necho this is not it >&2\nexit 1\n")
    assert upgrade(p) == (1, "portico upgrade: refused: this is not it\n")
    programs.put_good()
    assert upgrade(p)[0] == 0
    before = download.bytes
    wait_until(lambda: download.bytes > before, "the download goes on")
    report = load.result()
    assert report["requests"]["failed"] == 0, report
    assert all(s.echoes(b"still there") for s in sockets)
    assert first_proxy in proxies(p)  # it has the sockets
    over.set()
    download.join(60)
    assert download.is_whole
    for s in sockets:
        s.sock.close()
    wait_until(lambda: len(proxies(p)) == 1, "the old proxies have ended")
    assert p.metric("portico_upgrades_total") == 2
    p.wait_metric("portico_proxy_tunnels_open", lambda v: v == 0)


def test_listeners_workers_and_the_admin_address_follow_an_upgrade(serving):
    p, _ = serving
    old_port, old_admin = p.port, p.admin_port
    kept, new, admin = p.port, free_port(), free_port()
    p.config["listeners"].append({"name": "second", "address": f"127.0.0.1:{new}"})
    p.config["proxy"]["workers"] = 4
    p.config["admin"]["address"] = f"127.0.0.1:{admin}"
    p.write_config()
    assert upgrade(p)[0] == 0
    p.admin_port = admin
    assert p.metric("portico_proxy_workers") == 4
    assert try_get(new) == 200 and try_get(kept) == 200
    assert is_refused(old_admin)
    # Fewer workers, and a listener less. The sockets of one that stays are all kept: somebody may wait in each.
    p.config["listeners"] = p.config["listeners"][1:]
    p.config["proxy"]["workers"] = 1
    p.write_config()
    assert upgrade(p)[0] == 0
    assert p.metric("portico_proxy_workers") == 1
    assert all(try_get(new) == 200 for _ in range(20))
    wait_until(lambda: is_refused(old_port), "the listener that is gone is closed")


@pytest.mark.parametrize("fault, said", [
    ("program", "Exec format error"),
    ("configuration", "listeners: "),
    ("port", "Address already in use"),
    ("account", "the new proxy ended before it served"),
    ("state folder", "stateDir: is "),
])
def test_what_cannot_serve_leaves_the_old_one_serving(serving, fault, said):
    p, programs = serving
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        if fault == "program":
            programs.put_text("not a program")
        elif fault == "configuration":
            p.write_config('{"listeners": [], "stateDir": "%s"}' % p.config["stateDir"])
        elif fault == "port":
            p.config["listeners"].append({"name": "b", "address": f"127.0.0.1:{taken.getsockname()[1]}"})
            p.write_config()
        elif fault == "state folder":
            p.config["stateDir"] += "-elsewhere"
            p.write_config()
        else:
            if os.getuid() != 0:
                pytest.skip("only root changes accounts")
            p.config["proxy"]["user"] = "no-such-account"
            p.write_config()
        old = p.child("proxy")
        p.send(signal.SIGUSR2)
        wait_until(lambda: "upgrade refused: " in p.log(), "the refusal")
    refusal = [line for line in p.log().splitlines() if "upgrade refused: " in line]
    assert len(refusal) == 1 and said in refusal[0]
    assert p.child("proxy") == old and try_get(p.port) == 200
    wait_until(p.is_ready, "and control, which may have been started again")
    # All is as before: the next one works.
    p.config["proxy"].pop("user", None)
    p.config["stateDir"] = str(p.folder / "state")
    p.config["listeners"] = p.config["listeners"][:1]
    p.write_config()
    programs.put_good()
    assert upgrade(p)[0] == 0
    assert try_get(p.port) == 200


def test_a_reload_before_an_upgrade_is_final_leaves_the_copy_to_the_program_before(serving, tmp_path):
    p, _ = serving
    copy = p.folder / "state" / "config.last-good.yaml"
    before = copy.read_text()
    with socket.socket(socket.AF_UNIX) as engine:  # it takes connections and answers nothing: the first list never comes
        engine.bind(str(tmp_path / "docker.sock"))
        os.chmod(tmp_path / "docker.sock", 0o666)
        engine.listen(64)
        p.config["docker"] = {"endpoint": f"unix://{tmp_path}/docker.sock"}
        p.write_config()
        p.send(signal.SIGUSR2)
        wait_until(lambda: len(re.findall(r" control\[\d+\] is ready", p.log())) == 2, "the new control runs")
        p.config["proxy"]["retries"] = 3
        p.write_config()
        p.send(signal.SIGHUP)
        wait_until(lambda: "configuration read again" in p.log(), "it has the new settings")
        assert "upgrade refused" not in p.log() and "upgrade done" not in p.log()
        assert copy.read_text() == before


def test_a_configuration_with_problems_is_told_to_who_asks_for_the_upgrade(serving):
    p, _ = serving
    p.write_config("{broken")
    code, said = upgrade(p)
    assert code == 2 and "portico.json:2:1: document" in said
    assert "upgrade" not in p.log()


def test_a_configuration_that_goes_bad_after_its_trial_loses_no_proxy(serving):
    p, programs = serving
    oldest = WebSocket(p.port)
    assert upgrade(p)[0] == 0
    served, before = p.child("proxy"), sorted(proxies(p))
    newest = WebSocket(p.port)
    good = p.config_path.read_text()
    programs.put_text(between_programs(OUT / "portico", f"open({str(p.config_path)!r}, 'w').write('{{broken')"))
    assert upgrade(p) == (1, "portico upgrade: refused: the configuration has problems\n")
    wait_until(p.is_ready, "control has started again")
    assert sorted(proxies(p)) == before and oldest.echoes(b"a") and newest.echoes(b"b")
    assert get(p.port)[0] == 200 and "supervisor is gone" not in p.log()
    p.write_config(good)
    programs.put_good()
    assert upgrade(p)[0] == 0
    assert served in proxies(p) and oldest.echoes(b"c") and newest.echoes(b"d")


def blocked_signals(pid):
    return int(read_status(pid)["SigBlk"], 16)


def test_no_signal_is_blocked_after_an_upgrade_or_a_refusal(serving):
    p, programs = serving
    broken = f"open({str(p.config_path)!r}, 'w').write('{{broken')"  # so that it goes back
    for do, code in (("pass", 0), (broken, 1)):
        programs.put_text(between_programs(OUT / "portico", do))
        assert upgrade(p)[0] == code
        wait_until(p.is_ready, "control has started, and watches for its own")
        # For a moment some are: while a thread is made.
        wait_until(lambda: not any(blocked_signals(pid) for pid in (p.process.pid, p.child("control"), p.child("proxy"))), "none is")


def test_a_signal_that_comes_between_two_programs_reaches_the_second(serving):
    p, programs = serving
    programs.put_text(between_programs(OUT / "portico", """
open(path + ".between", "w").close()
while not os.path.exists(path + ".go"):
    time.sleep(0.01)
"""))
    p.send(signal.SIGUSR2)
    wait_until(pathlib.Path(f"{programs.path}.between").exists, "neither the old program nor the new one runs")
    p.send(signal.SIGTERM)
    pathlib.Path(f"{programs.path}.go").touch()
    assert p.wait_exit() == 0
    assert "stopping: requests in progress" in p.log()


def test_a_proxy_that_dies_while_an_upgrade_is_tried_is_an_error_in_the_log(serving):
    p, programs = serving
    old = p.child("proxy")
    programs.put_text("#!/bin/sh\nwhile [ ! -e \"$0.go\" ]; do sleep 0.01; done\nexit 1\n")
    p.send(signal.SIGUSR2)
    wait_until(lambda: "upgrade: looking at" in p.log(), "the trial")
    os.kill(old, signal.SIGKILL)
    p.wait_for_new("proxy", old)
    pathlib.Path(f"{programs.path}.go").touch()
    wait_until(lambda: "upgrade refused" in p.log(), "its end")
    line, = [line for line in p.log().splitlines() if f"proxy[{old}] ended" in line]
    assert " ERROR " in line
    p.wait_serving()


def test_an_upgrade_of_nobody_says_so(make_portico):
    p = make_portico()
    code, said = upgrade(p)
    assert code == 1 and "no supervisor" in said


def test_counters_survive_an_upgrade(serving):
    p, _ = serving
    for _ in range(10):
        get(p.port)
    before = p.metric("portico_proxy_connections_accepted_total")
    for _ in range(3):
        assert upgrade(p)[0] == 0
        get(p.port)
    assert p.metric("portico_proxy_connections_accepted_total") >= before + 3


def test_a_stop_ends_the_proxies_of_earlier_upgrades_too(serving):
    p, _ = serving
    p.config["proxy"]["timeouts"]["drain"] = "100ms"
    p.write_config()
    kept = WebSocket(p.port)
    assert upgrade(p)[0] == 0
    assert len(proxies(p)) == 2
    p.send(signal.SIGTERM)
    assert p.wait_exit() == 3  # the tunnel was cut off
    assert kept.sock.recv(1) == b""


def test_a_replaced_proxy_that_crashes_is_an_error_in_the_log(serving):
    p, _ = serving
    kept, old = WebSocket(p.port), p.child("proxy")
    assert upgrade(p)[0] == 0
    os.kill(old, signal.SIGABRT)
    with contextlib.suppress(ConnectionError):
        assert kept.sock.recv(1) == b""
    ended = f"proxy[{old}] of before an upgrade ended: signal 6"
    line, = wait_until(lambda: [line for line in p.log().splitlines() if ended in line], "its end")
    assert " ERROR " in line
    assert get(p.port)[0] == 200


def test_tunnels_of_a_proxy_that_was_replaced_have_a_limit_of_their_own(make_portico, upstream, over):  # noqa: F811
    p = make_portico(proxy={"workers": 1, "timeouts": {"retiredTunnel": "1s"}})
    up = upstream(streaming_task(over))
    p.write_endpoints([{"service": "stream", "address": f"127.0.0.1:{up.port}", "host": "ws.test", "path": "/"}])
    p.start_and_wait()
    wait_until(lambda: is_streamed(p.port), "the task is in rotation")
    kept, download = WebSocket(p.port), Download(p.port)
    assert upgrade(p)[0] == 0
    assert kept.sock.recv(1) == b""
    before = download.bytes
    wait_until(lambda: download.bytes > before, "the download goes on")
    over.set()
    download.join(60)
    assert download.is_whole


@pytest.mark.skipif(os.getuid() != 0, reason="a process id namespace needs root")
def test_process_1_upgrades_itself(make_portico, backend, tmp_path):
    namespace = ("unshare", "--pid", "--fork", "--kill-child", "--mount-proc")
    if subprocess.run([*namespace, "true"], capture_output=True).returncode != 0:
        pytest.skip("root without CAP_SYS_ADMIN makes no process id namespace")
    p = make_portico()
    p.write_endpoints([("web", backend.address)])
    p.start_and_wait(*namespace)
    p.wait_serving()
    task = pathlib.Path(f"/proc/{p.process.pid}/task/{p.process.pid}/children")
    inner = int(task.read_text().split()[0])
    with contextlib.closing(socket.create_connection(("127.0.0.1", p.port))) as kept:
        os.kill(inner, signal.SIGUSR2)
        wait_until(lambda: "upgrade done" in p.log(), "the upgrade")
        kept.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert kept.recv(12) == b"HTTP/1.1 200"
    assert get(p.port)[0] == 200
    os.kill(inner, signal.SIGTERM)
    assert p.wait_exit() == 0
    assert json.loads(p.config_path.read_text())["listeners"]
