#!/usr/bin/python3
"""The demo's load: light, a step, light again until the service is back at one task. Every answer is checked; a line a
second shows what Portico sees and decides (from its admin API); the last line is the verdict and the exit status says it."""
import argparse
import asyncio
import datetime
import json
import os
import sys
import time

import demo_chart

TIMEOUT_S = 30
IDLE_S = 5  # a connection idle for longer is not used again


class Failure(Exception):
    pass


async def read_head(reader):
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    lines = head[:-4].split("\r\n")
    fields = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines[1:])}
    return int(lines[0].split()[1]), fields


class Client:
    """Keep-alive connections to the listener, as many as there are requests in flight."""

    def __init__(self, host, port):
        self.host, self.port = host, port
        self.head = f"GET / HTTP/1.1\r\nHost: {host}:{port}\r\nUser-Agent: portico-demo\r\n\r\n".encode()
        self.idle = []
        self.sent = self.failed = self.in_flight = 0
        self.failures = []
        self.tasks_seen = set()

    async def connection(self):
        while self.idle:
            reader, writer, since = self.idle.pop()
            if time.monotonic() - since < IDLE_S and not reader.at_eof():
                return reader, writer
            writer.close()
        return await asyncio.open_connection(self.host, self.port)

    async def exchange(self):
        reader, writer = await self.connection()
        try:
            writer.write(self.head)
            status, fields = await read_head(reader)
            body = await reader.readexactly(int(fields["content-length"]))
        except BaseException:
            writer.close()
            raise
        self.idle.append((reader, writer, time.monotonic()))
        task = fields.get("x-task", "")
        if status != 200 or not task or len(body) != 66 or body.split()[0].decode("latin-1") != task:
            raise Failure(f"status {status}, X-Task {task!r}, body {body[:80]!r}")
        self.tasks_seen.add(task)

    async def request(self):
        self.sent += 1
        self.in_flight += 1
        try:
            await asyncio.wait_for(self.exchange(), TIMEOUT_S)
        except (Failure, OSError, EOFError, ValueError, KeyError, asyncio.TimeoutError, asyncio.LimitOverrunError) as problem:
            self.failed += 1
            self.failures.append(f"request {self.sent}: {type(problem).__name__} {problem}")
        self.in_flight -= 1

    def close(self):
        for _, writer, _ in self.idle:
            writer.close()
        self.idle.clear()


class Load:
    """Starts requests at the rate of the moment, whether or not earlier ones are answered."""

    def __init__(self, client):
        self.client, self.rate = client, 0
        self.running = set()

    async def run(self):
        owed, last = 0.0, time.monotonic()
        while True:
            await asyncio.sleep(0.005)
            now = time.monotonic()
            owed += self.rate * (now - last)
            last = now
            while owed >= 1:
                owed -= 1
                task = asyncio.create_task(self.client.request())
                self.running.add(task)
                task.add_done_callback(self.running.discard)

    async def finish(self):
        while self.running:
            await asyncio.wait(list(self.running))


async def get_json(address, path):
    host, port = address
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n".encode())
        status, _ = await read_head(reader)
        body = await reader.read()
        return json.loads(body) if status == 200 else None
    finally:
        writer.close()


def seconds_of(text):
    """RFC 3339 as seconds since 1970; None when it is none."""
    try:
        return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()
    except (AttributeError, ValueError):
        return None


class Watcher:
    """Asks the admin API ten times a second; the table and the verdict read what it found."""

    def __init__(self, admin, service):
        self.admin, self.path = admin, f"/v1/services/{service}"
        self.status = {}
        self.most_tasks = 0
        self.step_at = None  # wall clock
        self.outs_before_step = 0
        self.first_decision_s = None

    def start_step(self):
        self.step_at = time.time()
        self.outs_before_step = self.status.get("scaleOutCount", 0)

    def note(self, status):
        self.status = status
        self.most_tasks = max(self.most_tasks, status.get("healthyCount", 0))
        if self.step_at and self.first_decision_s is None and status.get("scaleOutCount", 0) > self.outs_before_step:
            at = seconds_of(status.get("lastDecisionAt"))
            self.first_decision_s = max(0.0, (at if at and at >= self.step_at else time.time()) - self.step_at)

    def tasks(self):
        return max(self.status.get("desiredCount", 0), self.status.get("runningCount", 0))

    def is_back(self):
        s = self.status
        return bool(s) and s.get("desiredCount") == 1 and s.get("runningCount") == 1 and s.get("drainingCount", 0) == 0

    async def run(self):
        while True:
            try:
                status = await asyncio.wait_for(get_json(self.admin, self.path), 2)
                if status:
                    self.note(status)
            except (OSError, EOFError, ValueError, asyncio.TimeoutError):
                pass
            await asyncio.sleep(0.1)


