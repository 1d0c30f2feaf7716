import contextlib
import os
import subprocess
import sys

import docker
import pytest

sys.path.insert(0, os.path.dirname(__file__))
sys.path.append(os.path.join(os.path.dirname(os.path.dirname(__file__)), "system"))

from engine import Engine, wait_until  # noqa: E402
from portico_run import IMAGE, Load, Portico, build_image  # noqa: E402

SHELL = "portico-test-shell:latest"


def pytest_collection_modifyitems(items):
    """A group is for one runner: begun last, it would leave the others without work."""
    items.sort(key=lambda item: item.get_closest_marker("xdist_group") is None)


@contextlib.contextmanager
def running(made):
    try:
        build_image(made.socket)
        yield made
    finally:
        made.stop()


@pytest.fixture(scope="session")
def engine():
    """One for all tests of this runner."""
    with running(Engine()) as made:
        yield made


@pytest.fixture(scope="module")
def shell_image(engine):
    """SHELL: busybox alone."""
    tar = subprocess.Popen(["tar", "-C", "/usr/bin", "-c", "busybox"], stdout=subprocess.PIPE)
    done = subprocess.run(["docker", "-H", f"unix://{engine.socket}", "import", "--change", 'ENTRYPOINT ["/busybox"]', "-", SHELL],
                          stdin=tar.stdout, capture_output=True, text=True)
    tar.wait()
    assert done.returncode == 0, done.stderr


@pytest.fixture
def private_engine():
    """One that the test may kill."""
    with running(Engine()) as made:
        yield made


@pytest.fixture
def mortal_engine():
    """One whose containers end with it."""
    with running(Engine(live_restore=False)) as made:
        yield made


@pytest.fixture
def client(engine):
    made = docker.DockerClient(base_url=f"unix://{engine.socket}")
    yield made
    made.close()


@pytest.fixture
def container(client):
    """container(labels, ...) -> one that Portico did not create; removed after the test."""
    made = []

    def make(labels, **options):
        made.append(client.containers.run(IMAGE, detach=True, labels=labels, **options))
        return made[-1]

    yield make
    for one in made:
        with contextlib.suppress(docker.errors.NotFound):
            one.remove(force=True)


def own_containers(client, cluster):
    return client.containers.list(all=True, ignore_removed=True, filters={"label": f"portico.cluster={cluster}"})


def remove_all(containers):
    """True when there were none. Portico may have asked for a removal that the engine is still busy with."""
    for container in containers:
        with contextlib.suppress(docker.errors.APIError):
            container.remove(force=True)
    return not containers


@pytest.fixture
def cluster(request, engine):
    """A name of its own for each test; what carries it is removed afterwards."""
    name = f"t{os.getpid()}-{abs(hash(request.node.name)) % 100000}"
    yield name
    with_engine = docker.DockerClient(base_url=f"unix://{engine.socket}")
    wait_until(lambda: remove_all(own_containers(with_engine, name)), "its containers are gone")
    with_engine.close()


@pytest.fixture
def portico(tmp_path, cluster, engine):
    """portico(services, ...) -> Portico; must end with exit code 0 and no sanitizer report."""
    made = []

    def make(services, docker_socket=None, **options):
        made.append(Portico(tmp_path, cluster, docker_socket or engine.socket, services, **options))
        return made[-1]

    yield make
    for one in made:
        code = one.stop()
        log = one.log()
        assert code == 0, log[-4000:]
        assert "Sanitizer" not in log and "check failed" not in log, log[-4000:]


@pytest.fixture
def load():
    """load(port, ...) -> Load; stopped after the test."""
    made = []

    def make(port, **options):
        made.append(Load(port, **options))
        return made[-1]

    yield make
    for one in made:
        one.stop()
