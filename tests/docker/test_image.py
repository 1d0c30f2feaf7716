"""Portico in a container as its image has it: an account without rights, a read-only root, no capability."""
import pytest
import yaml

import image
from engine import wait_until
from portico_run import IMAGE

pytestmark = pytest.mark.xdist_group("image")  # it is built once


@pytest.fixture(scope="module")
def built(engine, tmp_path_factory):
    image.build(engine.socket, tmp_path_factory.mktemp("image"))


@pytest.fixture
def config(cluster):
    return {
        "cluster": cluster,
        "listeners": [{"name": "http", "address": "0.0.0.0:80"}],
        "proxy": {"workers": 1, "timeouts": {"drain": "5s"}},
        "services": [{"name": "web", "image": IMAGE, "port": 8080, "desiredCount": 1, "healthCheck": {"path": "/health"}, "stopTimeout": "2s"}],
    }


@pytest.fixture
def write(tmp_path, config):
    folder = tmp_path / "etc"
    folder.mkdir()

    def write(text=None):
        (folder / "portico.yaml").write_text(text or yaml.safe_dump(config))
        return folder

    return write


@pytest.fixture
def inside(built, engine, client, write):
    p = image.Inside(client, engine.socket, write())
    p.wait_served()
    yield p
    p.container.remove(force=True, v=True)


def test_without_any_right_it_serves_is_healthy_and_stops_in_order(inside):
    with open(f"/proc/{inside.attributes('Pid')}/status") as f:
        status = dict(line.strip().split(":\t", 1) for line in f if ":\t" in line)
    assert status["Uid"].split() == [image.ACCOUNT] * 4 and int(status["CapEff"], 16) == 0
    code, said = inside.run("health", "--config", image.CONFIG)
    assert code == 0 and said.startswith("ready"), said  # with a word of containers that other tests have made, perhaps
    wait_until(lambda: inside.attributes("Health")["Status"] == "healthy", "the engine calls it healthy")
    inside.container.stop(timeout=60)
    assert inside.attributes("ExitCode") == 0, inside.log()[-2000:]


def test_a_broken_configuration_makes_nobody_unhealthy_who_serves(inside, write):
    write("listeners: [{")
    code, said = inside.run("health", "--config", image.CONFIG)
    first, second = said.splitlines()
    assert code == 0 and first.startswith(f"{image.CONFIG}:2:") and second.startswith("ready")


def test_an_upgrade_in_a_container_brings_a_listener_and_cuts_no_connection(inside, write, config):
    before = inside.attributes("Pid"), inside.attributes("StartedAt")
    kept = inside.connect()
    assert inside.status(connection=kept) == 200
    config["listeners"].append({"name": "second", "address": "0.0.0.0:81"})
    write()
    assert inside.run("upgrade", "--config", image.CONFIG) == (0, "upgraded, process 1\n")
    assert kept.sock and inside.status(connection=kept) == 200
    assert inside.status(81) == 200
    assert (inside.attributes("Pid"), inside.attributes("StartedAt")) == before
    kept.close()
    inside.container.kill("SIGUSR2")
    wait_until(lambda: inside.log().count("upgrade done") == 2, "an upgrade by signal too")
    assert inside.status() == 200


def test_without_the_engine_s_socket_it_says_what_it_misses(built, client, write):
    made = client.containers.create(image.NAME, cap_drop=["ALL"], volumes={str(write()): {"bind": "/etc/portico", "mode": "ro"}})
    try:
        made.start()
        wait_until(lambda: b"docker.sock" in made.logs(), "it says what it misses")
    finally:
        made.remove(force=True, v=True)
