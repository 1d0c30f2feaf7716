#!/usr/bin/python3
"""Measures proxies beside a blind relay: requests/s, CPU time per request, system calls per request.

All proxies run at once, each pinned to core 1 and idle outside of its turn; backends and wrk are on core 0. A round gives
each its turn (A B C A B C ...), so that drift of the machine hits all alike; ratios are taken within a round."""
import ctypes
import datetime
import json
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.path.join(ROOT, "build", "release")
RESULTS = os.path.join(ROOT, "bench", "results")
ROUNDS = int(os.environ.get("ROUNDS", "5"))
SECONDS = int(os.environ.get("SECONDS_PER_ROUND", "4"))
CONNECTIONS = int(os.environ.get("CONNECTIONS", "64"))
BODY_BYTES = os.environ.get("BODY_BYTES", "")
SCENARIO = f"keepalive-{CONNECTIONS}-body-{BODY_BYTES or 66}"
BACKENDS = 4
PROXY_CORE, LOAD_CORE = ("1", "0") if (os.cpu_count() or 1) > 1 else ("0", "0")
TICKS = os.sysconf("SC_CLK_TCK")
CALL_KINDS = {
    "read": {"read", "readv", "recv", "recvfrom", "recvmsg", "recvmmsg"},
    "write": {"write", "writev", "send", "sendto", "sendmsg", "sendmmsg", "sendfile", "splice"},
    "epoll_ctl": {"epoll_ctl"},
    "epoll_wait": {"epoll_wait", "epoll_pwait", "epoll_pwait2"},
}


def die_with_parent():
    """In a child: killed too when this script is, even by SIGKILL."""
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG


def free_ports(count):
    """Distinct ports that nobody listens on; all are held until all are chosen."""
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [s.getsockname()[1] for s in held]
    for s in held:
        s.close()
    return ports


class Proxy:
    def __init__(self, name, port, command):
        self.name, self.port, self.command = name, port, command
        self.rounds = []  # (requests per second, CPU microseconds per request)
        self.calls = None
        self.pid = None


class Bench:
    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="portico-bench-")
        self.started = []

    def start(self, core, command):
        log = open(os.path.join(self.dir, f"{len(self.started)}-{os.path.basename(command[0])}.log"), "wb")
        process = subprocess.Popen(["taskset", "-c", core, *command], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                   preexec_fn=die_with_parent)
        process.log = log.name
        self.started.append(process)
        return process

    def stop(self):
        for process in reversed(self.started):
            if process.poll() is None:
                process.terminate()
        for process in reversed(self.started):
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                for pid in tree(process.pid):
                    os.kill(pid, signal.SIGKILL)
                process.wait()
        shutil.rmtree(self.dir, ignore_errors=True)

    def fill(self, template, listen, backends):
        """The configuration file made from bench/peers/<template>.in; None when there is no such template."""
        source = os.path.join(ROOT, "bench", "peers", template + ".in")
        if not os.path.exists(source):
            return None
        text = open(source).read().replace("@LISTEN@", str(listen)).replace("@DIR@", self.dir)
        for i, port in enumerate(backends):
            text = text.replace(f"@BACKEND_{i + 1}@", str(port))
        path = os.path.join(self.dir, template)
        with open(path, "w") as out:
            out.write(text)
        return path


def tree(pid):
    """pid and all its descendants."""
    children = {}
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            parent = int(open(f"/proc/{entry}/stat").read().rsplit(")", 1)[1].split()[1])
        except OSError:
            continue
        children.setdefault(parent, []).append(int(entry))
    found = [pid]
    for p in found:
        found += children.get(p, [])
    return found


def cpu_seconds(pid):
    total = 0
    for p in tree(pid):
        try:
            fields = open(f"/proc/{p}/stat").read().rsplit(")", 1)[1].split()
        except OSError:
            continue
        total += int(fields[11]) + int(fields[12])  # utime + stime, all threads
    return total / TICKS


def wait_for_answer(port, process):
    for _ in range(200):
        if process.poll() is not None:
            break
        try:
            with socket.create_connection(("127.0.0.1", port), 1) as s:
                s.settimeout(2)
                s.sendall(b"GET /health HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n")
                if b" 200 " in s.recv(4096):
                    return True
        except OSError:
            pass
        time.sleep(0.05)
    return False


