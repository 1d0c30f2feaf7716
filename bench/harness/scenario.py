"""Scenarios: bench/scenarios/NAME.yaml, checked strictly before anything starts. See bench/scenarios/README.md for the
fields."""
import os
from dataclasses import dataclass, field, replace
from typing import Optional

import yaml

from harness.problem import UsageProblem

FOLDER = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "scenarios")
BACKEND_PROGRAMS = ("backend", "odd_backend")
KINDS = ("proxies", "idle", "containers")
MEASURES = ("cpu", "latency", "memory", "syscalls", "instructions")


@dataclass(frozen=True)
class Load:
    """What the generator is told."""

    shape: str  # "closed" or "rate"
    connections: int
    rate: Optional[float] = None  # requests a second, for "rate"
    saturation_share: Optional[float] = None  # instead of `rate`: this share of what the better peer can do, measured before
    path: str = "/"
    body_bytes: int = 0  # of the request; more than 0 makes it a POST
    response_bytes: Optional[int] = None  # checked when given
    one_per_connection: bool = False
    errors_allowed: bool = False  # they are counted, not the end of the row


@dataclass(frozen=True)
class Scenario:
    name: str
    title: str
    why: str
    kind: str = "proxies"  # one of KINDS
    enabled: bool = True
    reason: str = ""  # why it is not enabled
    quick: bool = False  # part of `make bench`
    needs: tuple = ()
    proxies: tuple = ()
    rounds: int = 5
    seconds: float = 3
    measure: tuple = ("cpu", "latency", "memory")
    backends: tuple = ()  # a tuple for each: program and options
    loads: tuple = ()  # one, or one for each of load.rates
    route_count: int = 0
    idle_connections: int = 0
    churn_ms: int = 0
    containers: dict = field(default_factory=dict)


class _Reader:
    """Takes the fields out of one mapping; what is left at the end is unknown."""

    def __init__(self, where, values):
        if not isinstance(values, dict):
            raise UsageProblem(f"{where}: must be a mapping")
        self.where, self.values = where, dict(values)

    def fail(self, key, text):
        raise UsageProblem(f"{self.where}: {key}: {text}")

    def take(self, key, default, *types):
        value = self.values.pop(key, default)
        if value is default:
            return default
        if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
            self.fail(key, f"must be {' or '.join(t.__name__ for t in types)}, is {value!r}")
        return value

    def number(self, key, default, least, most):
        value = self.take(key, default, int, float)
        if value is not None and not least <= value <= most:
            self.fail(key, f"must be from {least} to {most}, is {value}")
        return value

    def whole(self, key, default, least, most):
        value = self.number(key, default, least, most)
        if value is not None and value != int(value):
            self.fail(key, f"must be a whole number, is {value}")
        return value if value is None else int(value)

    def words(self, key, default, allowed=None):
        value = self.take(key, default, list, tuple)
        for word in value:
            if not isinstance(word, str) or (allowed is not None and word not in allowed):
                self.fail(key, f"{word!r} is none of {', '.join(allowed)}" if allowed else f"{word!r} is no text")
        return tuple(value)

    def end(self):
        if self.values:
            self.fail(sorted(map(str, self.values))[0], "unknown field")


def _read_backends(where, value):
    """A list of groups: {count: 9}, {count: 1, args: [--delay-ms, 50]}, {program: odd_backend, args: [--fail-every, 2]}."""
    if not isinstance(value, list) or not value:
        raise UsageProblem(f"{where}.backends: must be a list of groups such as {{count: 4}}")
    backends = []
    for i, group in enumerate(value):
        reader = _Reader(f"{where}.backends[{i}]", group)
        count = reader.whole("count", 1, 1, 64)
        program = reader.take("program", "backend", str)
        if program not in BACKEND_PROGRAMS:
            reader.fail("program", f"must be {' or '.join(BACKEND_PROGRAMS)}")
        args = tuple(str(a) for a in reader.take("args", [], list))
        reader.end()
        backends += [(program, *args)] * count
    return tuple(backends)


