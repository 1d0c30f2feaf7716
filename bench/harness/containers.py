"""Scenarios on real containers: Portico whole (`portico run`) with a Docker Engine, and a load that is told its times
beforehand. They measure the control loop, which the other proxies do not have, so there is one row."""
import json
import os
import subprocess
import time
import urllib.error
import urllib.request

import yaml

from harness import machine
from harness.problem import Problem, UsageProblem
from harness.processes import free_ports, log_tail

IMAGE, CLUSTER, SERVICE = "portico-bench:latest", "bench", "web"
SOCKET = "/var/run/docker.sock"
# A task serves 4 requests at once, 20 ms each: it saturates at 200 requests a second.
TASK = {"SERVICE_TIME_MS": "20", "CONCURRENCY": "4", "GRACEFUL": "1"}
READY_TIMEOUT_S = 60


def docker(*arguments, stdin=None):
    try:
        return subprocess.run(["docker", "-H", f"unix://{SOCKET}", *arguments], stdin=stdin, capture_output=True, text=True,
                              timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return None


def engine_answers():
    done = docker("version", "--format", "{{.Server.Version}}")
    return bool(done and done.returncode == 0 and done.stdout.strip())


class Deployment:
    """Portico with one service on the Engine. Its containers and its image go away with stop()."""

    def __init__(self, processes, build):
        self.processes, self.build = processes, build
        self.port, self.admin_port = free_ports(2)
        self.process = None

    def start(self, service):
        """service: more keys of the configuration's service, and over those here."""
        self.remove_containers()
        self._import_image()
        config = {
            "stateDir": os.path.join(self.processes.folder, f"state-{self.port}"), "cluster": CLUSTER,
            "listeners": [{"name": "http", "address": f"127.0.0.1:{self.port}"}],
            "proxy": {"workers": 1}, "admin": {"address": f"127.0.0.1:{self.admin_port}"},
            "docker": {"endpoint": f"unix://{SOCKET}"},
            "services": [{"name": SERVICE, "image": IMAGE, "port": 8080, "environment": TASK, "memory": "64MiB",
                          "stopTimeout": "5s", "deregistrationDelay": "10s",
                          "healthCheck": {"path": "/health", "interval": "500ms"}, **service}],
        }
        path = os.path.join(self.processes.folder, f"portico-{self.port}.yaml")
        with open(path, "w") as f:
            yaml.safe_dump(config, f)
        self.process = self.processes.start(machine.PROXY_CORE,
                                            [os.path.join(self.build, "portico"), "run", "--config", path])

    def _import_image(self):
        with subprocess.Popen(["tar", "-C", os.path.join(self.build, "bench"), "-c", "backend"],
                              stdout=subprocess.PIPE) as tar:
            done = docker("import", "--change", 'ENTRYPOINT ["/backend"]', "--change", "EXPOSE 8080", "-", IMAGE,
                          stdin=tar.stdout)
        if not done or done.returncode != 0:
            raise Problem(f"docker import: {done.stderr.strip() if done else 'no docker'}")

    def api(self, path, method="GET"):
        """The answer, or None while there is none."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.admin_port}{path}", method=method,
                                         data=b"" if method == "POST" else None,
                                         headers={"Content-Type": "application/json"} if method == "POST" else {})
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:
                return json.load(answer)
        except (urllib.error.URLError, OSError, ValueError):
            return None

    def status(self):
        return self.api(f"/v1/services/{SERVICE}") or {}

    def tasks(self):
        return [t for t in (self.api("/v1/tasks") or {}).get("tasks", []) if t["service"] == SERVICE]

    def routable_ids(self):
        return {t["id"] for t in self.tasks() if t["routable"]}

    def wait(self, what, condition, seconds=READY_TIMEOUT_S):
        deadline = time.monotonic() + seconds
        while not condition():
            if self.process.poll() is not None:
                raise Problem(f"portico ended: {log_tail(self.process)}")
            if time.monotonic() > deadline:
                raise Problem(f"not within {seconds} s: {what}; {log_tail(self.process, 2)}")
            time.sleep(0.05)

    def remove_containers(self):
        done = docker("ps", "-aq", "--filter", f"label=portico.cluster={CLUSTER}", "--filter", f"ancestor={IMAGE}")
        ids = done.stdout.split() if done and done.returncode == 0 else []
        if ids:
            docker("rm", "-f", *ids)

    def stop(self):
        if self.process:
            self.processes.stop([self.process])
        self.remove_containers()
        docker("rmi", IMAGE)


def _watch_load(deployment, load, on_sample=lambda status, at: None):
    """Until the load has ended; a row for each 250 ms: [seconds, healthy, desired]."""
    rows, began = [], time.monotonic()
    while load.poll() is None:
        status = deployment.status()
        if status:
            at = time.monotonic() - began
            rows.append([round(at, 2), status.get("healthyCount", 0), status.get("desiredCount", 0)])
            on_sample(status, at)
        time.sleep(0.25)
    return rows


def _timeline(said, samples):
    """One row a second: [second, offered, ok, failed, healthy, desired]."""
    rows = []
    for second in said["seconds"]:
        if second["offered"] == 0:
            continue  # after the last request was due
        known = [s for s in samples if s[0] <= second["second"] + 1]
        healthy, desired = (known[-1][1], known[-1][2]) if known else (None, None)
        rows.append([second["second"], second["offered"], second["ok"], second["failed"], healthy, desired])
    return rows


def scale_out_step(deployment, generator, options):
    """A step of load: how long until a decision, until there are enough tasks, and what did clients see?"""
    deployment.start({"scaling": {"min": 1, "max": options["max_tasks"], "scaleInCooldown": "5s",
                                  "target": {"requestsPerSecondPerTask": options["target_rps"]}}})
    deployment.wait("one healthy task", lambda: len(deployment.routable_ids()) == 1)
    light_s = options["light_seconds"]
    load = generator.start_steps(deployment.processes, deployment.port,
                                 [(options["light_rps"], light_s), (options["step_rps"], options["step_seconds"])])
    wanted = -(-options["step_rps"] // options["target_rps"])
    seen = {"decision_s": None, "enough_tasks_s": None}

    def note(status, at):
        if at > light_s and seen["decision_s"] is None and status.get("desiredCount", 1) > 1:
            seen["decision_s"] = round(at - light_s, 2)
        if seen["enough_tasks_s"] is None and status.get("healthyCount", 0) >= wanted:
            seen["enough_tasks_s"] = round(at - light_s, 2)

    samples = _watch_load(deployment, load, note)
    said = generator.read_steps(load)
    if seen["enough_tasks_s"] is None:
        raise Problem(f"never had {wanted} healthy tasks")
    return said, {**seen, "tasks": wanted}, _timeline(said, samples)


def scale_from_zero(deployment, generator, options):
    """The service has no task at all; then a few requests a second come."""
    deployment.start({"scaling": {"min": 0, "max": 2, "scaleInCooldown": "1s",
                                  "target": {"requestsPerSecondPerTask": options["target_rps"]}}, "desiredCount": 0})
    deployment.wait("no task left", lambda: deployment.status().get("runningCount") == 0 and not deployment.tasks())
    load = generator.start_steps(deployment.processes, deployment.port, [(options["rps"], options["seconds"])])
    samples = _watch_load(deployment, load)
    said = generator.read_steps(load)
    first = next((row[0] for row in samples if row[1] > 0), None)
    if first is None:
        raise Problem(f"still no task {options['seconds']} s after the first request")
    return said, {"first_task_s": first}, _timeline(said, samples)


def rolling_replacement(deployment, generator, options):
    """Each task is drained by order of the API, and replaced, one after the other, under load."""
    deployment.start({"desiredCount": options["tasks"]})
    deployment.wait("all tasks", lambda: len(deployment.routable_ids()) == options["tasks"])
    first_ids = deployment.routable_ids()
    load = generator.start_steps(deployment.processes, deployment.port, [(options["rps"], options["seconds"])])
    began = time.monotonic()
    for task in sorted(first_ids):
        deployment.api(f"/v1/tasks/{task}/drain", "POST")
        deployment.wait("the replacement", lambda: task not in deployment.routable_ids()
                        and len(deployment.routable_ids()) == options["tasks"])
    deployment.wait("the end of the old tasks", lambda: not first_ids & {t["id"] for t in deployment.tasks()})
    took = time.monotonic() - began
    if load.poll() is not None:
        raise Problem(f"the load was over after {options['seconds']} s, before the replacement was ({took:.0f} s)")
    samples = _watch_load(deployment, load)
    return generator.read_steps(load), {"replaced_s": round(took, 2), "tasks": options["tasks"]}, \
        _timeline(generator.read_steps(load), samples)


JOBS = {
    "scale-out-step": (scale_out_step, {"light_rps": 20, "light_seconds": 5, "step_rps": 280, "step_seconds": 20,
                                        "target_rps": 60, "max_tasks": 6}),
    "scale-from-zero": (scale_from_zero, {"rps": 5, "seconds": 15, "target_rps": 60}),
    "rolling-replacement": (rolling_replacement, {"tasks": 3, "rps": 200, "seconds": 30}),
}


def check_options(scenario):
    """The job's numbers: its defaults and what the scenario says."""
    _, defaults = JOBS.get(scenario.name, (None, None))
    if defaults is None:
        raise UsageProblem(f"{scenario.name}.yaml: kind: containers knows {', '.join(JOBS)}")
    for key, value in scenario.containers.items():
        if key not in defaults or isinstance(value, bool) or not isinstance(value, (int, float)) or value <= 0:
            raise UsageProblem(f"{scenario.name}.yaml: containers.{key}: must be a positive number, one of {', '.join(defaults)}")
    return {**defaults, **scenario.containers}


def measure(processes, build, generator, scenario):
    """One result."""
    options = check_options(scenario)
    deployment = Deployment(processes, build)
    found = {"scenario": scenario.name, "proxy": "portico", "rate": None, "connections": None, "problem": None}
    keys = ("rps", "cpu_us_per_request", "ratio_to_relay", "p50_us", "p99_us", "syscalls_per_request",
            "instructions_per_request", "rss_kib", "error_share")
    found.update(dict.fromkeys(keys))
    try:
        said, figures, timeline = JOBS[scenario.name][0](deployment, generator, options)
        latency, counts = said["latency_from_intended_us"], said["requests"]
        answered = counts["ok"] + counts["failed"]
        found.update(rps=round(said["ok_per_s"], 1), p50_us=latency["p50"], p99_us=latency["p99"],
                     error_share=round(counts["failed"] / answered, 6) if answered else None, figures=figures,
                     timeline=timeline)
    except Problem as problem:
        found["problem"] = str(problem)
    finally:
        deployment.stop()
    return found
