"""A tag that moves: all tasks of a revision run one image, and reading the configuration again rolls to the new one."""
import os
import signal

import docker
import pytest

from conftest import own_containers, remove_all
from engine import wait_until
from portico_run import IMAGE


@pytest.fixture
def tag(client, cluster):
    """tag(version): the name stands for an image of its own for each version. To be asked for before `portico`, so that nobody makes
    containers of it any more when it goes."""
    name = f"portico-test-{cluster}"

    def move(version):
        made = client.containers.create(IMAGE)
        image = made.commit(repository=name, tag="stable", changes=f"ENV VERSION={version}")
        made.remove()
        ids.append(image.id)
        return image.id

    ids = []
    move.name = f"{name}:stable"
    yield move
    wait_until(lambda: remove_all(own_containers(client, cluster)), "its containers are gone")
    for image in ids:
        try:
            client.images.remove(image, force=True)
        except docker.errors.ImageNotFound:
            pass


def images(client, cluster):
    return sorted(c.attrs["Image"] for c in own_containers(client, cluster))


def test_a_reload_rolls_to_where_the_tag_points_and_nothing_else_does(tag, portico, load, client, cluster):
    first = tag(1)
    p = portico([{"name": "web", "image": tag.name, "port": 8080, "desiredCount": 2, "stopTimeout": "1s"}])
    p.wait_routable(2)
    p.wait_served()
    assert p.service()["imageId"] == first
    traffic = load(p.port, per_second=50, threads=4)
    second = tag(2)
    assert p.api("/v1/services/web", "PATCH", {"desiredCount": 3})
    p.wait_routable(3)
    old = p.kill_child("control")
    p.wait_new_child("control", old)
    p.wait_routable(3)
    assert images(client, cluster) == [first] * 3
    assert {c.labels["portico.image"] for c in own_containers(client, cluster)} == {tag.name}
    os.kill(p.process.pid, signal.SIGHUP)
    wait_until(lambda: images(client, cluster) == [second] * 3 and p.service().get("phase") == "steady", "all of the new image")
    assert p.service()["imageId"] == second
    events = [e["text"] for e in p.api("/v1/services/web/events")["events"]]
    assert f"image {tag.name} moved from {first[:19]} to {second[:19]}, rolling" in events
    traffic.wait_sent(50)
    assert traffic.stop() == []


def test_the_tasks_keep_running_when_their_tag_is_gone(tag, portico, client, cluster):
    first = tag(1)
    p = portico([{"name": "web", "image": tag.name, "pull": "never", "port": 8080, "desiredCount": 1, "stopTimeout": "1s"}])
    p.wait_routable(1)
    client.images.remove(tag.name, noprune=True, force=True)  # the name; the image stays with its container
    os.kill(p.process.pid, signal.SIGHUP)
    wait_until(lambda: "tasks are created from " + first[:19] + " as before" in p.log(), "a warning")
    assert p.api("/v1/services/web", "PATCH", {"desiredCount": 2})
    p.wait_routable(2)
    assert images(client, cluster) == [first] * 2
    assert p.service()["startFailureCount"] == 0
