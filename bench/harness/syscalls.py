"""System calls per request, from a short run of its own under strace: it slows the proxy down, so only the counts mean
anything."""
import signal
import subprocess
import time

from harness import machine, procfs

SECONDS = 2
KINDS = {
    "read": {"read", "readv", "recv", "recvfrom", "recvmsg", "recvmmsg"},
    "write": {"write", "writev", "send", "sendto", "sendmsg", "sendmmsg", "sendfile", "splice"},
    "epoll_ctl": {"epoll_ctl"},
    "epoll_wait": {"epoll_wait", "epoll_pwait", "epoll_pwait2"},
    "connection": {"accept", "accept4", "socket", "connect", "close", "shutdown", "setsockopt", "getsockopt", "getsockname",
                   "getpeername", "bind", "fcntl", "ioctl"},
}
ATTACH_TIMEOUT_S = 5


def parse_summary(text):
    """strace -c's table: {system call: count}."""
    counts = {}
    for line in text.splitlines():
        fields = line.split()
        # % time, seconds, usecs/call, calls, errors (may be empty), name
        if len(fields) >= 5 and fields[3].isdigit() and fields[-1] != "total":
            counts[fields[-1]] = counts.get(fields[-1], 0) + int(fields[3])
    return counts


def per_request(counts, requests):
    kinds = dict.fromkeys(["all", *KINDS, "other"], 0)
    for name, count in counts.items():
        kind = next((k for k, names in KINDS.items() if name in names), "other")
        kinds[kind] += count
        kinds["all"] += count
    return {kind: round(count / requests, 3) for kind, count in kinds.items()}


def _is_traced(pids):
    for pid in pids:
        try:
            with open(f"/proc/{pid}/status") as f:
                if "TracerPid:\t0" in f.read():
                    return False
        except OSError:
            return False
    return True


def measure(processes, generator, standing, load):
    """By kind, and "all"; None when it could not be measured."""
    if not machine.find_program("strace"):
        return None
    path = f"{standing.instance.folder}/calls"
    pids = procfs.tree(standing.process.pid)
    attach = [word for pid in pids for word in ("-p", str(pid))]
    tracer = processes.start(machine.LOAD_CORE, ["strace", "-c", "-f", "-o", path, *attach])
    try:
        deadline = time.monotonic() + ATTACH_TIMEOUT_S
        while not _is_traced(pids):
            if tracer.poll() is not None or time.monotonic() > deadline:
                return None
            time.sleep(0.02)
        drive = generator.drive(standing.port, load, SECONDS)
        if tracer.poll() is not None or drive.problem or not drive.requests:
            return None
        tracer.send_signal(signal.SIGINT)
        tracer.wait(10)
        with open(path) as f:
            return per_request(parse_summary(f.read()), drive.requests)
    except subprocess.TimeoutExpired:
        return None
    finally:
        processes.stop([tracer])