def _read_loads(where, value):
    reader = _Reader(f"{where}.load", value)
    shape = reader.take("shape", "closed", str)
    if shape not in ("closed", "rate"):
        reader.fail("shape", "must be closed or rate")
    rates = reader.take("rates", None, list)
    rate = reader.number("rate", None, 1, 1e6)
    saturation_share = reader.number("saturation_share", None, 0.05, 0.95)
    base = Load(
        shape=shape,
        connections=reader.whole("connections", 64, 1, 60000),
        path=reader.take("path", "/", str),
        body_bytes=reader.whole("body_bytes", 0, 0, 1 << 30),
        response_bytes=reader.whole("response_bytes", None, 0, 1 << 30),
        one_per_connection=reader.take("one_per_connection", False, bool),
        errors_allowed=reader.take("errors_allowed", False, bool),
    )
    reader.end()
    told_count = sum(value is not None for value in (rate, rates, saturation_share))
    if told_count != (shape == "rate"):
        reader.fail("rate", "shape: rate needs one of rate, rates and saturation_share, shape: closed none")
    if shape == "closed":
        return (base,)
    if saturation_share is not None:
        return (replace(base, saturation_share=saturation_share),)
    for r in rates or [rate]:
        if isinstance(r, bool) or not isinstance(r, (int, float)) or not 1 <= r <= 1e6:
            reader.fail("rates", f"must be from 1 to 1000000, is {r!r}")
    return tuple(replace(base, rate=r) for r in rates or [rate])


def parse(name, text, known_proxies):
    """known_proxies: the names that `proxies` may hold."""
    where = f"{name}.yaml"
    try:
        values = yaml.safe_load(text)
    except yaml.YAMLError as problem:
        raise UsageProblem(f"{where}: {' '.join(str(problem).split())}") from None
    reader = _Reader(where, values)
    kind = reader.take("kind", "proxies", str)
    if kind not in KINDS:
        reader.fail("kind", f"must be one of {', '.join(KINDS)}")
    enabled = reader.take("enabled", True, bool)
    common = {
        "name": name, "kind": kind, "enabled": enabled,
        "title": reader.take("title", "", str), "why": " ".join(reader.take("why", "", str).split()),
        "reason": reader.take("reason", "", str), "quick": reader.take("quick", False, bool),
        "needs": reader.words("needs", (), ("docker",)),
        "rounds": reader.whole("rounds", 5, 1, 100), "seconds": reader.number("seconds", 3, 0.1, 600),
    }
    if not common["title"] or not common["why"]:
        reader.fail("title", "every scenario has a title and a why")
    if not enabled and not common["reason"]:
        reader.fail("reason", "needed with enabled: false")
    if not enabled:
        return Scenario(**common)
    if kind == "containers":
        scenario = Scenario(**common, containers=reader.take("containers", {}, dict))
        reader.end()
        return scenario
    scenario = Scenario(
        **common,
        proxies=reader.words("proxies", (), known_proxies),
        measure=reader.words("measure", Scenario.measure, MEASURES),
        backends=_read_backends(where, reader.values.pop("backends", None)),
        loads=() if kind == "idle" else _read_loads(where, reader.values.pop("load", None)),
        route_count=reader.whole("routes", 0, 0, 100000),
        idle_connections=reader.whole("idle_connections", 0, 0, 20000),
        churn_ms=reader.whole("churn_ms", 0, 0, 60000),
    )
    reader.end()
    if not scenario.proxies:
        reader.fail("proxies", "at least one")
    if kind == "idle":
        if not scenario.idle_connections:
            reader.fail("idle_connections", "kind: idle needs some")
        return scenario
    if "syscalls" in scenario.measure and scenario.loads[0].shape != "closed":
        reader.fail("measure", "syscalls needs a closed loop: a traced proxy cannot keep a rate")
    return scenario


def names():
    return sorted(f[: -len(".yaml")] for f in os.listdir(FOLDER) if f.endswith(".yaml"))


def load(name, known_proxies):
    path = os.path.join(FOLDER, name + ".yaml")
    if name not in names():
        raise UsageProblem(f"no scenario {name!r}; there are: {', '.join(names())}")
    with open(path) as f:
        return parse(name, f.read(), known_proxies)
