"""Few tasks are the normal case: a server that reloads alone, and one of three that is killed, fail no request that may be sent again."""
import contextlib
import os
import subprocess
import threading
import time

from proxy_alone import DEADLINE_S, ProxyAlone, fields, free_port, status
from real_programs import require, wait_until

CLIENTS = 16
NGINX = """
daemon off; pid {folder}/pid; error_log {folder}/error.log; worker_processes 2;
events {{ worker_connections 1024; }}
http {{
    access_log off; client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3;
    uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5; keepalive_requests 100000;
    server {{ listen 127.0.0.1:{port} reuseport; location / {{ return 200 "ok"; }} }}
}}
"""


class Clients:
    """Keep-alive clients that ask one GET after the other until told to stop; what is not a 200 is kept."""

    def __init__(self, p):
        self.p, self.done, self.failed, self.stopping = p, [0] * CLIENTS, [], threading.Event()
        self.threads = [threading.Thread(target=self.run, args=(n,), daemon=True) for n in range(CLIENTS)]

    def run(self, number):
        peer = self.p.connect()
        while not self.stopping.is_set():
            try:
                peer.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                head = peer.take_head()
                length = int(fields(head)["content-length"][0])
                if status(head) != 200 or len(peer.take(length)) != length:
                    raise EOFError(head)
            except (OSError, EOFError, LookupError) as error:
                self.failed.append(repr(error))
                peer = self.p.connect()
            self.done[number] += 1

    def wait_for(self, total):
        deadline = time.monotonic() + 10 * DEADLINE_S
        while sum(self.done) < total:
            assert time.monotonic() < deadline, f"{sum(self.done)} of {total} requests answered"
            time.sleep(0.01)

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        for thread in self.threads:
            thread.join(DEADLINE_S)


@contextlib.contextmanager
def proxy_to(folder, ports):
    p = ProxyAlone(folder, ports, workers=2)
    try:
        yield p
    finally:
        assert p.stop() == 0


def test_the_only_server_reloads_twenty_times(tmp_path):
    port, requests, reloads = free_port(), 50_000, 20
    configuration = tmp_path / "nginx.conf"
    configuration.write_text(NGINX.format(folder=tmp_path, port=port))
    server = subprocess.Popen([require("nginx", "nginx"), "-c", configuration], stderr=subprocess.DEVNULL)
    try:
        with proxy_to(tmp_path, [port]) as p:
            wait_until(lambda: p.get()[0] == 200, "it serves")
            with Clients(p) as clients:
                for number in range(reloads):
                    clients.wait_for(requests * (number + 1) // (reloads + 1))
                    server.send_signal(1)
                clients.wait_for(requests)
    finally:
        server.terminate()
        server.wait()
    assert clients.failed == [], f"{len(clients.failed)} of {sum(clients.done)}"


def test_one_of_three_tasks_is_killed_and_comes_back(tmp_path):
    program = os.path.join(os.environ.get("PORTICO_OUT", "build/release"), "bench", "backend")
    ports, kills = [free_port() for _ in range(3)], 20

    def start(port):
        return subprocess.Popen([program, "--port", str(port)], stderr=subprocess.DEVNULL)

    tasks = [start(port) for port in ports]
    try:
        with proxy_to(tmp_path, ports) as p:
            wait_until(lambda: p.get()[0] == 200, "it serves")
            with Clients(p) as clients:
                for number in range(kills):
                    clients.wait_for(1000 * (number + 1))
                    tasks[number % 3].kill()
                    tasks[number % 3].wait()
                    clients.wait_for(1000 * (number + 1) + 500)
                    tasks[number % 3] = start(ports[number % 3])
                clients.wait_for(1000 * (kills + 1))
    finally:
        for task in tasks:
            task.kill()
            task.wait()
    assert clients.failed == [], f"{len(clients.failed)} of {sum(clients.done)}"