def figure(value, digits=0):
    return "-" if value is None else f"{value:.{digits}f}"


class Table:
    def __init__(self, load, watcher):
        self.load, self.watcher = load, watcher
        self.started = time.monotonic()
        self.shown = ""
        self.rows = []  # for the chart
        print(f"{'time':>5} {'offered/s':>9} {'tasks':>7} {'requests/s':>10} {'p99 ms':>7} {'in flight':>9} {'failed':>6}"
              "  decision")

    def row(self):
        s = self.watcher.status
        at = time.monotonic() - self.started
        decision = s.get("lastDecision") or ""
        news = decision if (decision, s.get("lastDecisionAt")) != self.shown else ""
        self.shown = (decision, s.get("lastDecisionAt"))
        tasks = f"{s.get('healthyCount', '-')} of {s.get('desiredCount', '-')}"
        print(f"{at:4.0f}s {self.load.rate:>9} {tasks:>7} {figure(s.get('requestsPerSecond')):>10}"
              f" {figure(s.get('latencyP99Ms'), 1):>7} {figure(s.get('inFlight'), 1):>9} {self.load.client.failed:>6}"
              f"  {news}".rstrip(), flush=True)
        self.rows.append((at, self.load.rate, s.get("healthyCount", 0), s.get("desiredCount", 0)))

    async def run(self, seconds, until=lambda: False):
        end = time.monotonic() + seconds
        while time.monotonic() < end and not until():
            await asyncio.sleep(1)
            self.row()


async def print_events(watcher):
    try:
        answer = await asyncio.wait_for(get_json(watcher.admin, watcher.path + "/events"), 5)
    except (OSError, EOFError, ValueError, asyncio.TimeoutError):
        return
    if isinstance(answer, dict):
        answer = next((v for v in answer.values() if isinstance(v, list)), [])
    if answer:
        print("\nevents:")
    for event in reversed((answer or [])[:40]):
        print(f"  {str(event.get('at', ''))[11:23]}  {event.get('text', '')}")


def verdict(options, client, watcher):
    decision = watcher.first_decision_s
    problems = client.failures[:3]
    if watcher.most_tasks < options.tasks_wanted:
        problems.append(f"never had {options.tasks_wanted} healthy tasks")
    if decision is None or decision > options.decision_within:
        problems.append(f"no scale-out decision within {options.decision_within} s of the step")
    if not watcher.is_back():
        problems.append(f"not back at one task within {options.return_seconds} s")
    for problem in problems:
        print(f"problem: {problem}")
    told = f"first decision after {decision:.1f} s" if decision is not None else "no decision"
    print(f"demo: {client.sent} requests, {client.failed} failed, tasks 1 -> {watcher.most_tasks} -> {watcher.tasks()}, {told}")
    return not problems


async def run(options):
    client = Client(*options.listener)
    load, watcher = Load(client), Watcher(options.admin, options.service)
    background = [asyncio.create_task(load.run()), asyncio.create_task(watcher.run())]
    table = Table(load, watcher)
    load.rate = options.light
    await table.run(options.light_seconds)
    load.rate = options.step
    watcher.start_step()
    await table.run(options.step_seconds)
    load.rate = options.light
    await table.run(options.return_seconds, until=watcher.is_back)
    load.rate = 0
    await load.finish()
    for task in background:
        task.cancel()
    client.close()
    await print_events(watcher)
    if options.chart:
        demo_chart.write(options.chart, table.rows)
        print(f"\nchart: {os.path.relpath(options.chart)}")
    print(f"{len(client.tasks_seen)} different tasks answered")
    return verdict(options, client, watcher)


def address(text):
    host, _, port = text.rpartition(":")
    return host, int(port)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--listener", type=address, default="127.0.0.1:18080")
    parser.add_argument("--admin", type=address, default="127.0.0.1:19900")
    parser.add_argument("--service", default="web")
    parser.add_argument("--light", type=int, default=20, help="requests/s before and after the step")
    parser.add_argument("--light-seconds", type=int, default=5)
    parser.add_argument("--step", type=int, default=280, help="requests/s")
    parser.add_argument("--step-seconds", type=int, default=20)
    parser.add_argument("--return-seconds", type=int, default=90, help="longest wait for one task after the step")
    parser.add_argument("--tasks-wanted", type=int, default=3)
    parser.add_argument("--decision-within", type=float, default=2.0)
    parser.add_argument("--chart", help="SVG file to write")
    sys.exit(0 if asyncio.run(run(parser.parse_args())) else 1)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
