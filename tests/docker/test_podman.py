"""The same discovery on Podman's own implementation of the Engine's API (Debian's podman service)."""
import pytest

from engine import wait_until
from podman import Podman
from portico_run import BACKEND

# Two services have the same bridge and addresses: their tests are not run side by side.
pytestmark = pytest.mark.xdist_group("podman")

LABELS = {"portico.enable": "true", "portico.service": "api", "portico.port": "8080", "portico.path": "/api"}


@pytest.fixture
def podman():
    made = Podman()
    made.import_image(BACKEND, "portico-test-backend")
    yield made
    made.stop()


def run_labelled(podman, name, labels=LABELS):
    options = [option for key, value in labels.items() for option in ("--label", f"{key}={value}")]
    return podman.run("run", "-d", "--name", name, *options, "portico-test-backend")


def test_a_container_of_podman_is_found_served_and_left_out_again(portico, podman):
    p = portico([], docker_socket=podman.socket)
    wait_until(lambda: (p.api("/readyz") or {}).get("docker") == "connected", "connected to Podman")
    first = run_labelled(podman, "first")  # by an event: it starts after the list
    task = p.wait_routable(1, "api")[0]
    assert task["id"] == first and task["health"] == "UP"
    p.wait_served("/api")
    second = run_labelled(podman, "second")
    p.wait_routable(2, "api")
    podman.run("stop", "-t", "1", "first")
    assert [t["id"] for t in p.wait_routable(1, "api")] == [second]
    podman.run("start", "first")
    p.wait_routable(2, "api")
    podman.run("rm", "-f", "-t", "0", "first", "second")
    wait_until(lambda: not p.tasks("api"), "both are gone")


def test_control_that_starts_later_finds_what_podman_runs(portico, podman):
    run_labelled(podman, "early")
    p = portico([], docker_socket=podman.socket)
    p.wait_routable(1, "api")
    p.wait_served("/api")
