"""All that hangs, floods or lies at once, and beside it a task that comes and one that goes."""
import http.server
import json
import os
import signal
import threading
import time

import pytest

from engine import wait_until
from fake_docker import FakeDocker
from portico_run import Portico, get_once
from test_lanes import black_hole  # noqa: F401 (fixture)

DARK_COUNT, STOP_COUNT, STRANGER_COUNT = 1000, 99, 17
ROUND_COUNT, ROUNDS_MAX = 5, 40


class Standstill:
    """How long the machine did not let a thread go on that wanted to: a round in which it stood still measures the machine."""

    def __init__(self):
        self.longest_s = 0.0
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self):
        while True:
            begun = time.monotonic()
            time.sleep(0.01)
            self.longest_s = max(self.longest_s, time.monotonic() - begun - 0.01)

    def take(self):
        longest_s, self.longest_s = self.longest_s, 0.0
        return longest_s


@pytest.fixture
def backend_port():
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("0.0.0.0", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()


@pytest.fixture
def docker(tmp_path):
    fake = FakeDocker(tmp_path / "docker.sock")
    yield fake
    fake.close()


def labels(service, port, **more):
    return {"portico.enable": "true", "portico.service": service, "portico.port": str(port), "portico.path": f"/{service}", **more}


def test_a_good_task_comes_and_a_dead_one_goes_while_everything_hangs(tmp_path, docker, black_hole, backend_port):  # noqa: F811
    endpoints = tmp_path / "endpoints.json"
    endpoints.write_text(json.dumps({"endpoints": [
        {"service": "dark", "address": f"127.2.{i // 250}.{i % 250 + 1}:{black_hole}", "host": "dark.test"} for i in range(DARK_COUNT)]}))
    for _ in range(STRANGER_COUNT):
        docker.add(labels("crowd", backend_port, long="x" * 1_000_000), state="exited")
    docker.start(docker.add(labels("first", backend_port, hangs="yes"), state="created"))
    web = {"name": "web", "image": "web", "host": "web.test", "port": backend_port, "desiredCount": STOP_COUNT}
    p = Portico(str(tmp_path), "atonce", docker.path, [web], workers=1, endpoints_file=str(endpoints))
    try:
        p.wait_routable(STOP_COUNT, "web")
        assert p.api("/v1/services/web", "PATCH", {"desiredCount": 0}) is not None
        wait_until(lambda: docker.hanging.get("stop", 0) >= 64, "as many stops hang as one service may have")
        docker.start(docker.add(labels("stuck", backend_port, hangs="yes"), state="created"))
        wait_until(lambda: len(docker.hanging) == 3, "another look hangs")
        endpoints.write_text('{"endpoints": [{"service": "dark", "addr')
        os.kill(p.process.pid, signal.SIGHUP)
        wait_until(lambda: "endpoints" in p.api("/readyz")["warning"], "the file is refused")
        assert len(p.tasks("dark")) == DARK_COUNT

        rounds, standstill = [], Standstill()
        for turn in range(ROUNDS_MAX):
            one = docker.add(labels(f"good{turn}", backend_port), state="created")
            standstill.take()
            begun = time.monotonic()
            docker.start(one)
            wait_until(lambda: get_once(p.port, f"/good{turn}") == 200, "it is served")
            came = time.monotonic()
            docker.die(one)
            wait_until(lambda: get_once(p.port, f"/good{turn}") == 503, "it is out")
            if standstill.take() < 0.1:
                rounds.append((came - begun, time.monotonic() - came))
            if len(rounds) == ROUND_COUNT:
                break
        print("served after and out after", rounds)
        assert rounds, "the machine never let the test measure"
        assert all(came_s < 1 and went_s < 1 for came_s, went_s in rounds)
        assert docker.hanging["stop"] >= 64
    finally:
        p.stop()
