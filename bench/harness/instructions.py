"""User-space instructions per request, counted by valgrind's callgrind in runs of their own: (Ir(many) - Ir(few)) /
(many - few), so that the start and the end of the process fall out. They are the same on a noisy machine."""
import os
import re
import subprocess

from harness import machine, peers
from harness.problem import Problem
from harness.processes import free_ports, log_tail, wait_for_answer

FEW, MANY = 500, 2500
FEW_LARGE, MANY_LARGE = 50, 150  # bodies of more than LARGE_BYTES
LARGE_BYTES = 1 << 17
CONNECTIONS = 8
START_TIMEOUT_S = 60
STOP_TIMEOUT_S = 60


def parse_collected(text):
    """The last "Collected : N" of a callgrind run; None when there is none."""
    found = re.findall(r"Collected\s*:\s*(\d+)", text)
    return int(found[-1]) if found else None


def _unjail(processes):
    """Path of a library that makes seccomp_load() do nothing."""
    path = os.path.join(processes.folder, "without_seccomp.so")
    if not os.path.exists(path):
        source = os.path.join(os.path.dirname(os.path.abspath(__file__)), "without_seccomp.c")
        done = subprocess.run(["cc", "-shared", "-fPIC", "-o", path, source], capture_output=True, text=True)
        if done.returncode != 0:
            raise Problem(f"cc: {done.stderr.strip()[-200:]}")
    return path


def under_valgrind(standing, options):
    """An instance of the same peer with the same backends on a port of its own, and the command that runs it."""
    [port] = free_ports(1)
    instance = peers.Instance(standing.peer, standing.instance.folder + "-valgrind", port, standing.instance.backends,
                              standing.instance.route_paths)
    return instance, ["valgrind", *options, *instance.command(standing.peer.valgrind_arguments)]


def environment_of(processes, peer):
    return {"LD_PRELOAD": _unjail(processes)} if peer.needs_unjailing else {}


def _count(processes, generator, standing, load, requests):
    """Instructions of one whole run with so many requests; raises Problem."""
    instance, command = under_valgrind(standing, ["--tool=callgrind", "--callgrind-out-file=/dev/null"])
    port = instance.port
    process = processes.start(machine.PROXY_CORE, command, environment_of(processes, standing.peer))
    try:
        if not wait_for_answer(port, process, START_TIMEOUT_S):
            raise Problem(f"does not answer under valgrind: {log_tail(process)}")
        drive = generator.drive(port, load, 1, requests=requests)
        if drive.problem or drive.failed or drive.requests != requests:
            raise Problem(drive.problem or f"{drive.ok} of {requests} requests answered under valgrind")
        process.terminate()
        process.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        raise Problem("does not end under valgrind") from None
    finally:
        processes.stop([process])
    with open(process.log_path, errors="replace") as f:
        collected = parse_collected(f.read())
    if collected is None:
        raise Problem(f"callgrind counted nothing: {log_tail(process)}")
    return collected


def measure(processes, generator, standing, load):
    """Instructions per request; None where it is not possible. Raises Problem."""
    if standing.peer.valgrind_arguments is None or not generator.counts_requests or not machine.find_program("valgrind"):
        return None
    large = max(load.response_bytes or 0, load.body_bytes) > LARGE_BYTES
    few, many = (FEW_LARGE, MANY_LARGE) if large else (FEW, MANY)
    few_load = type(load)(**{**vars(load), "connections": min(CONNECTIONS, load.connections), "shape": "closed", "rate": None})
    low = _count(processes, generator, standing, few_load, few)
    high = _count(processes, generator, standing, few_load, many)
    return (high - low) / (many - few)
