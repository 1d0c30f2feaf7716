"""What Portico is to cost, and whether the figures of a run say that it does. Judged by the median; the range is told."""
from dataclasses import dataclass
from typing import Callable

from harness import syscalls


@dataclass(frozen=True)
class Goal:
    title: str
    at_most: float
    digits: int  # behind the point; what is compared is rounded to them
    scenario: str
    proxy: str
    find: Callable  # from the proxy's result to {"median", "min", "max"}, or None


def exact(value):
    return None if value is None else {"median": value, "min": value, "max": value}


def _ratio_to_relay(result):
    median = result.get("ratio_to_relay")
    return median and {"median": median, "min": result["ratio_to_relay_min"], "max": result["ratio_to_relay_max"]}


def _calls(number_in_four):
    def find(result):
        kinds = result.get("syscalls_by_kind")
        return exact(syscalls.in_four(kinds)[number_in_four]) if kinds else None
    return find


def _value(key):
    return lambda result: exact(result.get(key))


def _span(key):
    return lambda result: result.get(key)


GOALS = (
    Goal("small requests: CPU <= 1.12 x relay", 1.12, 3, "small-keepalive", "portico", _ratio_to_relay),
    Goal("small requests: CPU <= 0.85 x better peer", 0.85, 3, "small-keepalive", "portico", _span("cpu_to_better_peer")),
    Goal("small requests: read and write calls <= 4.05", 4.05, 2, "small-keepalive", "portico", _calls(0)),
    Goal("small requests: epoll_ctl 0", 0, 2, "small-keepalive", "portico", _calls(1)),
    Goal("small requests: calls other than these and epoll_wait 0", 0, 2, "small-keepalive", "portico", _calls(3)),
    Goal("small requests: instructions <= 6,000", 6000, 0, "small-keepalive", "portico", _value("instructions_per_request")),
    Goal("p99 at 70 % of the better peer's saturation <= 0.9 x better peer", 0.9, 3, "rate-70", "portico",
         _span("p99_to_better_peer")),
    Goal("1 MiB responses: CPU <= better peer", 1, 3, "body-1m", "portico", _span("cpu_to_better_peer")),
    Goal("16 KiB responses: CPU <= better peer", 1, 3, "body-16k", "portico", _span("cpu_to_better_peer")),
    Goal("access log on: CPU <= 1.15 x off", 1.15, 3, "access-log", "portico-log",
         lambda result: (result.get("cpu_ratios") or {}).get("portico")),
    Goal("idle connection: own memory <= 512 B (RSS)", 512, 0, "idle-10000", "portico", _span("idle_bytes")),
    Goal("idle connection: own memory <= 512 B (heap)", 512, 0, "idle-10000", "portico", _value("idle_heap_bytes")),
)


def judge(results, scenario_names):
    """One entry for each goal whose scenario was asked for. met: None when nothing was measured."""
    found = []
    for goal in GOALS:
        if goal.scenario not in scenario_names:
            continue
        result = next((r for r in results if r["scenario"] == goal.scenario and r["proxy"] == goal.proxy), None)
        measured = goal.find(result) if result and not result["problem"] else None
        met = round(measured["median"], goal.digits) <= goal.at_most if measured else None
        found.append({"goal": goal.title, "scenario": goal.scenario, "at_most": goal.at_most, "digits": goal.digits,
                      "measured": {key: measured[key] for key in ("median", "min", "max")} if measured else None, "met": met})
    return found


def verdict(entry):
    return {True: "yes", False: "NO", None: "not measured"}[entry["met"]]