def drive(port, seconds):
    """One wrk run: requests answered, requests per second. Any error makes the figure worthless, so it ends the run."""
    url = f"http://127.0.0.1:{port}/" + (f"?size={BODY_BYTES}" if BODY_BYTES else "")
    command = ["taskset", "-c", LOAD_CORE, "wrk", "-t", "1", "-c", str(CONNECTIONS), "-d", f"{seconds}s", url]
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    bad = re.search(r"Socket errors.*|Non-2xx.*", out)
    if bad:
        raise RuntimeError(f"port {port}: {bad.group(0)}")
    count = int(re.search(r"(\d+) requests in", out).group(1))
    return count, float(re.search(r"Requests/sec:\s*([\d.]+)", out).group(1))


def start_proxies(bench, backends):
    relay_port, nginx_port, haproxy_port, portico_port = free_ports(4)
    upstreams = ",".join(map(str, backends))
    nginx = bench.fill("nginx.conf", nginx_port, backends)
    haproxy = bench.fill("haproxy.cfg", haproxy_port, backends)
    portico = bench.fill("portico.json", portico_port, backends)
    wanted = [
        Proxy("relay", relay_port, [os.path.join(BUILD, "bench", "relay"), str(relay_port), upstreams]),
        Proxy("nginx", nginx_port, [shutil.which("nginx", path="/usr/sbin:/usr/bin") or "nginx", "-e", "stderr", "-c", nginx]),
        Proxy("haproxy", haproxy_port, [shutil.which("haproxy", path="/usr/sbin:/usr/bin") or "haproxy", "-db", "-q", "-f", haproxy]),
        Proxy("portico", portico_port, [os.path.join(BUILD, "portico"), "proxy", "--snapshot", portico]),
    ]
    proxies = []
    for proxy in wanted:
        if None in proxy.command or not shutil.which(proxy.command[0]):
            print(f"{proxy.name}: not here, no row")
            continue
        process = bench.start(PROXY_CORE, proxy.command)
        proxy.pid = process.pid
        if wait_for_answer(proxy.port, process):
            proxies.append(proxy)
        else:
            print(f"{proxy.name}: does not answer, no row; its log:\n{open(process.log).read()[-2000:]}")
    return proxies


def measure(proxies):
    for proxy in proxies:
        drive(proxy.port, 1)  # warm: connections, caches, pools
    for number in range(ROUNDS):
        for proxy in proxies:
            before = cpu_seconds(proxy.pid)
            count, rate = drive(proxy.port, SECONDS)
            proxy.rounds.append((rate, (cpu_seconds(proxy.pid) - before) * 1e6 / count))
        line = "  ".join(f"{p.name} {p.rounds[-1][1]:.2f}" for p in proxies)
        print(f"round {number + 1}/{ROUNDS}, CPU us/request: {line}", flush=True)


def count_calls(bench, proxy):
    """A separate short run under strace, which slows the proxy down: only the counts mean anything."""
    path = os.path.join(bench.dir, f"calls-{proxy.name}")
    pids = [arg for pid in tree(proxy.pid) for arg in ("-p", str(pid))]
    tracer = bench.start(PROXY_CORE, ["strace", "-c", "-f", "-o", path, *pids])
    time.sleep(0.5)
    if tracer.poll() is not None:
        return None
    count, _ = drive(proxy.port, 2)
    tracer.send_signal(signal.SIGINT)
    tracer.wait(10)
    calls = dict.fromkeys([*CALL_KINDS, "other"], 0)
    for line in open(path):
        if os.environ.get("V"):
            print(f"{proxy.name}: {line}", end="")
        fields = line.split()
        if len(fields) < 5 or not fields[3].isdigit() or fields[-1] == "total":
            continue
        kind = next((k for k, names in CALL_KINDS.items() if fields[-1] in names), "other")
        calls[kind] += int(fields[3])
    return {kind: round(n / count, 3) for kind, n in calls.items()}


