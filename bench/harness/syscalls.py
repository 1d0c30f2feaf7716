"""System calls per request of a steady state, from short runs under strace: it slows the proxy down, so only the counts
mean anything. Of two runs of different length the difference counts, (calls(many) - calls(few)) / (many - few): what it
takes to open and close the clients' connections falls out. A run before, which nobody traces, has filled the pools."""
import signal
import subprocess
import time

from harness import machine, procfs

SECONDS = 2  # where the generator cannot be told a number of requests
FEW, MANY = 500, 3500
FEW_LARGE, MANY_LARGE = 40, 240  # bodies of more than LARGE_BYTES
LARGE_BYTES = 1 << 17
NAME_LEAST = 0.0005  # calls per request; rarer ones are not named
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


def difference(many, few):
    """Per system call. A rare one, such as that of a timer, may have come more often in the shorter run: never below 0."""
    return {name: max(0, count - few.get(name, 0)) for name, count in many.items()}


def per_request(counts, requests):
    """By kind, and "all"; and "names"."""
    kinds = dict.fromkeys(["all", *KINDS, "other"], 0)
    for name, count in counts.items():
        kind = next((k for k, names in KINDS.items() if name in names), "other")
        kinds[kind] += count
        kinds["all"] += count
    found = {kind: round(count / requests, 3) for kind, count in kinds.items()}
    shares = sorted(((name, count / requests) for name, count in counts.items()), key=lambda pair: -pair[1])
    return {**found, "names": {name: round(share, 3) for name, share in shares if share >= NAME_LEAST}}


def in_four(kinds):
    """Read and write calls, epoll_ctl, epoll_wait, all others."""
    return (round(kinds["read"] + kinds["write"], 3), kinds["epoll_ctl"], kinds["epoll_wait"],
            round(kinds["connection"] + kinds["other"], 3))


def _is_traced(pids):
    for pid in pids:
        try:
            with open(f"/proc/{pid}/status") as f:
                if "TracerPid:\t0" in f.read():
                    return False
        except OSError:
            return False
    return True


def _trace(processes, generator, standing, load, requests):
    """What one run has called, and its requests; None when it could not be measured. requests: None for SECONDS."""
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
        drive = generator.drive(standing.port, load, SECONDS, requests=requests)
        if tracer.poll() is not None or drive.problem or not drive.requests:
            return None
        tracer.send_signal(signal.SIGINT)
        tracer.wait(10)
        with open(path) as f:
            return parse_summary(f.read()), drive.requests
    except subprocess.TimeoutExpired:
        return None
    finally:
        processes.stop([tracer])


def measure(processes, generator, standing, load):
    """See per_request(); None when it could not be measured."""
    if not machine.find_program("strace"):
        return None
    if not generator.counts_requests:
        traced = _trace(processes, generator, standing, load, None)
        return per_request(*traced) if traced else None
    is_large = max(load.response_bytes or 0, load.body_bytes) > LARGE_BYTES
    few, many = (FEW_LARGE, MANY_LARGE) if is_large else (FEW, MANY)
    if generator.drive(standing.port, load, SECONDS, requests=few).problem:
        return None
    short = _trace(processes, generator, standing, load, few)
    long = short and _trace(processes, generator, standing, load, many)
    if not long:
        return None
    return per_request(difference(long[0], short[0]), many - few)
