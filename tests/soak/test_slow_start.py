"""A service that takes its time before it listens."""
from portico_run import IMAGE


def test_a_service_that_listens_after_100_s_comes_up_with_the_defaults(portico):
    p = portico([{"name": "web", "image": IMAGE, "port": 8080, "environment": {"STARTUP_DELAY_MS": "100000"},
                  "healthCheck": {"path": "/health"}, "stopTimeout": "2s"}])
    task, = p.wait_routable(1, deadline_s=180)
    p.wait_served()
    assert p.service()["startFailureCount"] == 0
    assert [t["id"] for t in p.tasks()] == [task["id"]]
