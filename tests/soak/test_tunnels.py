"""A thousand tunnels, each opened to a task that is replaced with a thousand others, and control killed now and then: every change
is taken, each tunnel goes on, and the proxy's memory is that of the tunnels. The short form is
tests/unit/proxy/process/fleet_rows_test.c. SOAK_TUNNELS is how many."""
import os
import pathlib
import signal
import socket

from conftest import wait_until
from proxy_alone import Peer, Upstream, status
from test_proxy_tunnels import SWITCHING, UPGRADE

TUNNELS = int(os.environ.get("SOAK_TUNNELS", "1000"))
OTHERS = 999
KILL_EACH = 250          # tunnels between two deaths of control
WARM = 100               # tunnels, until memory is first looked at
BYTES_OF_A_TUNNEL = 32 << 10  # at most; a snapshot of a thousand endpoints that is held costs ten times as much


def switch_and_echo(peer, _):
    """Says first which address it was asked at."""
    peer.sock.settimeout(None)
    if not peer.take_head():
        return
    peer.send(SWITCHING + peer.sock.getsockname()[0].encode() + b"\n")
    while data := peer.sock.recv(4096):
        peer.send(data)


def address_of(number):
    return f"127.1.{number >> 8}.{number & 255}"


def replace_all(p, number, port):
    tunnelled = {"service": "ws", "address": f"{address_of(number)}:{port}", "host": "*", "path": "/"}
    others = [{"service": "web", "address": f"127.2.{number >> 8}.{number & 255}:{i + 1}", "host": "b", "path": "/"}
              for i in range(OTHERS)]
    p.write_endpoints([tunnelled, *others])
    p.send(signal.SIGHUP)  # at once, and not when control looks at the file the next time but one


def open_tunnel(p, number):
    """None: the change has not come yet."""
    peer = Peer(socket.create_connection(("127.0.0.1", p.port)))
    peer.send(UPGRADE)
    if status(peer.take_head()) == 101:
        while b"\n" not in peer.data and peer.more():
            pass
        if peer.data == address_of(number).encode() + b"\n":
            peer.data = b""
            return peer
    peer.sock.close()
    return None


def resident_bytes(pid):
    pages = int(pathlib.Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def test_a_thousand_tunnels_over_a_thousand_changes_hold_nothing_but_themselves(make_portico):
    tasks, tunnels, warm_bytes = Upstream(switch_and_echo, "0.0.0.0"), [], 0  # all of 127.0.0.0/8
    p = make_portico()
    p.start_and_wait()
    proxy = p.child("proxy")
    for number in range(TUNNELS):
        replace_all(p, number, tasks.port)
        tunnels.append(wait_until(lambda n=number: open_tunnel(p, n), f"change {number} is taken"))
        if number % KILL_EACH == KILL_EACH - 1:
            p.wait_for_new("control", p.kill("control"))
        if number == WARM - 1:
            warm_bytes = resident_bytes(proxy)
    grown = resident_bytes(proxy) - (warm_bytes or resident_bytes(proxy))
    print(f"{warm_bytes >> 10} KiB with {WARM} tunnels, {grown >> 10} KiB more with {TUNNELS}")
    for number, peer in enumerate(tunnels):
        peer.send(b"x")
        assert peer.take(1) == b"x", number
    assert p.child("proxy") == proxy
    assert "snapshot refused" not in p.log(), p.log()
    assert grown <= max(TUNNELS - WARM, 0) * BYTES_OF_A_TUNNEL
    wait_until(lambda: p.metric("portico_proxy_tunnels_open") == TUNNELS, "all of them are counted")
    for peer in tunnels:
        peer.sock.close()
    wait_until(lambda: p.metric("portico_proxy_tunnels_open") == 0, "none of them is counted")
    tasks.close()
