"""What sends the requests: our own portico-bench, or wrk for a cross-check of the closed loops."""
import json
import os
import re
import subprocess
from dataclasses import dataclass, field
from typing import Optional

from harness import machine
from harness.problem import Problem, UsageProblem

WRK_BODY = 'wrk.method = "POST"\nwrk.body = string.rep("abcdefghijklmnopqrstuvwxyz", {count})\n'


@dataclass
class Drive:
    """One run of the generator. Latencies: from when a request was due (open loop), from when it was sent (closed)."""

    seconds: float
    requests: int  # answered, well or badly
    ok: int
    failed: int
    first_error: Optional[str] = None
    p50_us: Optional[float] = None
    p99_us: Optional[float] = None
    p999_us: Optional[float] = None
    buckets: list = field(default_factory=list)  # [latency in us, count], rising
    problem: Optional[str] = None  # why its figures mean nothing
    is_invalid: bool = False  # the generator itself was disturbed: worth another try

    @property
    def ok_per_s(self):
        return self.ok / self.seconds if self.seconds > 0 else 0.0


def _run(command, seconds):
    try:
        return subprocess.run(["taskset", "-c", str(machine.LOAD_CORE), *command], capture_output=True, text=True,
                              timeout=seconds * 2 + 90)
    except subprocess.TimeoutExpired:
        raise Problem(f"{os.path.basename(command[0])} did not end") from None


def _last_line(text):
    return (text.strip().splitlines() or ["it said nothing"])[-1]


class PorticoBench:
    name = "portico-bench"
    keeps_rates = counts_requests = True

    def __init__(self, build):
        self.path = os.path.join(build, "portico-bench")
        if not os.access(self.path, os.X_OK):
            raise UsageProblem(f"{self.path} is missing: build it with make, or use --generator wrk")

    def drive(self, port, load, seconds, requests=None):
        """requests: end after so many instead of after `seconds`."""
        command = [self.path, "--json", "-", "--quiet", "--connections", str(load.connections)]
        command += ["--closed"] if load.shape == "closed" else ["--rate", f"{load.rate:g}"]
        command += ["--requests", str(requests)] if requests else ["--duration", f"{int(seconds * 1000)}ms"]
        if load.one_per_connection:
            command.append("--one-per-connection")
        if load.body_bytes:
            command += ["--body-bytes", str(load.body_bytes)]
        if load.response_bytes is not None:
            command += ["--expect-bytes", str(load.response_bytes)]
        done = _run([*command, f"http://127.0.0.1:{port}{load.path}"], seconds)
        try:
            said = json.loads(done.stdout)
        except ValueError:
            said = None
        if not said or "requests" not in said:
            return Drive(seconds, 0, 0, 0, problem=_last_line(done.stderr))
        counts = said["requests"]
        latency = said["latency_from_intended_us"] or said["latency_from_sent_us"]
        drive = Drive(seconds=said["elapsed_s"], requests=counts["ok"] + counts["failed"], ok=counts["ok"],
                      failed=counts["failed"], first_error=said.get("first_error"), p50_us=latency["p50"],
                      p99_us=latency["p99"], p999_us=latency["p99_9"], buckets=latency["buckets"])
        if not said["valid"]:
            drive.is_invalid = True
            drive.problem = "the generator calls its own run invalid: " + "; ".join(said["invalid_reasons"])
        return drive

    def start_steps(self, processes, port, steps):
        """In the background: steps is [(requests a second, seconds)]. processes: who stops it."""
        text = ",".join(f"{rate:g}x{int(seconds * 1000)}ms" for rate, seconds in steps)
        return processes.start(machine.LOAD_CORE, [self.path, "--json", "-", "--quiet", "--no-probe", "--steps", text,
                                                   "--connections", "500", f"http://127.0.0.1:{port}/"])

    def read_steps(self, process):
        """What a run that has ended says about itself."""
        with open(process.log_path, errors="replace") as f:
            text = f.read()
        try:
            return json.JSONDecoder().raw_decode(text[text.index("{"):])[0]
        except ValueError:
            raise Problem(f"{self.name}: {_last_line(text)}") from None


class Wrk:
    name = "wrk"
    keeps_rates = counts_requests = False

    def __init__(self, folder):
        self.folder = folder
        self.path = machine.find_program("wrk")
        if not self.path:
            raise UsageProblem("wrk is not installed; make deps installs it")

    def drive(self, port, load, seconds, requests=None):
        if load.shape != "closed" or requests:
            raise UsageProblem("wrk only knows closed loops of some seconds")
        command = [self.path, "-t", "1", "-c", str(load.connections), "-d", f"{max(1, round(seconds))}s", "--latency"]
        if load.one_per_connection:
            command += ["-H", "Connection: close"]
        if load.body_bytes:
            script = os.path.join(self.folder, f"body-{load.body_bytes}.lua")
            with open(script, "w") as f:
                f.write(WRK_BODY.format(count=load.body_bytes // 26 + 1))
            command += ["-s", script]
        done = _run([*command, f"http://127.0.0.1:{port}{load.path}"], seconds)
        counted = re.search(r"(\d+) requests in", done.stdout)
        rate = re.search(r"Requests/sec:\s*([\d.]+)", done.stdout)
        if not counted or not rate or float(rate.group(1)) == 0:
            return Drive(seconds, 0, 0, 0, problem=_last_line(done.stderr or done.stdout))
        count = int(counted.group(1))
        answers = re.search(r"Non-2xx or 3xx responses: (\d+)", done.stdout)
        sockets = re.search(r"Socket errors: (.*)", done.stdout)
        failed = int(answers.group(1)) if answers else 0
        failed += sum(map(int, re.findall(r"\d+", sockets.group(1)))) if sockets else 0
        return Drive(seconds=count / float(rate.group(1)), requests=count, ok=max(0, count - failed), failed=failed,
                     first_error=(sockets or answers).group(0) if sockets or answers else None,
                     p50_us=_wrk_latency(done.stdout, 50), p99_us=_wrk_latency(done.stdout, 99))


def _wrk_latency(text, percentile):
    found = re.search(rf"^\s+{percentile}%\s+([\d.]+)(us|ms|s)\s*$", text, re.M)
    return float(found.group(1)) * {"us": 1, "ms": 1e3, "s": 1e6}[found.group(2)] if found else None


def make(name, build, folder):
    if name == "wrk":
        return Wrk(folder)
    return PorticoBench(build)
