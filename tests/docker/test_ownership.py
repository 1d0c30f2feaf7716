"""Which containers are ours is proven, not claimed: labels are written by whoever starts a container."""
import datetime
import os
import shutil
import signal
import sqlite3

from changed_minds import patch
from conftest import own_containers
from engine import wait_until
from portico_run import IMAGE, get_once

WEB = {"name": "web", "image": IMAGE, "port": 8080, "desiredCount": 1, "stopTimeout": "1s"}


def ids(tasks):
    return sorted(t["id"] for t in tasks)


def test_a_copy_of_our_labels_gets_no_requests_makes_nothing_surplus_and_is_never_stopped(portico, container, client, cluster):
    p = portico([dict(WEB)])
    task = p.wait_routable(1)[0]
    p.wait_served()
    ours = client.containers.get(task["id"])
    copy = container(ours.labels)
    wait_until(lambda: f"{copy.name} ({copy.id[:12]})" in p.log() and "no proof" in p.log(), "a warning that names it")
    old = p.kill_child("control")
    p.wait_new_child("control", old)
    # Twice over, so that a decision is made with the copy in sight.
    patch(p, 2)
    p.wait_routable(2)
    patch(p, 1)
    wait_until(lambda: len(own_containers(client, cluster)) == 2, "one task and the copy")
    assert copy.id not in ids(p.tasks())
    copy.reload()
    assert copy.status == "running"
    assert get_once(p.port) == 200


def downgrade_state(p):
    """As the version before proofs left it."""
    db = sqlite3.connect(os.path.join(p.config["stateDir"], "portico.db"))
    db.execute("DROP TABLE ownership")
    db.execute("DROP TABLE images")
    db.execute("DROP TABLE resources")
    db.execute("DROP TABLE resource_history")
    db.execute("PRAGMA user_version = 2")
    db.commit()
    db.close()


def test_an_upgrade_from_a_version_without_proofs_keeps_the_tasks(portico, client, cluster):
    p = portico([{**WEB, "desiredCount": 2}])
    before = ids(p.wait_routable(2))
    assert p.stop() == 0
    downgrade_state(p)
    p.start()
    assert ids(p.wait_routable(2)) == before
    assert "count as ours without a proof" in p.log()
    patch(p, 1)
    wait_until(lambda: len(own_containers(client, cluster)) == 1, "they are ours to stop")


def test_tasks_of_a_lost_state_folder_are_adopted_when_the_configuration_says_so(portico, client, cluster):
    p = portico([dict(WEB)])
    old = p.wait_routable(1)[0]["id"]
    assert p.stop() == 0
    shutil.rmtree(p.config["stateDir"])
    p.start()
    wait_until(lambda: old not in ids(found := p.routable()) and len(found) == 1, "another task, since the old one is nobody's")
    assert "docker.adoptCreatedBefore" in p.log()
    assert client.containers.get(old).status == "running"
    # Whole seconds only: the next one, which is taken as now, or the old task may have been created in this one.
    before = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=1)
    p.config["docker"]["adoptCreatedBefore"] = before.strftime("%Y-%m-%dT%H:%M:%SZ")
    p.write_config()
    p.process.send_signal(signal.SIGHUP)
    wait_until(lambda: len(own_containers(client, cluster)) == 1, "surplus now, and one is stopped")
    p.wait_routable(1)
