"""Images are pulled from a registry that wants a password before tasks are created from them."""
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import threading
import time

import pytest

from conftest import own_containers, remove_all
from engine import wait_until
from portico_run import BACKEND, BINARY
from registry import Docker, Registry

USER, PASSWORD = "portico", "the-password-of-the-registry"
SLOW_BYTES = 8 << 20
PIECE_BYTES, PIECE_PAUSE_S = 32 << 10, 0.1  # SLOW_BYTES take 25 s at least, unless released


class SlowRelay:
    """Passes connections on to a port; what comes from there comes in small pieces until it is released."""

    def __init__(self, target):
        self.target, self.released = target, threading.Event()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return  # closed
            server = socket.create_connection(("127.0.0.1", self.target))
            threading.Thread(target=self.copy, args=(client, server, False), daemon=True).start()
            threading.Thread(target=self.copy, args=(server, client, True), daemon=True).start()

    def copy(self, source, sink, is_slow):
        try:
            while piece := source.recv(PIECE_BYTES):
                sink.sendall(piece)
                if is_slow and len(piece) > 4096 and not self.released.is_set():
                    time.sleep(PIECE_PAUSE_S)
        except OSError:
            pass
        for end in (source, sink):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def close(self):
        self.released.set()
        self.listener.close()


class Images:
    """Images in the registry that are not in the engine: push(tag, version) -> their id there."""

    def __init__(self, engine, folder, cluster):
        self.registry = Registry(folder, (USER, PASSWORD))
        self.relay = SlowRelay(self.registry.port)
        self.folder, self.path, self.ids = folder, f"{cluster}/thing", []
        self.docker = Docker(engine.socket, folder / "docker")
        for host in ("127.0.0.1", "localhost"):
            self.docker("login", "-u", USER, "--password-stdin", f"{host}:{self.registry.port}", input=PASSWORD.encode())
        self.config_json = folder / "docker" / "config.json"

    @property
    def server(self):
        return f"127.0.0.1:{self.registry.port}"

    def name(self, tag, slowly=False):
        return f"127.0.0.1:{self.relay.port if slowly else self.registry.port}/{self.path}:{tag}"

    def push(self, tag, version, size=16):
        """Under another name of the registry: nobody finds what is pushed here in the engine meanwhile."""
        name = f"localhost:{self.registry.port}/{self.path}:{tag}"
        content = self.folder / f"content-{version}"
        content.mkdir()
        shutil.copy(BACKEND, content / "backend")
        (content / "random").write_bytes(os.urandom(size))  # so that compression cannot make it small
        tar = subprocess.run(["tar", "-C", content, "-c", "."], capture_output=True, check=True).stdout
        made = self.docker("import", "--change", 'ENTRYPOINT ["/backend"]', "-", name, input=tar)
        self.docker("push", "-q", name)
        self.docker("image", "rm", name)
        self.ids.append(made)
        return made

    def stop(self):
        self.relay.close()
        self.registry.stop()
        for image in self.ids:
            subprocess.run([*self.docker.base, "image", "rm", "-f", image], capture_output=True)


@pytest.fixture
def images(engine, client, cluster, tmp_path):
    """To be asked for before `portico`, so that nobody makes containers of them any more when they go."""
    folder = tmp_path / "images"
    folder.mkdir()
    made = Images(engine, folder, cluster)
    yield made
    wait_until(lambda: remove_all(own_containers(client, cluster)), "its containers are gone")
    made.stop()


def web(image, **more):
    return {"name": "web", "image": image, "port": 8080, "stopTimeout": "1s", "deregistrationDelay": "1s", **more}


def login(server, **secret):
    return {"registries": [{"name": server, "username": USER, **secret}]}


def events(p):
    return [e["text"] for e in (p.api("/v1/services/web/events") or {}).get("events", [])]


def wait_event(p, *words):
    try:
        return wait_until(lambda: next((text for text in events(p) if all(word in text for word in words)), None), f"an event with {words}")
    except AssertionError as error:
        raise AssertionError(f"{error}\n{events(p)}") from None


