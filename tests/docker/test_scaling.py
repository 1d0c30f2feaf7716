"""The number of tasks follows the traffic, on real containers."""
import threading

from conftest import own_containers
from engine import wait_until
from portico_run import IMAGE, get_once

SCALED = {"name": "web", "image": IMAGE, "port": 8080, "desiredCount": 1, "stopTimeout": "1s", "deregistrationDelay": "5s",
          "scaling": {"min": 1, "max": 4, "scaleInCooldown": "3s", "target": {"requestsPerSecondPerTask": 25}}}


def test_tasks_follow_the_traffic_out_and_in_without_a_failed_request(portico, load, client, cluster):
    p = portico([dict(SCALED)])
    p.wait_routable(1)
    p.wait_served()
    step = load(p.port, per_second=190)  # four tasks need 76 at least: also a slow machine sends that many
    p.wait_routable(4)
    assert "requests/s" in wait_until(p.service, "the service")["lastDecision"]
    assert step.stop() == []
    quiet = load(p.port, per_second=5, threads=2)
    wait_until(lambda: len(own_containers(client, cluster)) == 1, "back at one container")
    assert quiet.stop() == []
    status = p.service()
    assert status["scaleOutCount"] >= 1 and status["scaleInCount"] >= 1


def test_a_missing_image_is_an_event_with_the_engines_words_and_a_growing_delay(portico):
    p = portico([{"name": "web", "image": "no-such-image:latest", "pull": "never", "port": 8080}])

    def failures():
        events = (p.api("/v1/services/web/events") or {}).get("events", [])
        return [e["text"] for e in events if "no-such-image" in e["text"] or "No such image" in e["text"]]

    wait_until(lambda: len(failures()) >= 3, "three failures reported")
    assert p.service()["startFailureCount"] >= 3
    assert p.service()["runningCount"] == 0


def test_a_patched_count_survives_a_killed_control(portico, client, cluster):
    p = portico([{"name": "web", "image": IMAGE, "port": 8080, "desiredCount": 1, "stopTimeout": "1s"}])
    p.wait_routable(1)
    assert p.api("/v1/services/web", "PATCH", {"desiredCount": 3})["desiredCount"] == 3
    old = p.kill_child("control")
    p.wait_new_child("control", old)
    # One that was being created when control died may be one too many for a moment.
    wait_until(lambda: len(own_containers(client, cluster)) == len(p.routable()) == 3, "three")
    assert p.service()["desiredCount"] == 3


def test_a_dead_task_is_replaced(portico, client, cluster):
    p = portico([{"name": "web", "image": IMAGE, "port": 8080, "desiredCount": 2, "stopTimeout": "1s"}])
    p.wait_routable(2)
    victim = own_containers(client, cluster)[0]
    victim.kill()
    wait_until(lambda: victim.id not in [t["id"] for t in p.tasks() if t["routable"]] and len(p.routable()) == 2, "replaced")


def test_a_drained_task_finishes_its_request_before_it_is_stopped(portico, client, cluster):
    p = portico([{"name": "web", "image": IMAGE, "port": 8080, "desiredCount": 1, "stopTimeout": "1s",
                  "deregistrationDelay": "120s"}])
    p.wait_routable(1)
    p.wait_served()
    task = p.routable()[0]["id"]
    answers = []

    def slow():
        import http.client
        connection = http.client.HTTPConnection("127.0.0.1", p.port, timeout=60)
        connection.request("GET", "/?delay_ms=15000")
        response = connection.getresponse()
        answers.append((response.status, len(response.read())))

    thread = threading.Thread(target=slow, daemon=True)
    thread.start()
    wait_until(lambda: any(t["id"] == task and t["inFlight"] for t in p.tasks()), "in flight")
    assert p.api(f"/v1/tasks/{task}/drain", "POST", {})
    assert not answers, "it was over before the drain began"
    thread.join()
    assert answers and answers[0][0] == 200 and answers[0][1] > 0
    wait_until(lambda: task not in [c.id for c in own_containers(client, cluster) if c.status == "running"], "stopped")
    p.wait_routable(1)


def test_a_request_wakes_a_service_at_zero_whatever_its_policy(portico, client, cluster):
    """Until its task is there, requests are answered 503 with Retry-After."""
    targets = {"rate": {"requestsPerSecondPerTask": 1000}, "flight": {"inFlightPerTask": 100},
               "latency": {"latencyP99Ms": 600_000}}  # so that one task is enough, however slow it is
    p = portico([{"name": name, "image": IMAGE, "port": 8080, "path": f"/{name}", "desiredCount": 0, "stopTimeout": "1s",
                  "scaling": {"min": 0, "max": 2, "scaleInCooldown": "1h", "target": target}} for name, target in targets.items()])
    wait_until(lambda: get_once(p.port, "/rate") == 503, "the route is there, and no task")
    for name in targets:
        p.wait_served(f"/{name}")
    assert len(own_containers(client, cluster)) == 3
