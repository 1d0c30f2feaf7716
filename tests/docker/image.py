"""Portico's own image: what the last stage of the Dockerfile says, on a root file system made of this machine's files,
since nothing is pulled for a test."""
import http.client
import os
import pathlib
import shutil
import subprocess

from engine import start_or_remove, wait_until
from portico_run import BINARY

TOP = pathlib.Path(__file__).resolve().parents[2]
NAME = "portico-test-image:latest"
PROGRAM = "/usr/local/bin/portico"
CONFIG = "/etc/portico/portico.yaml"
ACCOUNT = "10001"


def last_stage():
    """Its instructions, without those that copy from the stages before it."""
    text = (TOP / "Dockerfile").read_text().rsplit("\nFROM ", 1)[1]
    return [line for line in text.splitlines()[1:] if line and not line.startswith("COPY --from=")]


def libraries(program):
    """Paths as the program asks for them."""
    said = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
    return sorted({word for word in said.split() if word.startswith("/")})


def build(docker_socket, folder):
    root, state = folder / "root", folder / "state"
    state.mkdir(parents=True)
    for source, path in [(BINARY, PROGRAM), *((lib, lib) for lib in libraries(BINARY))]:
        target = root / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)
    (folder / "Dockerfile").write_text("\n".join(
        ["FROM scratch", "COPY root/ /", f"COPY --chown={ACCOUNT}:{ACCOUNT} state /var/lib/portico", *last_stage(), ""]))
    done = subprocess.run(["docker", "-H", f"unix://{docker_socket}", "build", "-q", "-t", NAME, folder], capture_output=True, text=True,
                          env={**os.environ, "DOCKER_BUILDKIT": "0"})
    assert done.returncode == 0, done.stderr


class Inside:
    """Portico in a container with no right but to the engine's socket; folder/portico.yaml is its configuration."""

    def __init__(self, client, docker_socket, folder):
        self.container = client.containers.create(
            NAME, detach=True, cap_drop=["ALL"], read_only=True, security_opt=["no-new-privileges"],
            group_add=[str(os.stat(docker_socket).st_gid)],
            volumes={str(folder): {"bind": os.path.dirname(CONFIG), "mode": "ro"},
                     docker_socket: {"bind": "/var/run/docker.sock", "mode": "rw"}})
        start_or_remove(self.container)
        self.container.reload()
        self.address = self.container.attrs["NetworkSettings"]["IPAddress"]

    def attributes(self, name):
        self.container.reload()
        return self.container.attrs["State"][name]

    def log(self):
        return self.container.logs().decode(errors="replace")

    def connect(self, port=80):
        return http.client.HTTPConnection(self.address, port, timeout=60)

    def status(self, port=80, connection=None):
        """Of a GET, on a connection of its own unless one is given; None: no answer."""
        asked = connection or self.connect(port)
        try:
            asked.request("GET", "/")
            response = asked.getresponse()
            response.read()
            return response.status
        except (OSError, http.client.HTTPException):
            return None
        finally:
            if not connection:
                asked.close()

    def wait_served(self, port=80):
        try:
            wait_until(lambda: self.status(port) == 200, f"served on port {port}")
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.log()[-4000:]}") from None

    def run(self, *arguments):
        """A command inside: (exit code, what it said)."""
        done = self.container.exec_run([PROGRAM, *arguments])
        return done.exit_code, done.output.decode()
