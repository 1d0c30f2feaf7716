"""A Docker Engine for the tests: the one that answers, or one that we start; or a private one that a test may restart."""
import os
import shutil
import signal
import subprocess
import tempfile
import time

DEADLINE_S = 240


def wait_until(condition, what, deadline_s=DEADLINE_S, interval_s=0.05):
    """Polls a state; the interval is not a guess about time, the deadline is a bound."""
    end = time.monotonic() + deadline_s
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(interval_s)
    raise AssertionError(f"not within {deadline_s} s: {what}")


def answers(socket_path):
    command = ["docker", "-H", f"unix://{socket_path}", "version", "--format", "{{.Server.Version}}"]
    return subprocess.run(command, capture_output=True).returncode == 0


class Engine:
    """dockerd with its own folders, socket and bridge, so that it disturbs no other engine of this machine."""

    def __init__(self, live_restore=True):
        self.live_restore = live_restore
        self.root = tempfile.mkdtemp(prefix="portico-engine-")
        self.socket = os.path.join(self.root, "docker.sock")
        self.bridge = f"br-pt{os.getpid()}"  # other runs have their own
        subnet = f"10.{213 + os.getpid() // 250 % 40}.{os.getpid() % 250}.1/24"
        self.process = None
        subprocess.run(["ip", "link", "del", self.bridge], capture_output=True)
        subprocess.run(["ip", "link", "add", self.bridge, "type", "bridge"], check=True)
        subprocess.run(["ip", "addr", "add", subnet, "dev", self.bridge], check=True)
        subprocess.run(["ip", "link", "set", self.bridge, "up"], check=True)
        self.start()

    def start(self):
        self.log = open(os.path.join(self.root, "dockerd.log"), "ab")
        self.process = subprocess.Popen(
            ["dockerd", *(["--live-restore"] if self.live_restore else []), "--iptables=false", "--ip-masq=false", "--userland-proxy=false",
             "--bridge", self.bridge, "--data-root", os.path.join(self.root, "data"), "--exec-root", os.path.join(self.root, "exec"),
             "--pidfile", os.path.join(self.root, "pid"), "-H", f"unix://{self.socket}"],
            stdout=self.log, stderr=self.log, start_new_session=True)
        wait_until(lambda: answers(self.socket), "private dockerd answers")

    def kill(self):
        """kill -9: what a crash leaves behind."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def terminate(self):
        self.process.terminate()
        self.process.wait(DEADLINE_S)

    def stop(self):
        """The last of all fixtures to go: nobody may make another container meanwhile."""
        docker = ["docker", "-H", f"unix://{self.socket}"]
        ids = subprocess.run([*docker, "ps", "-aq"], capture_output=True, text=True).stdout.split()
        if ids:
            subprocess.run([*docker, "rm", "-f", *ids], capture_output=True)
        self.terminate()
        subprocess.run(["ip", "link", "del", self.bridge], capture_output=True)
        # containerd of this engine ends with it; its mounts go with the last container
        shutil.rmtree(self.root, ignore_errors=True)


class SharedEngine:
    """The machine's engine. Started, and later stopped, only when none answers."""

    socket = "/var/run/docker.sock"

    def __init__(self):
        self.process = None
        if answers(self.socket):
            return
        self.root = tempfile.mkdtemp(prefix="portico-dockerd-")
        self.log = open(os.path.join(self.root, "dockerd.log"), "wb")
        self.process = subprocess.Popen(["dockerd"], stdout=self.log, stderr=self.log, start_new_session=True)
        wait_until(lambda: answers(self.socket), "dockerd answers")

    def stop(self):
        if self.process:
            self.process.terminate()
            self.process.wait(DEADLINE_S)
