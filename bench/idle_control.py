#!/usr/bin/python3
"""What the control process costs while nothing happens: thousands of healthy tasks, default health checks, no traffic, no
change. Prints its CPU time as a share of one core. Tasks are addresses of 127.0.0.0/8 that one backend answers for."""
import argparse
import http.client
import json
import os
import sys
import time
import urllib.request

from harness import processes, procfs

CHECKED_PATH = "/health"
ADDRESSES_OF_NET = 250
SERVICES_CONFIGURED_MAX = 1000
READY_S = 120
SETTLE_S = 10


def addresses(count, port):
    return [f"127.1.{i // ADDRESSES_OF_NET}.{i % ADDRESSES_OF_NET + 1}:{port}" for i in range(count)]


def service_of(number, options):
    return f"s{number % options.services}"


def write_files(folder, options, ports):
    """The configuration's path. With a TCP check no service is configured: tasks alone make them."""
    endpoints = os.path.join(folder, "endpoints.json")
    rows = [{"service": service_of(i, options), "address": address, **({} if options.path or options.interval else {"host": f"{service_of(i, options)}.test"})}
            for i, address in enumerate(addresses(options.tasks, ports["backend"]))]
    services = [{"name": f"s{i}", "host": f"s{i}.test", "image": "none", "port": 80, "desiredCount": 0, "healthCheck": {k: v for k, v in (("path", options.path), ("interval", options.interval)) if v}}
                for i in range(options.services if options.path or options.interval else 0)]
    config = {"stateDir": os.path.join(folder, "state"), "listeners": [{"name": "http", "address": f"127.0.0.1:{ports['http']}"}],
              "admin": {"address": f"127.0.0.1:{ports['admin']}"}, "docker": {"enabled": False}, "proxy": {"workers": 1},
              "discovery": {"endpointsFile": endpoints}, "services": services}
    path = os.path.join(folder, "portico.json")
    for name, document in ((endpoints, {"endpoints": rows}), (path, config)):
        with open(name, "w") as f:
            json.dump(document, f)
    return path


def metric(port, name):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
        for line in answer.read().decode().splitlines():
            if line.startswith(name + " "):
                return float(line.split(" ")[1])
    return None


def healthy_count(port):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/v1/tasks", timeout=30) as answer:
        return sum(task["health"] == "UP" for task in json.load(answer)["tasks"])


def wait_until(condition, what):
    deadline = time.monotonic() + READY_S
    while time.monotonic() < deadline:
        try:
            if condition():
                return
        except (OSError, http.client.HTTPException):
            pass
        time.sleep(0.5)
    raise TimeoutError(f"not within {READY_S} s: {what}")


def control_of(supervisor):
    for pid in procfs.tree(supervisor):
        with open(f"/proc/{pid}/cmdline", "rb") as f:
            if f.read().split(b"\0")[:2] == [b"portico", b"control"]:
                return pid
    raise LookupError("there is no control process")


def cpu_times(pid):
    """(user, system) seconds."""
    with open(f"/proc/{pid}/stat") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return int(fields[11]) / procfs.TICKS, int(fields[12]) / procfs.TICKS


def measure(pid, seconds, admin_port):
    checks, began = metric(admin_port, "portico_health_checks_total"), time.monotonic()
    before = cpu_times(pid)
    time.sleep(seconds)
    after, took = cpu_times(pid), time.monotonic() - began
    checks = metric(admin_port, "portico_health_checks_total") - checks
    user, system = ((b - a) / took for a, b in zip(before, after))
    return {"share": user + system, "user": user, "system": system, "checks_per_second": checks / took}


def run(options):
    running = processes.Processes()
    ports = dict(zip(("http", "admin", "backend"), processes.free_ports(3)))
    try:
        backend = running.start(0, [os.path.join(options.out, "bench", "backend"), "--port", str(ports["backend"])])
        if not processes.wait_for_answer(ports["backend"], backend):
            raise RuntimeError(f"the backend does not answer: {processes.log_tail(backend)}")
        config = write_files(running.folder, options, ports)
        portico = running.start(1, [os.path.join(options.out, "portico"), "run", "--config", config])
        wait_until(lambda: healthy_count(ports["admin"]) == options.tasks, f"all tasks are healthy; {processes.log_tail(portico)}")
        time.sleep(SETTLE_S)
        return measure(control_of(portico.pid), options.seconds, ports["admin"])
    finally:
        running.stop_all()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=4000)
    parser.add_argument("--services", type=int, default=1, help="that the tasks are spread over")
    parser.add_argument("--path", help=f"GET it, such as {CHECKED_PATH}; without it checks are TCP connects")
    parser.add_argument("--interval", help="of the checks, instead of the default")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--out", default=os.environ.get("PORTICO_OUT", "build/release"))
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if options.path and options.services > SERVICES_CONFIGURED_MAX:
        parser.error(f"at most {SERVICES_CONFIGURED_MAX} services can be configured with a path")
    found = run(options)
    if options.json:
        print(json.dumps(found))
        return 0
    check = f"GET {options.path}" if options.path else "TCP connect"
    print(f"{options.tasks} tasks of {options.services} services, {check}: {found['share']:.2%} of a core "
          f"({found['user']:.2%} user, {found['system']:.2%} system), {found['checks_per_second']:.0f} checks/s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
