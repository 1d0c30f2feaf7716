"""Why a task ended, and what it wrote last, is known after it was removed."""
import os
import re
import signal
import urllib.request

from conftest import SHELL, own_containers
from engine import wait_until
from portico_run import IMAGE

def shell(name, script, **more):
    return {"name": name, "host": f"{name}.test", "image": SHELL, "port": 8080, "command": ["sh", "-c", script], "stopTimeout": "5s",
            "deregistrationDelay": "0s", **more}


def stopped(p, service):
    return (p.api(f"/v1/services/{service}/stopped-tasks") or {}).get("stoppedTasks", [])


def is_whole(task):
    """The engine may be too slow, once: those that end again and again have another chance."""
    return task["lastLinesProblem"] == ""


def wait_stopped(p, service, is_meant=is_whole):
    try:
        return wait_until(lambda: next(filter(is_meant, stopped(p, service)), None), f"a stopped task of {service}")
    except AssertionError as error:
        raise AssertionError(f"{error}\n{stopped(p, service)}\n{p.log()[-4000:]}") from None


def metric(p, name):
    with urllib.request.urlopen(f"http://127.0.0.1:{p.admin_port}/metrics", timeout=30) as answer:
        return float(re.search(rf"^{name} (\S+)$", answer.read().decode(), re.M)[1])


def test_every_end_is_kept_with_its_reason_and_last_lines(portico, client, shell_image):
    p = portico([
        shell("crash", "echo to stdout; sleep 0.2; echo to stderr >&2; exit 3"),
        shell("long", "head -c 10000000 /dev/zero | tr '\\0' x; echo; echo END; exit 4"),
        shell("garbage", "head -c 100000 /dev/urandom; exit 5"),
        {**shell("hungry", "", memory="16MiB"), "command": ["tail", "/dev/zero"]},
        shell("polite", "trap 'echo bye; exit 0' TERM; echo up; while :; do sleep 0.1; done", stopTimeout="60s"),
        {**shell("absent", ""), "image": "portico-test-no-such-image:1", "pull": "never"},
    ])
    crash = wait_stopped(p, "crash")
    assert crash["lastLines"] == ["to stdout", "to stderr"]
    assert (crash["exitCode"], crash["oomKilled"], crash["stopCode"]) == (3, False, "EssentialContainerExited")
    assert crash["stoppedReason"] == "it ended by itself with exit code 3"
    assert crash["image"] == SHELL and crash["imageId"].startswith("sha256:") and crash["revision"]
    assert crash["createdAt"] <= crash["startedAt"] <= crash["stoppedAt"]
    assert p.api(f"/v1/stopped-tasks/{crash['id'][:12]}")["id"] == crash["id"]
    assert f"/v1/stopped-tasks/{crash['id']}" in p.api(f"/v1/tasks/{crash['id']}")["error"]["message"]

    long = wait_stopped(p, "long")
    assert long["exitCode"] == 4 and long["lastLines"] == ["END"], "of the line before it the beginning is missing"
    garbage = wait_stopped(p, "garbage")
    assert garbage["exitCode"] == 5 and 0 < sum(map(len, garbage["lastLines"])) <= 8192
    hungry = wait_stopped(p, "hungry")
    assert hungry["oomKilled"] and hungry["exitCode"] == 137 and "out of memory" in hungry["stoppedReason"]
    assert hungry["lastLines"] == []

    wait_until(lambda: any(b"up" in client.containers.get(task["id"]).logs() for task in p.tasks("polite")), "it listens to its signal")
    p.api("/v1/services/polite", "PATCH", {"desiredCount": 0})
    polite = wait_stopped(p, "polite", lambda _: True)
    assert (polite["exitCode"], polite["stopCode"]) == (0, "ServiceSchedulerInitiated")
    assert polite["stoppedReason"] == "more tasks than the 0 desired"
    assert polite["lastLines"] == ["up", "bye"] or not is_whole(polite)

    absent = wait_stopped(p, "absent")
    assert (absent["exitCode"], absent["stopCode"], absent["startedAt"]) == (None, "TaskFailedToStart", None)
    assert "No such image" in absent["stoppedReason"] and p.api(f"/v1/stopped-tasks/{absent['id']}")["service"] == "absent"
    assert metric(p, "portico_stopped_tasks_total") >= 6 and metric(p, "portico_stopped_tasks_kept") >= 6


WEB = {"name": "web", "image": IMAGE, "port": 8080, "stopTimeout": "1s", "deregistrationDelay": "1s"}


def test_who_wanted_the_end_of_a_task_is_told_apart(portico, client):
    p = portico([{**WEB, "desiredCount": 3}])
    killed, signalled, drained = (client.containers.get(task["id"]) for task in p.wait_routable(3))
    os.kill(killed.attrs["State"]["Pid"], signal.SIGKILL)
    signalled.kill("SIGKILL")
    p.api(f"/v1/tasks/{drained.id}/drain", "POST", {})
    ends = [wait_stopped(p, "web", lambda task, one=one: task["id"] == one.id) for one in (killed, signalled, drained)]
    assert [end["stopCode"] for end in ends] == ["EssentialContainerExited", "UserInitiated", "UserInitiated"]
    assert [end["exitCode"] for end in ends[:2]] == [137, 137] and not any(end["oomKilled"] for end in ends)
    assert "not by Portico" in ends[1]["stoppedReason"] and "operator" in ends[2]["stoppedReason"]


def test_what_a_service_leaves_outlives_it_and_ends_with_control(portico, client, cluster):
    p = portico([dict(WEB)])
    task, = p.wait_routable(1)
    p.config["services"] = []
    p.write_config()
    p.process.send_signal(signal.SIGHUP)
    wait_until(lambda: not own_containers(client, cluster) and p.service().get("error"), "it is gone")
    left = wait_stopped(p, "web", lambda _: True)
    assert left["id"] == task["id"] and left["stopCode"] == "ServiceSchedulerInitiated"
    p.wait_new_child("control", p.kill_child("control"))
    wait_until(lambda: (p.api("/v1/services/web/stopped-tasks") or {}).get("error"), "control is back, and knows nothing of it")
    assert p.api("/v1/stopped-tasks") == {"stoppedTasks": []}
