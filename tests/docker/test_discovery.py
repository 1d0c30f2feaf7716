"""Containers that Portico did not create: found by their labels, routed, and never touched."""
import json

import pytest

from engine import wait_until
from hanging_socket import HangingSocket
from portico_run import IMAGE, get_once

LABELS = {"portico.enable": "true", "portico.service": "api", "portico.port": "8080", "portico.path": "/api"}


def test_a_labelled_container_is_served_and_its_route_outlives_it(portico, container):
    p = portico([])
    one = container(LABELS)
    p.wait_routable(1, "api")
    p.wait_served("/api")
    one.stop(timeout=1)
    wait_until(lambda: not p.routable("api"), "not routable")
    wait_until(lambda: get_once(p.port, "/api") == 503, "503: the workers know it too")
    one.start()
    p.wait_served("/api")


def hosts(p):
    return sorted(route["host"] for route in (p.api("/v1/routes") or {}).get("routes", []))


def test_a_container_made_anew_with_another_host_leaves_no_route_behind(portico, container):
    p = portico([])
    labels = {"portico.enable": "true", "portico.service": "api", "portico.port": "8080"}
    old = container({**labels, "portico.host": "old.test"})
    wait_until(lambda: hosts(p) == ["old.test"], "the old route")
    old.stop(timeout=0)
    container({**labels, "portico.host": "new.test"})
    wait_until(lambda: hosts(p) == ["new.test"], "the new route alone")
    p.wait_routable(1, "api")


def test_a_stopped_container_that_will_start_again_keeps_its_route(portico, container):
    p = portico([])
    labels = {"portico.enable": "true", "portico.service": "api", "portico.port": "8080"}
    one = container({**labels, "portico.host": "one.test"}, restart_policy={"Name": "unless-stopped"})
    container({**labels, "portico.host": "two.test"})
    p.wait_routable(2, "api")
    one.stop(timeout=0)
    p.wait_routable(1, "api")
    assert hosts(p) == ["one.test", "two.test"]
    one.remove(force=True)
    wait_until(lambda: hosts(p) == ["two.test"], "its route has gone")


def test_a_route_that_is_not_given_is_told_where_the_operator_looks(portico, container):
    p = portico([])
    container(LABELS)
    p.wait_routable(1, "api")
    second = container({**LABELS, "portico.service": "second"})
    wait_until(lambda: any(second.name in e["text"] for e in (p.api("/v1/services/second/events") or {}).get("events", [])), "an event")
    assert second.name in p.api("/readyz")["warning"]


def compose(project, service):
    """What compose writes on its containers."""
    return {"com.docker.compose.project": project, "com.docker.compose.service": service}


def test_two_compose_projects_with_the_same_names_do_not_mix(portico, container):
    p = portico([])
    labels = {"portico.enable": "true", "portico.service": "api", "portico.port": "8080"}
    made = {name: container({**labels, **compose(name, "api"), "portico.host": f"{name}.test, www.{name}.test"})
            for name in ("staging", "production")}
    unnamed = container({"portico.enable": "yes", "portico.port": "8080", "portico.host": "jobs.test", **compose("staging", "jobs")})
    for name, one in made.items():
        assert [t["id"] for t in p.wait_routable(1, f"{name}/api")] == [one.id]
        events = p.api(f"/v1/services/{name}%2Fapi/events")["events"]
        assert not any("different routes" in event["text"] for event in events)
    assert [t["id"] for t in p.wait_routable(1, "staging/jobs")] == [unnamed.id]
    wait_until(lambda: {(r["host"], r["service"]) for r in p.api("/v1/routes")["routes"]} == {
        ("staging.test", "staging/api"), ("www.staging.test", "staging/api"), ("production.test", "production/api"),
        ("www.production.test", "production/api"), ("jobs.test", "staging/jobs")}, "each project's routes lead to its own")
    assert p.service("jobs")["name"] == "staging/jobs"
    assert p.service("api").get("error"), "two have that short name"


def test_containers_that_share_a_name_and_ask_for_different_hosts_are_told_of(portico, container):
    p = portico([])
    labels = {"portico.enable": "true", "portico.service": "api", "portico.port": "8080"}
    one = container({**labels, "portico.host": "one.test"})
    two = container({**labels, "portico.host": "two.test"})
    wait_until(lambda: any(one.name in e["text"] and two.name in e["text"] for e in
                           (p.api("/v1/services/api/events") or {}).get("events", [])), "an event that names both")


def test_a_foreign_container_is_never_stopped_or_removed(portico, container, client):
    p = portico([])
    one = container(LABELS)
    p.wait_routable(1, "api")
    answer = p.api(f"/v1/tasks/{one.id}/drain", "POST", {})
    assert answer is not None
    wait_until(lambda: not p.routable("api"), "out of rotation")
    one.reload()
    assert one.status == "running"


