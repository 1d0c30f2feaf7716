"""Connections that are quiet for longer than most time-outs of other proxies, by a real clock and with the settings that
nobody changed; and the path of an npm registry beside them."""
import concurrent.futures
import socket
import threading
import time

import pytest

from proxy_alone import Peer, Upstream, fields, status

QUIET_S = 50
PAUSE_S = 35  # of a task in the middle of an upload
UPLOAD = 64 * 1024 * 1024  # more than all buffers between the client and the task
PATIENCE_S = 300
BLOCK = bytes(range(256)) * 256
SCOPED = "/@scope%2fpackage/-/package-1.0.0.tgz"


def stream_events(peer):
    peer.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
    peer.send(b"9\r\ndata: 1\n\n\r\n")
    time.sleep(QUIET_S)
    peer.send(b"9\r\ndata: 2\n\n\r\n0\r\n\r\n")


def take_upload(peer):
    got = len(peer.take(1024 * 1024))
    time.sleep(PAUSE_S)
    while got < UPLOAD:
        got += len(peer.take(min(1024 * 1024, UPLOAD - got)))
    peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n%08d" % got)


def echo_after_a_silence(peer):
    peer.send(b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n")
    word = peer.take(4)
    time.sleep(QUIET_S)
    peer.send(word)
    peer.take_rest()


def serve(peer, up):
    peer.sock.settimeout(PATIENCE_S)
    while head := peer.take_head():
        target = head.split(b" ")[1].decode()
        up.record(target)
        if target == "/events":
            stream_events(peer)
        elif target == "/upload":
            take_upload(peer)
        elif target == "/socket":
            echo_after_a_silence(peer)
            return
        else:
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")


@pytest.fixture
def stack(make_portico):
    """(the running Portico, its only task): nothing is configured but where things are."""
    task = Upstream(serve)
    p = make_portico(proxy={})
    p.start_and_wait()
    p.write_endpoints([("web", f"127.0.0.1:{task.port}")])
    p.wait_serving()
    yield p, task
    task.close()


def open_peer(p):
    peer = Peer(socket.create_connection(("127.0.0.1", p.port)))
    peer.sock.settimeout(PATIENCE_S)
    return peer


def ask(p, target, method=b"GET", more=b""):
    peer = open_peer(p)
    peer.send(b"%s %s HTTP/1.1\r\nHost: example.com\r\n%s\r\n" % (method, target.encode(), more))
    return peer


def read_events(p):
    peer = ask(p, "/events")
    assert status(peer.take_head()) == 200
    assert peer.take_chunked() == b"data: 1\n\ndata: 2\n\n"


def upload(p):
    peer = ask(p, "/upload", b"PUT", b"Content-Length: %d\r\n" % UPLOAD)
    for _ in range(UPLOAD // len(BLOCK)):
        peer.send(BLOCK)
    head = peer.take_head()
    assert status(head) == 200 and peer.take(8) == b"%08d" % UPLOAD, head


def use_web_socket(p):
    peer = ask(p, "/socket", more=b"Connection: upgrade\r\nUpgrade: websocket\r\n")
    head = peer.take_head()
    assert status(head) == 101 and fields(head)["upgrade"] == ["websocket"]
    peer.send(b"ping")
    assert peer.take(4) == b"ping"
    peer.close()


def fetch_packages(p, is_over):
    count = 0
    while not is_over.wait(1):
        peer = ask(p, SCOPED)
        assert status(peer.take_head()) == 200 and peer.take(2) == b"ok"
        peer.close()
        count += 1
    assert count > 10


def test_quiet_streams_pausing_uploads_and_scoped_packages_work_with_the_defaults(stack):
    p, task = stack
    is_over = threading.Event()
    with concurrent.futures.ThreadPoolExecutor() as pool:
        beside = pool.submit(fetch_packages, p, is_over)
        try:
            for one in [pool.submit(talk, p) for talk in (read_events, upload, use_web_socket)]:
                one.result()
        finally:
            is_over.set()
        beside.result()
    assert SCOPED in task.heads  # as it came
    # Nobody was timed out, on either side.
    assert p.metric("portico_proxy_client_timeouts_total") == 0
    assert p.metric("portico_proxy_upstream_timeouts_total") == 0
