"""docker push and pull against Debian's docker-registry behind the proxy alone."""
import json
import os
import subprocess

import pytest

from proxy_fixtures import proxy  # noqa: F401 (fixture)
from registry import Docker, Registry

LAYER_BYTES = 50 << 20


@pytest.fixture
def registry(tmp_path):
    one = Registry(tmp_path)
    yield one
    one.stop()


@pytest.fixture
def pushed(engine, registry, proxy, tmp_path):  # noqa: F811
    """(docker, name of an image with a layer of LAYER_BYTES that names the proxy as its registry, the proxy)"""
    docker = Docker(engine.socket)
    p = proxy([registry.port], access_log=str(tmp_path / "access.log"))
    name = f"127.0.0.1:{p.port}/team/thing:1"
    content = tmp_path / "content"
    content.mkdir()
    (content / "random").write_bytes(os.urandom(LAYER_BYTES))  # so that compression cannot make it small
    tar = subprocess.run(["tar", "-C", content, "-c", "."], capture_output=True, check=True).stdout
    docker("import", "--change", 'CMD ["/none"]', "-", name, input=tar)
    yield docker, name, p
    subprocess.run([*docker.base, "image", "rm", "-f", name], capture_output=True)


def test_an_image_that_was_pushed_is_pulled_as_the_same(pushed, registry, tmp_path):
    docker, name, p = pushed
    made = docker.image(name)
    docker("push", "-q", name)
    assert max(f.stat().st_size for f in registry.blobs.rglob("data")) >= LAYER_BYTES

    docker("image", "rm", name)
    assert made["Id"] not in docker("image", "ls", "-aq", "--no-trunc").split()
    docker("pull", "-q", name)
    pulled = docker.image(name)
    assert pulled["Id"] == made["Id"]
    assert pulled["RootFS"] == made["RootFS"] and pulled["Config"]["Cmd"] == ["/none"]

    # all of it went through the proxy, and nothing failed there; the log is whole when the proxy has ended
    p.stop()
    lines = [json.loads(line) for line in (tmp_path / "access.log").read_text().splitlines()]
    assert {line["method"] for line in lines} >= {"GET", "HEAD", "POST", "PATCH", "PUT"}
    assert [line for line in lines if line["status"] >= 500] == []


def test_layers_that_the_registry_has_are_not_sent_again(pushed):
    docker, name, _ = pushed
    docker("push", "-q", name)
    again = name.removesuffix(":1") + ":2"
    docker("tag", name, again)
    try:
        assert "Layer already exists" in docker("push", again)
    finally:
        docker("image", "rm", again)
