"""Portico itself in a container, on one of two networks: tasks are reached where it is, and nowhere else."""
import contextlib
import io
import json
import os
import tarfile
import urllib.error
import urllib.request

import docker
import pytest
import yaml

from engine import start_or_remove, wait_until
from portico_run import BINARY, IMAGE, OUT

HULL = "portico-test-hull:latest"
TOKEN = "portico-inside-a-container"
ADMIN_PORT, PORT = 9900, 8000


def build_hull(client):
    """An image of nothing but places to mount this machine's programs and libraries on."""
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w") as out:
        for name in ("usr", "tmp", "etc", "portico", "state"):
            folder = tarfile.TarInfo(name)
            folder.type, folder.mode = tarfile.DIRTYPE, 0o755
            out.addfile(folder)
        for name in ("bin", "sbin", "lib", "lib64"):  # as they are here: links into /usr, or folders to mount on
            entry = tarfile.TarInfo(name)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            if os.path.islink(f"/{name}"):
                entry.type, entry.linkname = tarfile.SYMTYPE, os.readlink(f"/{name}")
            out.addfile(entry)
        for name in ("passwd", "group", "ld.so.cache"):
            out.add(f"/etc/{name}", f"etc/{name}")
    repository, tag = HULL.split(":")
    client.api.import_image_from_data(tar.getvalue(), repository=repository, tag=tag)


class Inside:
    """`portico run` in a container. Its API is asked at its address on the first of its networks."""

    def __init__(self, client, docker_socket, directory, cluster, network, **config):
        os.makedirs(directory / "state", exist_ok=True)
        (directory / "portico.yaml").write_text(yaml.safe_dump({
            "stateDir": "/state", "cluster": cluster,
            "listeners": [{"name": "http", "address": f"0.0.0.0:{PORT}"}],
            "proxy": {"workers": 1, "accessLog": "off"},
            "admin": {"address": f"0.0.0.0:{ADMIN_PORT}", "token": TOKEN},
            **config}))
        mounts = [f"{name}:{name}:ro" for name in ("/usr", "/lib", "/lib64") if os.path.isdir(name) and not os.path.islink(name)]
        self.container = client.containers.create(
            HULL, command=["/build/" + os.path.basename(BINARY), "run", "--config", "/portico/portico.yaml"], network=network.name,
            security_opt=["seccomp=unconfined"],  # sanitizers want to choose where things are
            environment={k: v for k, v in os.environ.items() if k.endswith("SAN_OPTIONS")},
            volumes=[*mounts, f"{os.path.abspath(OUT)}:/build:ro", f"{directory}:/portico:ro", f"{directory}/state:/state",
                     f"{docker_socket}:/var/run/docker.sock"])
        self.network = network
        start_or_remove(self.container)
        self.container.reload()
        self.address = self.container.attrs["NetworkSettings"]["Networks"][network.name]["IPAddress"]

    def get(self, url, headers=None):
        try:
            with urllib.request.urlopen(urllib.request.Request(url, headers=headers or {}), timeout=30) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, b""
        except OSError:
            return None, b""

    def api(self, path):
        status, body = self.get(f"http://{self.address}:{ADMIN_PORT}{path}", {"Authorization": f"Bearer {TOKEN}"})
        return json.loads(body) if status == 200 else {}

    def served(self, path):
        return self.get(f"http://{self.address}:{PORT}{path}")[0] == 200

    def addresses(self):
        return {t["service"]: t["address"] for t in self.api("/v1/tasks").get("tasks", []) if t["routable"]}

    def has_ended(self):
        self.container.reload()
        return self.container.status == "exited"

    def log(self):
        return self.container.logs().decode(errors="replace")

    def stop(self):
        self.container.stop(timeout=120)
        code = self.container.wait()["StatusCode"]
        log = self.log()
        self.container.remove(force=True)
        return code, log


@pytest.fixture
def networks(client, cluster):
    made = [client.networks.create(f"{cluster}_{name}") for name in ("alpha", "beta")]
    yield made
    for one in made:
        with contextlib.suppress(docker.errors.NotFound):
            one.reload()
            for container in one.containers:
                one.disconnect(container, force=True)
            one.remove()


@pytest.fixture
def container(client, networks):
    made = []

    def make(name, *on, labels=None, **options):
        labels = {"portico.enable": "true", "portico.service": name, "portico.port": "8080", "portico.path": f"/{name}", **(labels or {})}
        first = {"network": on[0].name} if on else {}
        made.append(client.containers.create(IMAGE, labels=labels, **first, **options))
        for network in on[1:]:
            network.connect(made[-1])
        made[-1].start()
        made[-1].reload()
        return made[-1]

    yield make
    for one in made:
        with contextlib.suppress(docker.errors.NotFound):
            one.remove(force=True)


@pytest.fixture
def inside(client, engine, tmp_path, cluster, networks, container):
    """inside(network, ...) -> Inside; must end with exit code 0 and no sanitizer report, before its networks go."""
    build_hull(client)
    made = []

    def make(network, **config):
        made.append(Inside(client, engine.socket, tmp_path, cluster, network, **config))
        return made[-1]

    yield make
    for one in made:
        code, log = one.stop()
        assert code == 0, log[-4000:]
        assert "Sanitizer" not in log and "check failed" not in log, log[-4000:]


def address_on(container, network):
    return container.attrs["NetworkSettings"]["Networks"][network.name]["IPAddress"] + ":8080"


def wait_addresses(p, expected):
    try:
        wait_until(lambda: p.addresses() == expected or p.has_ended(), f"{expected}")
        assert not p.has_ended()
    except AssertionError as error:
        raise AssertionError(f"{error}\n{p.addresses()}\n{p.log()[-4000:]}") from None


def test_a_task_is_reached_where_portico_is_and_told_of_where_it_is_not(inside, networks, container):
    alpha, beta = networks
    p = inside(beta)
    two = container("both", alpha, beta)  # by name, the other network is first
    other = container("other", alpha)
    wait_addresses(p, {"both": address_on(two, beta)})
    wait_until(lambda: p.served("/both"), "it is served")
    wait_until(lambda: "Portico is on none of its networks" in p.log(), "a warning")
    alpha.connect(p.container)
    wait_addresses(p, {"both": address_on(two, alpha), "other": address_on(other, alpha)})
    wait_until(lambda: p.served("/other"), "it is served")


def test_the_label_names_a_network_and_one_that_is_not_there_is_told_of(inside, networks, container, cluster):
    alpha, beta = networks
    p = inside(beta)
    compose = {"com.docker.compose.project": cluster, "portico.service": "named"}
    named = container("named", alpha, beta, labels={"portico.network": "beta", **compose})
    wrong = container("wrong", alpha, beta, labels={"portico.network": "gamma"})
    wait_addresses(p, {f"{cluster}/named": address_on(named, beta)})
    wait_until(lambda: any("portico.network" in e["text"] and wrong.name in e["text"]
                           for e in p.api("/v1/events").get("events", [])), "an event")


def test_a_task_on_the_network_of_another_container_has_its_address(inside, networks, container):
    _, beta = networks
    p = inside(beta)
    lender = container("lender", beta, labels={"portico.enable": "false"})
    container("borrower", network_mode=f"container:{lender.id}", command=["--port", "8090"], labels={"portico.port": "8090"})
    wait_addresses(p, {"borrower": address_on(lender, beta).replace("8080", "8090")})
    wait_until(lambda: p.served("/borrower"), "it is served")
    lender.kill()
    wait_addresses(p, {})
