"""A rolling deployment under open tunnels: requests go over to the new task at once, a tunnel keeps the old one for a while of its own."""
import contextlib
import signal
import socket

from conftest import SHELL, own_containers
from engine import wait_until

UPGRADE = b"GET / HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
# One connection: switches and echoes when it is asked to, and says which version it is otherwise.
TASK = r"""
while read -r line; do
    case $line in [Uu]pgrade:*) switches=1 ;; ?) break ;; esac
done
if [ "$switches" ]; then
    printf 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n'
    exec cat
fi
printf 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: close\r\n\r\n%s' "$VERSION"
"""


def service(name, version, **more):
    return {"name": name, "host": name, "image": SHELL, "port": 8080, "stopTimeout": "1s", "deregistrationDelay": "0s",
            "command": ["nc", "-ll", "-p", "8080", "-e", "/busybox", "sh", "-c", TASK.replace("$", "$$")], "environment": {"VERSION": version}, **more}


class Tunnel:
    def __init__(self, port, host):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self.file = self.socket.makefile("rb")
        self.socket.sendall(UPGRADE % host.encode())
        self.status = self.file.readline().split()[1]
        while self.file.readline() not in (b"\r\n", b""):
            pass

    def echoes(self, text):
        with contextlib.suppress(OSError):
            self.socket.sendall(text + b"\n")
            return self.file.readline() == text + b"\n"
        return False

    def wait_end(self):
        with contextlib.suppress(ConnectionError):
            assert self.file.readline() == b""

    def close(self):
        self.file.close()
        self.socket.close()


def version_of(port, host):
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=60) as asked:
        asked.sendall(b"GET / HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n" % host.encode())
        return asked.makefile("rb").read()[-1:]
    return b""


def test_a_tunnel_outlives_a_roll_for_as_long_as_its_service_says(portico, client, cluster, shell_image):
    def services(version):
        return [service("patient", version), service("brief", version, tunnelDeregistrationDelay="0s")]

    def tasks_of(name):
        return {c.id for c in own_containers(client, cluster) if c.labels["portico.service"] == name}

    p = portico(services("1"))
    for name in ("patient", "brief"):
        wait_until(lambda host=name: version_of(p.port, host) == b"1", f"{name} serves")
    patient, brief = Tunnel(p.port, "patient"), Tunnel(p.port, "brief")
    assert patient.status == brief.status == b"101"
    assert patient.echoes(b"before") and brief.echoes(b"before")
    old_patient, old_brief = tasks_of("patient"), tasks_of("brief")

    p.config["services"] = services("2")
    p.write_config()
    p.process.send_signal(signal.SIGHUP)
    for name in ("patient", "brief"):
        wait_until(lambda host=name: version_of(p.port, host) == b"2", f"the new task of {name} serves")
    brief.wait_end()
    wait_until(lambda: not old_brief & tasks_of("brief"), "the old task whose tunnel had no time is gone")
    wait_until(lambda: any(t["id"] in old_patient and not t["routable"] for t in p.tasks("patient")), "the other gets no requests")
    assert patient.echoes(b"behind the roll")
    assert old_patient <= tasks_of("patient")

    patient.close()
    wait_until(lambda: not old_patient & tasks_of("patient"), "with its tunnel the old task goes too")
    brief.close()
