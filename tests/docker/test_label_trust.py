"""What labels may and may not do: whoever may start a container may write any. Names are those of one test, since other containers of
the engine may carry labels too."""
import pytest

from engine import wait_until
from portico_run import IMAGE
from ports import free_port


@pytest.fixture
def labelled(container):
    return lambda labels, **options: container({"portico.enable": "true", **labels}, **options)


@pytest.fixture
def web(cluster):
    name = f"web-{cluster}"
    return {"name": name, "image": IMAGE, "port": 8080, "desiredCount": 1, "host": f"{name}.test", "stopTimeout": "1s"}


def texts(p):
    return [e["text"] for e in (p.api("/v1/events") or {}).get("events", [])]


def routed(p, service):
    return any(r["service"] == service for r in (p.api("/v1/routes") or {"routes": []})["routes"])


def refused(p, container, reason):
    """One log line, an event, and /readyz: each where the operator looks."""
    wait_until(lambda: any(container.name in text and reason in text for text in texts(p)), f"an event: {reason}")
    lines = [line for line in p.log().splitlines() if "docker: " in line and container.name in line and reason in line]
    assert len(lines) == 1, lines
    assert "not taken" in p.api("/readyz")["warning"]
    assert container.id not in [t["id"] for t in p.api("/v1/tasks")["tasks"]]


def allow(p, service, **what):
    p.config["services"] = [{**service, **what}]
    p.write_config()
    p.process.send_signal(1)


def test_a_stranger_joins_a_configured_service_only_where_it_allows_labels(portico, labelled, web):
    p = portico([web])
    p.wait_routable(1, web["name"])
    stranger = labelled({"portico.service": web["name"], "portico.port": "8080", "portico.weight": "1000"})
    refused(p, stranger, "allowLabels")
    allow(p, web, allowLabels=True)
    assert stranger.id in [t["id"] for t in p.wait_routable(2, web["name"])]
    allow(p, web)
    p.wait_routable(1, web["name"])


def test_a_label_takes_no_path_below_a_configured_host_unless_it_is_allowed(portico, labelled, web):
    p = portico([web])
    p.wait_routable(1, web["name"])
    evil = f"evil-{web['name']}"
    labelled({"portico.service": evil, "portico.port": "8080", "portico.host": web["host"], "portico.path": "/admin"})
    p.wait_routable(1, evil)
    wait_until(lambda: any("/admin" in text and "allowTaskRoutes" in text for text in texts(p)), "an event says why")
    assert "refused" in p.api("/readyz")["warning"]
    assert not routed(p, evil)
    allow(p, web, allowTaskRoutes=True)
    wait_until(lambda: routed(p, evil), "it has its route")
    allow(p, web)
    wait_until(lambda: not routed(p, evil), "and loses it again")


def test_no_container_leads_to_the_admin_api_or_to_a_listener(portico, labelled, web):
    p = portico([web])
    p.wait_routable(1, web["name"])
    for port in (p.admin_port, p.port):
        name = f"leak-{port}-{web['name']}"
        leak = labelled({"portico.service": name, "portico.port": str(port), "portico.path": f"/{name}"},
                        network_mode="host", command=["--port", str(free_port())])
        refused(p, leak, "Portico itself listens on")
        assert not routed(p, name)
