"""Podman's service on a socket of its own: storage, networks and settings in a folder that goes with the test."""
import os
import shutil
import subprocess
import tempfile

from engine import DEADLINE_S, wait_until

# Containers may not ask for more than this machine's own limits, where it is a container itself.
SETTINGS = """
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
[engine]
events_logger = "file"
"""


class Podman:
    def __init__(self):
        self.root = tempfile.mkdtemp(prefix="portico-podman-")
        self.socket = os.path.join(self.root, "podman.sock")
        settings = os.path.join(self.root, "containers.conf")
        with open(settings, "w") as f:
            f.write(SETTINGS)
        self.environment = {**os.environ, "CONTAINERS_CONF": settings}
        self.command = ["podman", "--root", self.path("storage"), "--runroot", self.path("run"), "--tmpdir", self.path("tmp"),
                        "--network-config-dir", self.path("networks"), "--storage-driver", "vfs", "--cgroup-manager", "cgroupfs"]
        self.log = open(os.path.join(self.root, "service.log"), "wb")
        self.process = subprocess.Popen([*self.command, "system", "service", "--time=0", f"unix://{self.socket}"], env=self.environment,
                                        stdout=self.log, stderr=self.log, start_new_session=True)
        wait_until(lambda: os.path.exists(self.socket), "podman's socket is there")

    def path(self, name):
        made = os.path.join(self.root, name)
        os.makedirs(made, exist_ok=True)
        return made

    def run(self, *arguments, stdin=None):
        done = subprocess.run([*self.command, *arguments], env=self.environment, stdin=stdin, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def import_image(self, binary, name):
        """From nothing: that program alone."""
        with subprocess.Popen(["tar", "-C", os.path.dirname(os.path.abspath(binary)), "-c", os.path.basename(binary)],
                              stdout=subprocess.PIPE) as tar:
            self.run("import", "--change", f'ENTRYPOINT ["/{os.path.basename(binary)}"]', "-", name, stdin=tar.stdout)

    def stop(self):
        ids = self.run("ps", "-aq").split()
        if ids:
            self.run("rm", "-f", "-t", "0", *ids)
        self.process.terminate()
        self.process.wait(DEADLINE_S)
        self.log.close()
        shutil.rmtree(self.root, ignore_errors=True)