def results(proxies):
    relay = next((p for p in proxies if p.name == "relay"), None)
    rows = []
    for p in proxies:
        ratios = [own[1] / base[1] for own, base in zip(p.rounds, relay.rounds) if base[1]] if relay else []
        rows.append({
            "scenario": SCENARIO,
            "proxy": p.name,
            "rps": round(statistics.median(r for r, _ in p.rounds), 1),
            "cpu_us_per_request": round(statistics.median(c for _, c in p.rounds), 3),
            "ratio_to_relay": round(statistics.median(ratios), 3) if ratios else None,
            "ratio_to_relay_min": round(min(ratios), 3) if ratios else None,
            "ratio_to_relay_max": round(max(ratios), 3) if ratios else None,
            "syscalls_per_request": p.calls,
        })
    return rows


def command_output(*command):
    try:
        return subprocess.run(command, capture_output=True, text=True, cwd=ROOT).stdout.strip()
    except OSError:
        return ""


def machine():
    cpu = re.search(r"model name\s*:\s*(.*)", open("/proc/cpuinfo").read())
    return f"{cpu.group(1) if cpu else os.uname().machine}, {os.cpu_count()} cores, Linux {os.uname().release}"


def print_table(rows):
    reference = {}
    path = os.path.join(RESULTS, "reference.json")
    if os.path.exists(path):
        reference = {(r["scenario"], r["proxy"]): r["ratio_to_relay"] for r in json.load(open(path))["results"]}
    print(f"\n{'proxy':<8} {'requests/s':>10} {'CPU us/req':>10} {'x relay':>8} {'min-max':>11} {'reference':>9}"
          f" {'recv':>6} {'send':>6} {'ep_ctl':>6} {'ep_wait':>7} {'other':>6}")
    for r in rows:
        calls = r["syscalls_per_request"] or {}
        span = f"{r['ratio_to_relay_min']:.2f}-{r['ratio_to_relay_max']:.2f}" if r["ratio_to_relay"] else "-"
        ratio = f"{r['ratio_to_relay']:.3f}" if r["ratio_to_relay"] else "-"
        figures = [f"{calls[k]:.2f}" if calls else "-" for k in (*CALL_KINDS, "other")]
        print(f"{r['proxy']:<8} {r['rps']:>10.0f} {r['cpu_us_per_request']:>10.2f} {ratio:>8} {span:>11}"
              f" {reference.get((r['scenario'], r['proxy'])) or '-':>9}"
              f" {figures[0]:>6} {figures[1]:>6} {figures[2]:>6} {figures[3]:>7} {figures[4]:>6}")


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    for tool in ("wrk", "taskset"):
        if not shutil.which(tool):
            sys.exit(f"bench: {tool} is missing; `make deps` installs it")
    commit = command_output("git", "describe", "--always", "--dirty") or "none"
    print(f"{SCENARIO}, {ROUNDS} rounds of {SECONDS} s; {machine()}; commit {commit}")
    bench = Bench()
    try:
        backends = free_ports(BACKENDS)
        for port in backends:
            process = bench.start(LOAD_CORE, [os.path.join(BUILD, "bench", "backend"), "--address", "127.0.0.1", "--port", str(port)])
            if not wait_for_answer(port, process):
                sys.exit("bench: a backend does not start")
        proxies = start_proxies(bench, backends)
        if not proxies:
            sys.exit("bench: nothing to measure")
        measure(proxies)
        if shutil.which("strace"):
            for proxy in proxies:
                proxy.calls = count_calls(bench, proxy)
    finally:
        bench.stop()
    rows = results(proxies)
    print_table(rows)
    now = datetime.datetime.now(datetime.timezone.utc)
    os.makedirs(RESULTS, exist_ok=True)
    path = os.path.join(RESULTS, now.strftime("%Y-%m-%dT%H%M%SZ.json"))
    document = {"at": now.isoformat(timespec="seconds"), "commit": commit, "machine": machine(), "scenario": SCENARIO,
                "rounds": ROUNDS, "seconds_per_round": SECONDS, "results": rows}
    with open(path, "w") as out:
        json.dump(document, out, indent=1)
        out.write("\n")
    print(f"\nwritten to {os.path.relpath(path, ROOT)}")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
    except (RuntimeError, subprocess.CalledProcessError) as problem:
        sys.exit(f"bench: {problem}")
