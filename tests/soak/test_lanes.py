"""A thousand addresses that answer no SYN, and a new task among them."""
import json
import os
import signal
import socket
import time

import pytest

from engine import wait_until
from ports import free_port
from portico_run import Portico

COUNT = 1000


@pytest.fixture
def black_hole():
    """A port of which all of 127.0.0.0/8 is black: the backlog of its listener is full."""
    listener = socket.socket()
    listener.bind(("0.0.0.0", 0))
    listener.listen(0)
    fillers = []
    for _ in range(8):
        filler = socket.socket()
        filler.setblocking(False)
        filler.connect_ex(("127.0.0.1", listener.getsockname()[1]))
        fillers.append(filler)
    yield listener.getsockname()[1]
    for one in [listener, *fillers]:
        one.close()


@pytest.fixture
def good():
    listener = socket.create_server(("127.0.0.1", free_port()), backlog=64)
    yield listener.getsockname()[1]
    listener.close()


class Files(Portico):
    """Without Docker: its tasks are in a file."""

    def __init__(self, directory, endpoints):
        self.endpoints_path = os.path.join(directory, "endpoints.json")
        self.write(endpoints)
        super().__init__(directory, "lanes", "/nowhere", [], workers=1)

    def write(self, endpoints):
        with open(self.endpoints_path + ".new", "w") as f:
            json.dump({"endpoints": endpoints}, f)
        os.rename(self.endpoints_path + ".new", self.endpoints_path)

    def write_config(self):
        self.config["docker"] = {"enabled": False}
        self.config["discovery"] = {"endpointsFile": self.endpoints_path}
        super().write_config()


@pytest.mark.parametrize("service", ["web", "another"])
def test_black_holed_addresses_do_not_delay_a_new_task(tmp_path, black_hole, good, service):
    dark = [{"service": "web", "address": f"127.1.{i // 250}.{i % 250 + 1}:{black_hole}", "host": "web.test"} for i in range(COUNT)]
    p = Files(str(tmp_path), dark)
    try:
        wait_until(lambda: len(p.tasks("web")) == COUNT, "all are known")
        took_s = []
        for _ in range(5):
            p.write([*dark, {"service": service, "address": f"127.0.0.1:{good}", "host": "web.test" if service == "web" else "a.test"}])
            begun = time.monotonic()
            p.process.send_signal(signal.SIGHUP)
            wait_until(lambda: p.routable(service), "the new task is routable")
            took_s.append(time.monotonic() - begun)
            p.write(dark)
            p.process.send_signal(signal.SIGHUP)
            wait_until(lambda: not p.routable(service), "it is gone")
        print("routable after", ", ".join(f"{t:.2f} s" for t in took_s))
        assert min(took_s) < 1
    finally:
        p.stop()
