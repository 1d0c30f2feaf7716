"""A systemd of its own in a container, on this machine's /usr, that has packaging/portico.service installed below /opt."""
import os
import pathlib
import shutil
import subprocess
import tarfile

import docker

from engine import wait_until
from portico_run import BINARY

NAME = "portico-test-systemd:latest"
UNIT = pathlib.Path(__file__).resolve().parents[2] / "packaging" / "portico.service"
CONFIG = "/etc/portico/portico.yaml"
PROGRAM = "/opt/bin/portico"
# As in a machine: systemd mounts, and gives each unit a root of its own.
RIGHTS = ["SYS_ADMIN", "NET_ADMIN"]
# Version 1 names the container's own group by its path from the top. In version 2 the top would be this machine's.
CGROUPS = {} if os.path.exists("/sys/fs/cgroup/cgroup.controllers") else {"/sys/fs/cgroup": {"bind": "/sys/fs/cgroup", "mode": "rw"}}


def make_root(folder):
    """What systemd wants besides /usr; an archive."""
    root = folder / "root"
    for name in ("etc/systemd/system", "etc/portico", "run", "tmp", "var/log", "var/lib", "proc", "sys", "dev", "root", "home", "usr", "opt"):
        (root / name).mkdir(parents=True)
    for name in ("bin", "sbin", "lib", "lib64"):
        if os.path.islink(f"/{name}"):
            (root / name).symlink_to(os.readlink(f"/{name}"))
    for name in ("passwd", "group", "ld.so.cache"):
        shutil.copy(f"/etc/{name}", root / "etc")
    (root / "etc/machine-id").touch()
    (root / "etc/os-release").touch()
    (root / "etc/systemd/system/portico.service").write_text(UNIT.read_text().replace("/usr/local", "/opt"))
    archive = folder / "root.tar"
    with tarfile.open(archive, "w") as tar:
        tar.add(root, arcname=".")
    return archive


class Machine:
    """Raises what the engine says when it makes no such container."""

    def __init__(self, client, docker_socket, folder):
        archive = make_root(folder)
        subprocess.run(["docker", "-H", f"unix://{docker_socket}", "import", archive, NAME], check=True, capture_output=True)
        self.programs, self.configuration = folder / "opt" / "bin", folder / "etc"
        self.programs.mkdir(parents=True)
        self.configuration.mkdir()
        self.put_program()
        self.container = client.containers.create(
            NAME, ["--unit=basic.target"], entrypoint="/usr/lib/systemd/systemd", detach=True, tty=True, cap_add=RIGHTS,
            security_opt=["seccomp=unconfined"], tmpfs={"/run": "", "/tmp": ""}, environment={"container": "docker"},
            volumes={"/usr": {"bind": "/usr", "mode": "ro"}, **CGROUPS,
                     str(self.programs): {"bind": os.path.dirname(PROGRAM), "mode": "rw"},
                     str(self.configuration): {"bind": os.path.dirname(CONFIG), "mode": "rw"}})

    def start(self):
        """False: this machine lets no systemd run in a container."""
        try:
            self.container.start()
        except docker.errors.APIError:
            return False
        wait_until(lambda: self.has_given_up() or self.run("systemctl", "is-system-running")[1].strip() in ("running", "degraded"),
                   "systemd has started")
        return not self.has_given_up()

    def has_given_up(self):
        self.container.reload()
        return self.container.status != "running" or b"Freezing execution" in self.container.logs()

    @property
    def address(self):
        return self.container.attrs["NetworkSettings"]["IPAddress"]

    def put_program(self):
        new = self.programs / "portico.new"
        shutil.copy(BINARY, new)
        new.rename(self.programs / "portico")

    def write(self, text):
        new = self.configuration / "portico.yaml.new"
        new.write_text(text)
        new.rename(self.configuration / "portico.yaml")

    def run(self, *command):
        """(exit code, what it said)."""
        try:
            done = self.container.exec_run(list(command))
        except docker.errors.APIError as error:
            return -1, str(error)
        return done.exit_code, done.output.decode(errors="replace")

    def systemctl(self, *words):
        code, said = self.run("systemctl", *words, "portico.service")
        assert code == 0, (words, said, self.log())
        return said

    def show(self, name):
        return self.systemctl("show", "--value", "-p", name).strip()

    def log(self):
        return self.run("journalctl", "--no-pager", "-o", "cat", "-u", "portico.service")[1]
