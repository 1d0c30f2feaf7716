"""When a container is believed to serve, and how the operator sees it."""
from portico_run import IMAGE


def web(**check):
    return {"name": "web", "image": IMAGE, "port": 8080, "environment": {"STARTUP_DELAY_MS": "2500"},
            "healthCheck": {"path": "/health", "interval": "100ms", "timeout": "1s", **check}, "stopTimeout": "1s"}


def test_a_slow_starter_has_its_start_period(portico):
    p = portico([web(startPeriod="1h")])
    task, = p.wait_routable(1)
    assert p.service()["startFailureCount"] == 0
    assert [t["id"] for t in p.tasks()] == [task["id"]]


def test_a_start_period_that_is_too_short_is_a_failed_start_and_grows(portico):
    p = portico([web(startPeriod="1s")])
    p.wait_routable(1)
    assert p.service()["startFailureCount"] >= 1
    assert any("not healthy within 2 s of its start" in e["text"] for e in p.api("/v1/services/web/events")["events"])
