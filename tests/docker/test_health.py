"""When a container is believed to serve, and how the operator sees it."""
from engine import wait_until
from portico_run import IMAGE, get_once


def web(startup_ms=2500, **check):
    return {"name": "web", "image": IMAGE, "port": 8080, "environment": {"STARTUP_DELAY_MS": str(startup_ms)},
            "healthCheck": {"path": "/health", "interval": "100ms", "timeout": "1s", **check}, "stopTimeout": "1s"}


def test_a_slow_starter_has_its_start_period(portico):
    p = portico([web(startPeriod="1h")])
    task, = p.wait_routable(1)
    assert p.service()["startFailureCount"] == 0
    assert [t["id"] for t in p.tasks()] == [task["id"]]


def test_a_start_period_that_is_too_short_is_a_failed_start_and_grows(portico):
    p = portico([web(startPeriod="1s", startup_ms=3900)])  # the doubled one must be over for a while before it serves
    p.wait_routable(1)
    assert p.service()["startFailureCount"] >= 1
    assert any("not healthy within 2 s of its start" in e["text"] for e in p.api("/v1/services/web/events")["events"])


LABELS = {"portico.enable": "true", "portico.service": "api", "portico.port": "8080", "portico.path": "/api"}


def wait_event(p, *parts):
    """An event that has all of these, in the API and in the log."""
    def found():
        events = (p.api("/v1/events") or {}).get("events", [])
        return next((e["text"] for e in events if all(part in e["text"] for part in parts)), None)
    text = wait_until(found, f"an event with {parts}")
    assert text in p.log()
    return text


def test_a_failing_check_and_the_503_that_follows_say_why(portico, container):
    p = portico([])
    # The first checks may find that it does not listen yet: three intervals pass before it is DOWN.
    one = container({**LABELS, "portico.health-path": "/?status=500", "portico.health-interval": "2s"})
    wait_event(p, one.id[:12], "UNKNOWN -> DOWN: status 500 in ")
    task, = p.tasks("api")
    assert task["health"] == "DOWN" and task["healthReason"].startswith("status 500 in ")
    wait_until(lambda: get_once(p.port, "/api") == 503, "503")
    text = wait_event(p, "answered 503, no task is routable: ", one.id[:12])
    assert "DOWN: status 500 in " in text


def test_the_engines_own_check_is_heard_with_its_words(portico, container):
    p = portico([])
    one = container(LABELS, healthcheck={"test": ["CMD", "/nothing"], "interval": 10**9, "retries": 1})
    wait_event(p, one.id[:12], "UNKNOWN -> DOWN: the engine's check: ")
    wait_until(lambda: p.tasks("api")[0]["healthReason"].startswith("the engine's check: exit code "), "its words")


def test_a_task_that_crashed_leaves_its_exit_code_and_last_lines(portico):
    p = portico([{"name": "web", "image": IMAGE, "port": 8080, "command": ["--nonsense"]}])
    text = wait_event(p, " had ended: exit code 1; its last lines: ", "--nonsense")
    assert text.startswith("task ")
    assert any(e["text"] == text for e in p.api("/v1/services/web/events")["events"])