@pytest.mark.parametrize("labels", [
    {"portico.port": "eighty"}, {"portico.port": "70000"}, {"portico.path": "api"}, {"portico.weight": "-1"},
    {"portico.service": "../etc"}, {"portico.host": "a b"}, {"portico.path": "/" + "x" * 5000},
])
def test_an_invalid_label_is_a_warning_that_names_the_container(portico, container, labels):
    p = portico([])
    bad = container({**LABELS, **labels})
    good = container({**LABELS, "portico.service": "good", "portico.path": "/good"})
    p.wait_routable(1, "good")
    wait_until(lambda: bad.name in p.log() or bad.short_id in p.log(), "a warning with the container's name")
    assert bad.id not in [t["id"] for t in wait_until(lambda: p.api("/v1/tasks"), "a list of tasks")["tasks"]]
    good.reload()


def test_a_container_with_a_health_check_gets_no_traffic_before_it_is_healthy(portico, container):
    p = portico([])
    # the image has no shell: a check that cannot run keeps the container from ever being healthy
    sick = container({**LABELS}, healthcheck={"test": ["CMD", "/nothing"], "interval": 10**9, "retries": 1})
    wait_until(lambda: p.tasks("api"), "seen")
    well = container({**LABELS})
    assert [t["id"] for t in p.wait_routable(1, "api")] == [well.id]
    assert sick.id != well.id


@pytest.mark.parametrize("text", ["endpoints: [{ service: fixed, addr", ""])
def test_a_half_written_endpoints_file_and_a_restart_of_control_hold_nobody_up(portico, container, tmp_path, text):
    endpoints = tmp_path / "endpoints.yaml"
    fixed = container({})  # known by the file alone
    fixed.reload()
    address = fixed.attrs["NetworkSettings"]["Networks"]["bridge"]["IPAddress"]
    endpoints.write_text(f"endpoints: [{{ service: fixed, address: '{address}:8080', path: /fixed }}]")
    p = portico([], endpoints_file=str(endpoints))
    old = container(LABELS)
    p.wait_served("/api")
    p.wait_served("/fixed")
    endpoints.write_text(text)
    pid = p.kill_child("control")
    p.wait_new_child("control", pid)
    new = container({**LABELS, "portico.service": "new", "portico.path": "/new"})
    p.wait_served("/new")
    old.kill()
    wait_until(lambda: get_once(p.port, "/api") == 503, "the dead one is out")
    assert get_once(p.port, "/fixed") == 200
    assert "endpoints" in p.api("/readyz")["warning"]
    assert new.id in [t["id"] for t in p.routable("new")]


def test_strangers_with_labels_of_a_megabyte_keep_nobody_out(portico, container, client):
    crowd = [client.containers.create(IMAGE, labels={**LABELS, "long": "x" * 1_000_000}) for _ in range(17)]
    try:
        container({**LABELS, "portico.service": "good", "portico.path": "/good"})
        p = portico([])
        p.wait_routable(1, "good")
        p.wait_served("/good")
        wait_until(lambda: p.api("/readyz")["docker"] == "connected", "the list is complete")
    finally:
        for one in crowd:
            one.remove()


@pytest.fixture
def hanging(tmp_path, engine):
    one = HangingSocket(tmp_path / "engine.sock", engine.socket)
    yield one
    one.close()


def events(p):
    return [event["text"] for event in (p.api("/v1/events") or {}).get("events", [])]


def remembered(p):
    try:
        with open(f"{p.directory}/state/tasks.last-seen.json") as f:
            return json.load(f)["tasks"]
    except FileNotFoundError:
        return []


def test_an_engine_that_hangs_at_a_restart_of_control_holds_nobody_up(hanging, portico, container, tmp_path):
    endpoints = tmp_path / "endpoints.yaml"
    endpoints.write_text("endpoints: []")
    p = portico([], docker_socket=hanging.path, endpoints_file=str(endpoints))
    old = container(LABELS)
    other = container({})  # known by the file alone
    p.wait_served("/api")
    wait_until(lambda: any(t["id"] == old.id and t["probeHealth"] == 1 for t in remembered(p)), "it is remembered")
    hanging.hang()
    pid = p.kill_child("control")
    p.wait_new_child("control", pid)
    other.reload()
    address = other.attrs["NetworkSettings"]["Networks"]["bridge"]["IPAddress"]
    endpoints.write_text(f"endpoints: [{{ service: fixed, address: '{address}:8080', path: /fixed }}]")
    p.wait_served("/fixed")
    assert get_once(p.port, "/api") == 200
    assert any("gives no list of containers" in text for text in events(p))
    assert "before the restart" in p.api("/readyz")["warning"]
    hanging.go_on()
    wait_until(lambda: any("list of containers is complete" in text for text in events(p)), "the engine is heard again")
    old.kill()
    wait_until(lambda: get_once(p.port, "/api") == 503, "the dead one is out")
    assert get_once(p.port, "/fixed") == 200
