"""Docker Engines for the tests. Each runner has one of its own: what others do on this machine, and tests that run side by
side, have their containers elsewhere. A test that kills or restarts one has a further one."""
import itertools
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


def start_or_remove(container):
    """Else nobody would remove it: there is no object yet that could be stopped."""
    try:
        container.start()
    except Exception:
        container.remove(force=True)
        raise


def answers(socket_path):
    command = ["docker", "-H", f"unix://{socket_path}", "version", "--format", "{{.Server.Version}}"]
    return subprocess.run(command, capture_output=True).returncode == 0


def free_subnet(number):
    """The first of 10.213-252.0-249.0/24, from this number on, that no interface of the machine has: without its last byte."""
    taken = subprocess.run(["ip", "-o", "-4", "addr"], capture_output=True, text=True, check=True).stdout
    for n in itertools.count(number):
        subnet = f"10.{213 + n // 250 % 40}.{n % 250}."
        if f" {subnet}" not in taken:
            return subnet


class Engine:
    """dockerd with its own folders, socket and bridge, so that it disturbs no other engine of this machine."""

    numbers = itertools.count()

    def __init__(self, live_restore=True):
        self.live_restore = live_restore
        self.root = tempfile.mkdtemp(prefix="portico-engine-")
        self.socket = os.path.join(self.root, "docker.sock")
        number = next(self.numbers)
        self.bridge = f"pt{os.getpid()}-{number}"  # other runs have their own
        self.process = None
        subprocess.run(["ip", "link", "del", self.bridge], capture_output=True)
        subprocess.run(["ip", "link", "add", self.bridge, "type", "bridge"], check=True)
        # Far from that of a run beside this one, which looks for a free one at the same time. The upper half is for networks.
        subnet = free_subnet(37 * os.getpid() + number)
        self.networks = f"base={subnet}128/25,size=28"
        subprocess.run(["ip", "addr", "add", f"{subnet}1/25", "dev", self.bridge], check=True)
        subprocess.run(["ip", "link", "set", self.bridge, "up"], check=True)
        # Our containers may speak within each of their networks and not from one to another, whatever the engine of the
        # machine has set for all. Where bridged frames cannot be matched they are not filtered either.
        self.forwarding = [["FORWARD", "-s", f"{subnet}0/24", "-d", f"{subnet}0/24", "-j", "DROP"],
                           ["FORWARD", "-s", f"{subnet}0/24", "-m", "physdev", "--physdev-is-bridged", "-j", "ACCEPT"]]
        for rule in self.forwarding:
            subprocess.run(["iptables", "-w", "-I", *rule], capture_output=True)
        try:
            self.start()
        except BaseException:
            self.stop()  # else nobody would: there is no Engine yet
            raise

    def start(self):
        # An engine with pools of addresses and without live-restore removes docker0, whosever it is, when it starts a second time.
        manner = ["--default-address-pool", self.networks, "--live-restore"] if self.live_restore else []
        settings = os.path.join(self.root, "daemon.json")
        with open(settings, "w") as f:
            f.write("{}")  # not the machine's, which may set what we set
        self.log = open(os.path.join(self.root, "dockerd.log"), "ab")
        self.process = subprocess.Popen(
            ["dockerd", *manner, "--config-file", settings, "--iptables=false", "--ip-masq=false", "--userland-proxy=false",
             "--bridge", self.bridge, "--data-root", os.path.join(self.root, "data"),
             "--exec-root", os.path.join(self.root, "exec"), "--pidfile", os.path.join(self.root, "pid"), "-H", f"unix://{self.socket}"],
            stdout=self.log, stderr=self.log, start_new_session=True)
        wait_until(lambda: answers(self.socket), "private dockerd answers")

    def kill(self):
        """kill -9: what a crash leaves behind."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def terminate(self):
        self.process.terminate()
        self.process.wait(DEADLINE_S)

    def mounts(self):
        """Below its folder, the last first."""
        with open("/proc/self/mountinfo") as f:
            places = [line.split()[4] for line in f]
        return [place for place in reversed(places) if place.startswith(f"{self.root}/")]

    def stop(self):
        """The last of all fixtures to go: nobody may make another container meanwhile."""
        docker = ["docker", "-H", f"unix://{self.socket}"]
        ids = subprocess.run([*docker, "ps", "-aq"], capture_output=True, text=True).stdout.split()
        if ids:
            subprocess.run([*docker, "rm", "-f", *ids], capture_output=True)
        subprocess.run([*docker, "network", "prune", "-f"], capture_output=True)
        if self.process:
            self.terminate()
        for rule in self.forwarding:
            subprocess.run(["iptables", "-w", "-D", *rule], capture_output=True)
        subprocess.run(["ip", "link", "del", self.bridge], capture_output=True)
        # containerd of this engine ends with it. What a killed engine has mounted stays, and one that goes on does not know of it.
        for place in self.mounts():
            subprocess.run(["umount", "--lazy", place], capture_output=True)
        shutil.rmtree(self.root, ignore_errors=True)
