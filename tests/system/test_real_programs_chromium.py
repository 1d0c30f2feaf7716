"""Chromium, without a window, loads a page through the proxy; the page itself reports what it got."""
import asyncio
import queue
import threading
import time

import pytest

from deaf_to_network import deafen
from proxy_alone import endpoints
from proxy_fixtures import proxy  # noqa: F401 (fixture)
from real_browser_page import EVENTS, MESSAGES, RESOURCES, TARGETS, ReportServer, write_site
from real_programs import DEADLINE_S, environment, nginx, require, server, wait_until  # noqa: F401 (fixtures)

FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--disable-extensions", "--no-proxy-server",
         "--disable-default-apps", "--mute-audio")


class EchoServer:
    """python3-websockets in a thread with a loop of its own."""

    def __init__(self):
        self.websockets = pytest.importorskip("websockets", reason="websockets is not installed (Debian package python3-websockets)")
        self.loop = asyncio.new_event_loop()
        self.started = threading.Event()
        self.thread = threading.Thread(target=self.loop.run_until_complete, args=(self.serve(),))
        self.thread.start()
        assert self.started.wait(DEADLINE_S)

    async def serve(self):
        async def echo(socket):
            async for message in socket:
                if message == "close, please":
                    return await socket.close(4001, "so long")
                else:
                    await socket.send(message)

        self.stopping = asyncio.Event()
        async with self.websockets.serve(echo, "127.0.0.1", 0, subprotocols=["echo"],
                                         close_timeout=DEADLINE_S, ping_interval=None) as serving:
            self.port = serving.sockets[0].getsockname()[1]
            self.started.set()
            await self.stopping.wait()

    def stop(self):
        self.loop.call_soon_threadsafe(self.stopping.set)
        self.thread.join(DEADLINE_S)
        self.loop.close()


@pytest.fixture
def browse(proxy, nginx, server, tmp_path):
    """browse(task) -> (what the page reported, nginx, numbers of resources)"""
    made = [ReportServer(), EchoServer()]

    def make(task):
        chromium = require("chromium", "chromium")
        files, (api, echo) = nginx(), made
        counts = write_site(files.www)
        services = [{"name": name, "endpoints": endpoints([port])}
                    for name, port in (("files", files.port), ("api", api.port), ("ws", echo.port))]
        p = proxy([], services=services, routes=[{"host": "*", "path": path, "service": name} for path, name in
                                                 (("/", "files"), ("/api", "api"), ("/ws", "ws"))])
        running = server(chromium, *FLAGS, f"--user-data-dir={tmp_path}/profile", f"http://127.0.0.1:{p.port}/?task={task}",
                         env=environment(HOME=str(tmp_path), XDG_CONFIG_HOME=f"{tmp_path}/config", XDG_CACHE_HOME=f"{tmp_path}/cache"),
                         preexec_fn=deafen)
        end = time.monotonic() + DEADLINE_S
        while time.monotonic() < end:
            assert running.process.poll() is None, running.log()
            try:
                report = api.reports.get(timeout=0.5)
            except queue.Empty:
                continue
            running.stop()
            return report, files, counts
        raise AssertionError("the page reported nothing:\n" + running.log())

    yield make
    for one in made:
        one.stop()


def test_a_page_with_a_hundred_resources_loads_whole(browse):
    report, files, (scripts, styles, images) = browse("resources")
    assert scripts + styles + images == RESOURCES
    assert report == {"scripts": scripts, "styles": styles, "images": images, "failed": []}

    def requests_of(i):
        return [line.split('"')[1:3] for line in files.requests() if f'"GET /{i}.' in line]

    for i in range(RESOURCES):
        wait_until(lambda: requests_of(i), f"resource {i} in nginx's access log")
        request, answer = requests_of(i)[0]
        assert request.endswith(" HTTP/1.1") and answer.startswith(" 200 "), i


def test_an_event_source_gets_each_event_as_it_is_sent(browse):
    report, _, _ = browse("events")
    assert report == {"events": [str(i) for i in range(EVENTS)], "failed": []}


def test_a_web_socket_echoes_and_keeps_its_close_code(browse):
    report, _, _ = browse("socket")
    assert report == {"sent": MESSAGES, "wrong": 0, "code": 4001, "reason": "so long", "clean": True, "protocol": "echo",
                      "failed": []}


def test_what_a_browser_leaves_unencoded_reaches_the_task(browse):
    report, files, _ = browse("targets")
    assert report == {"statuses": {target: 200 for target in TARGETS}, "failed": []}
    for sent_on in ("/report%5B1%5D.txt", "/100%25", "/a%7Cb", "/?p=C:\\x5Cx", "/@scope%2fname"):
        wait_until(lambda: [line for line in files.requests() if f'"GET {sent_on} ' in line], f"{sent_on} in nginx's access log")
