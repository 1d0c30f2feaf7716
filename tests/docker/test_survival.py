"""A steady 200 requests/s, and something dies. Not one request may fail."""
import os
import signal
import subprocess
import time

import docker
import pytest

from conftest import own_containers
from engine import wait_until
from portico_run import IMAGE, get_once

WEB = {"name": "web", "image": IMAGE, "port": 8080, "desiredCount": 3, "stopTimeout": "2s", "deregistrationDelay": "10s"}


def identities(client, cluster):
    """Id and start time: a restarted container keeps the one and changes the other."""
    return {c.id: c.attrs["State"]["StartedAt"] for c in own_containers(client, cluster)}


@pytest.fixture
def serving(portico, load, cluster):
    p = portico([dict(WEB)])
    p.wait_routable(3)
    p.wait_served()
    traffic = load(p.port)
    traffic.wait_sent(200)
    return p, traffic


def test_killing_control_twice_fails_no_request_and_touches_no_container(serving, client, cluster):
    p, traffic = serving
    before = identities(client, cluster)
    for _ in range(2):
        old = p.kill_child("control")
        traffic.wait_sent(200)
        p.wait_new_child("control", old)
        p.wait_routable(3)
        traffic.wait_sent(600)
    assert traffic.stop() == []
    assert identities(client, cluster) == before


@pytest.mark.alone
def test_killing_the_proxy_serves_again_within_a_second(serving):
    """At least once in a few times: a busy machine only ever adds. The supervisor waits longer before each, at most
    0.25 s."""
    p, traffic = serving
    traffic.stop()
    took_s = []
    while len(took_s) < 5 and not (took_s and took_s[-1] < 1.0):
        old = p.kill_child("proxy")
        killed_at = time.monotonic()
        wait_until(lambda: get_once(p.port) == 200, "serving again", interval_s=0.005)
        took_s.append(time.monotonic() - killed_at)
        p.wait_new_child("proxy", old)
    assert min(took_s) < 1.0, took_s


def test_stopping_a_task_by_hand_fails_no_request_and_it_is_replaced(serving, client, cluster):
    p, traffic = serving
    victim = own_containers(client, cluster)[0]
    victim.stop(timeout=5)
    wait_until(lambda: victim.id not in [t["id"] for t in p.routable()] and len(p.routable()) == 3, "replaced")
    traffic.wait_sent(200)
    assert traffic.stop() == []


def test_restarting_all_tasks_but_one_fails_no_request(serving, client, cluster):
    p, traffic = serving
    for container in own_containers(client, cluster)[1:]:
        container.restart(timeout=5)
    traffic.wait_sent(400)
    p.wait_routable(3)
    assert traffic.stop() == []


def test_fifty_reloads_with_a_changed_route_fail_no_request(serving):
    p, traffic = serving
    for i in range(50):
        p.config["services"] = [dict(WEB, path="/")] + [
            {"name": f"extra-{i % 3}", "image": IMAGE, "port": 8080, "desiredCount": 0, "host": f"h{i}.example", "path": f"/r{i}"}]
        p.write_config()
        p.process.send_signal(signal.SIGHUP)
        wait_until(lambda: f"/r{i}" in [r["path"] for r in (p.api("/v1/routes") or {}).get("routes", [])], f"route {i}",
                   interval_s=0.01)
        traffic.wait_sent(10)
    assert traffic.stop() == []


@pytest.mark.parametrize("how", ["terminate", "kill"])
def test_restarting_the_engine_fails_no_request_and_touches_no_container(private_engine, portico, load, cluster, how):
    p = portico([dict(WEB, desiredCount=2)], docker_socket=private_engine.socket)
    p.wait_routable(2)
    p.wait_served()
    client = docker.DockerClient(base_url=f"unix://{private_engine.socket}")
    before = identities(client, cluster)
    traffic = load(p.port)
    traffic.wait_sent(200)
    getattr(private_engine, how)()
    wait_until(lambda: "unreachable" in str(p.api("/readyz")).lower(), "readyz says that the engine is unreachable")
    traffic.wait_sent(400)
    private_engine.start()
    wait_until(lambda: "unreachable" not in str(p.api("/readyz")).lower(), "readyz says that the engine is back")
    traffic.wait_sent(400)
    assert traffic.stop() == []
    assert identities(client, cluster) == before
    client.close()


def processes_of(engine):
    """Shims of its containers: they name its folder."""
    listed = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True).stdout.splitlines()
    return [line for line in listed if engine.root in line and "shim" in line]


def test_an_engine_that_shuts_down_with_its_containers_is_given_nothing_more_to_start(mortal_engine, portico, cluster):
    """Its containers end first, and it goes on answering on old connections meanwhile."""
    p = portico([dict(WEB)], docker_socket=mortal_engine.socket)
    p.wait_routable(3)
    wait_until(lambda: p.service().get("phase") == "steady", "nothing is being created")
    mortal_engine.terminate()
    wait_until(lambda: processes_of(mortal_engine) == [], "the shims have ended too, and none came later")
    wait_until(lambda: "unreachable" in str(p.api("/readyz")).lower(), "readyz says that the engine is unreachable")
    links = os.listdir("/sys/class/net")
    mortal_engine.start()
    assert "docker0" in os.listdir("/sys/class/net") or "docker0" not in links  # what an engine of this machine has is not ours
    client = docker.DockerClient(base_url=f"unix://{mortal_engine.socket}")
    wait_until(lambda: len(own_containers(client, cluster)) == 3 and p.service().get("phase") == "steady", "three and nothing else")
    client.close()


def test_a_scale_in_under_load_fails_no_request(serving, client, cluster):
    p, traffic = serving
    p.api("/v1/services/web", "PATCH", {"desiredCount": 1})
    wait_until(lambda: len(own_containers(client, cluster)) == 1, "one container left")
    traffic.wait_sent(200)
    assert traffic.stop() == []


def test_everything_killed_converges_without_orphans_or_duplicates(serving, client, cluster):
    p, traffic = serving
    traffic.stop()
    children = [p.child("control"), p.child("proxy")]
    os.kill(p.process.pid, signal.SIGKILL)
    p.process.wait()
    wait_until(lambda: not any(os.path.exists(f"/proc/{c}") for c in children), "children end when the supervisor is gone")
    before = identities(client, cluster)
    p.start()
    p.wait_routable(3)
    p.wait_served()
    assert identities(client, cluster) == before
