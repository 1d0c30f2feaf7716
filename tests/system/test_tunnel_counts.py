"""What the admin API tells of open tunnels: the autoscaler and the drain wait by the same numbers."""
import json
import socket

from conftest import wait_until
from proxy_alone import Peer, status
from proxy_fixtures import upstream  # noqa: F401 (fixture)
from test_proxy_tunnels import SWITCHING, UPGRADE, echo_after


def open_tunnel(port):
    peer = Peer(socket.create_connection(("127.0.0.1", port)))
    peer.send(UPGRADE)
    if status(peer.take_head()) == 101:
        return peer
    peer.sock.close()
    return None


def test_a_task_shows_its_open_tunnels_until_they_are_closed(make_portico, upstream):
    p = make_portico()
    up = upstream(echo_after(SWITCHING))
    p.write_endpoints([("web", f"127.0.0.1:{up.port}")])
    p.start_and_wait()

    def has(count):
        tasks = json.loads(p.admin("/v1/tasks")[1])["tasks"]
        return [t["tunnels"] for t in tasks] == [count]

    first = wait_until(lambda: open_tunnel(p.port), "the task is in rotation")
    wait_until(lambda: has(1), "one tunnel")
    second = open_tunnel(p.port)
    wait_until(lambda: has(2), "two tunnels")
    for peer, left in ((first, 1), (second, 0)):
        peer.sock.close()
        wait_until(lambda: has(left), f"{left} left")