def test_a_missing_image_is_pulled_with_progress_and_the_password_is_nowhere_to_be_seen(images, portico):
    image = images.push("1", 1, SLOW_BYTES)
    name = images.name("1", slowly=True)
    p = portico([web(name, desiredCount=2)], docker=login(f"127.0.0.1:{images.relay.port}", password=PASSWORD))
    wait_event(p, f"pull of image {name}: ", " % of ", "MiB")
    assert p.service()["imageId"] is None and p.service()["phase"] == "converging"
    images.relay.released.set()
    p.wait_routable(2)
    p.wait_served()
    assert p.service()["imageId"] == image
    assert p.service()["startFailureCount"] == 0
    wait_event(p, f"pull of image {name} ends after ")
    shown = subprocess.run([BINARY, "config", "show", p.config_path], capture_output=True, text=True)
    assert shown.returncode == 0 and "registries" in shown.stdout, shown.stderr
    everything = [p.log(), shown.stdout, *events(p), json.dumps(p.api("/v1/services")), json.dumps(p.api("/v1/tasks"))]
    assert not [text for text in everything if PASSWORD in text]


def test_a_wrong_password_is_told_and_the_right_one_is_taken_at_the_next_try(images, portico, tmp_path):
    image = images.push("1", 1)
    secret = tmp_path / "secret"
    secret.write_text("wrong\n")
    p = portico([web(images.name("1"))], docker=login(images.server, passwordFile=str(secret)))
    wait_event(p, "start failed", "the image could not be pulled: pull " + images.name("1"), "unauthorized")
    assert p.service()["phase"] == "impaired" and p.tasks() == []
    secret.write_text(PASSWORD)
    p.wait_routable(1)
    assert p.service()["imageId"] == image


def test_a_missing_tag_of_a_new_revision_leaves_the_old_tasks_alone(images, portico):
    first = images.push("1", 1)
    p = portico([web(images.name("1"))], docker={"registryConfig": str(images.config_json)})
    task, = p.wait_routable(1)
    p.config["services"] = [web(images.name("2"))]
    p.write_config()
    os.kill(p.process.pid, signal.SIGHUP)
    wait_event(p, "start failed", "the image could not be pulled", "not found")
    assert [one["id"] for one in p.routable()] == [task["id"]]
    second = images.push("2", 2)
    wait_until(lambda: p.service().get("imageId") == second and p.service()["phase"] == "steady", "the new one runs")
    assert first != second and len(p.routable()) == 1


def test_with_always_a_reload_rolls_to_what_was_pushed(images, portico, load):
    first = images.push("stable", 1)
    p = portico([web(images.name("stable"), pull="always")], docker={"registryConfig": str(images.config_json)})
    p.wait_routable(1)
    p.wait_served()
    traffic = load(p.port, per_second=50, threads=4)
    second = images.push("stable", 2)
    assert p.service()["imageId"] == first
    os.kill(p.process.pid, signal.SIGHUP)
    wait_until(lambda: p.service().get("imageId") == second and p.service()["phase"] == "steady", "the new one runs")
    wait_event(p, f"image {images.name('stable')} moved from {first[:19]} to {second[:19]}, rolling")
    traffic.wait_sent(50)
    assert traffic.stop() == []


def test_a_credential_helper_is_named_as_the_reason_and_is_not_run(images, portico, tmp_path):
    images.push("1", 1)
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"credHelpers": {images.server: "touch"}}))
    helper = pathlib.Path(tmp_path / "docker-credential-touch")
    helper.write_text("#!/bin/sh\ntouch \"$0.ran\"\n")
    helper.chmod(0o755)
    p = portico([web(images.name("1"))], docker={"registryConfig": str(config)})
    wait_event(p, "could not be pulled", "credential helper")
    assert not list(tmp_path.glob("*.ran"))
