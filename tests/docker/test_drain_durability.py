"""A drain that was acknowledged outlives the control process, whenever that is killed."""
import http.client

from conftest import own_containers
from engine import wait_until
from portico_run import IMAGE

LABELS = {"portico.enable": "true", "portico.service": "legacy", "portico.port": "8080", "portico.path": "/"}
WEB = {"name": "web", "image": IMAGE, "port": 8080, "path": "/web", "desiredCount": 2, "stopTimeout": "2s",
       "deregistrationDelay": "5s"}


def who_serves(port):
    """The short id of the container that answers."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", "/")
    response = connection.getresponse()
    body = response.read().decode()
    connection.close()
    return body.split()[0] if response.status == 200 else None


def drain(p, task_id):
    answer = p.api(f"/v1/tasks/{task_id}/drain", "POST", {})
    assert answer and answer.get("admin") == "DRAINING", answer


def task(p, task_id):
    answer = p.api(f"/v1/tasks/{task_id}") or {}
    return answer if "id" in answer else None


def kill_control(p):
    old = p.kill_child("control")
    p.wait_new_child("control", old)


def wait_healthy(p, task_id):
    return wait_until(lambda: (task(p, task_id) or {}).get("health") == "UP" and task(p, task_id), "control is back and finds it healthy")


def test_a_drained_foreign_container_stays_out_of_rotation(portico, container):
    p = portico([], workers=1)  # what it serves from is known when it has served what is new
    drained, other = container(LABELS), container(LABELS)
    p.wait_routable(2, "legacy")
    wait_until(lambda: who_serves(p.port) == drained.id[:12], "both serve")
    drain(p, drained.id)
    kill_control(p)  # at once: nothing but the answer had time to happen
    back = wait_healthy(p, drained.id)
    assert back["admin"] == "DRAINING" and not back["routable"]
    for _ in range(2):
        newcomer = container(LABELS)
        answers = []
        wait_until(lambda: answers.append(who_serves(p.port)) or answers[-1] == newcomer.id[:12], "a snapshot of this control is served")
        answers += [who_serves(p.port) for _ in range(60)]
        assert drained.id[:12] not in answers and other.id[:12] in answers
        kill_control(p)
        assert wait_healthy(p, drained.id)["admin"] == "DRAINING"
    drained.reload()
    assert drained.status == "running"


def test_a_drained_task_of_ours_is_replaced_once(portico, client, cluster):
    p = portico([dict(WEB)])
    p.wait_routable(2)
    before = {c.id for c in own_containers(client, cluster)}
    drained = sorted(before)[0]
    drain(p, drained)
    kill_control(p)
    def own():
        return {c.id for c in own_containers(client, cluster)}

    # The replacement may have been in the making when control died: a second one is stopped again.
    wait_until(lambda: drained not in own() and len(p.routable()) == 2 and len(own()) == 2, "replaced")
    assert len(own() & before) == 1
