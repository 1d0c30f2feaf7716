"""Rounds in which each proxy has its turn: A B C, A B C, ... so that a drift of the machine hits all alike."""
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Optional

from harness import machine, procfs
from harness.beside import Churn, IdleConnections
from harness.generators import Drive
from harness.problem import Problem

WARM_UP_S = 1
# A turn in which somebody else used more of the proxy's core is done again.
FOREIGN_SHARE_MAX = 0.05
REPEATS_MAX = 2
TICK_SLACK_S = 2 / procfs.TICKS


@dataclass
class Turn:
    drive: Drive
    cpu_us_per_request: Optional[float]
    cpu_share: float  # of one core
    foreign_share: float  # of the proxy's core, used by anybody else
    rss_kib: Optional[int] = None
    pss_kib: Optional[int] = None
    changes: int = 0


@dataclass
class Row:
    """What one proxy did under one load."""

    standing: object
    load: object
    turns: list = field(default_factory=list)  # one for each round; None: the generator was disturbed too often
    problem: Optional[str] = None  # there are no figures
    repeated: int = 0
    last_invalid: Optional[str] = None
    calls: Optional[dict] = None
    instructions: Optional[float] = None


@contextmanager
def _beside(scenario, standing):
    idle = IdleConnections(standing.port, scenario.idle_connections) if scenario.idle_connections else None
    churn = Churn(standing, scenario.churn_ms) if scenario.churn_ms and standing.peer.reload else None
    if churn:
        churn.start()
    try:
        yield churn
        if churn:
            churn.stop()
            if churn.problem:
                raise Problem(churn.problem)
            churn.check_followed()
        if idle and idle.still_open_count() < scenario.idle_connections:
            raise Problem(f"only {idle.still_open_count()} of {scenario.idle_connections} idle connections stayed open")
    finally:
        if churn:
            churn.stop()
        if idle:
            idle.close()


def take_turn(generator, scenario, standing, load, seconds):
    with _beside(scenario, standing) as churn:
        pid = standing.process.pid if standing.process else None
        before_cpu = procfs.cpu_seconds(pid) if pid else 0
        before_busy, before = procfs.core_busy_seconds(machine.PROXY_CORE), time.monotonic()
        drive = generator.drive(standing.port, load, seconds)
        elapsed = time.monotonic() - before
        busy = procfs.core_busy_seconds(machine.PROXY_CORE) - before_busy
        cpu = procfs.cpu_seconds(pid) - before_cpu if pid else 0
        rss, pss = procfs.memory_kib(pid) if pid else (None, None)
        return Turn(drive, cpu * 1e6 / drive.requests if pid and drive.requests else None, cpu / elapsed,
                    max(0.0, busy - cpu - TICK_SLACK_S) / elapsed, rss, pss, churn.changes if churn else 0)


def problem_of(turn, load):
    """Why this turn must not become a figure; None when it may."""
    drive = turn.drive
    if drive.problem:
        return drive.problem
    if drive.requests == 0 or drive.ok == 0:
        return "no request was answered as expected"
    if drive.failed and not load.errors_allowed:
        return f"{drive.failed} of {drive.requests} requests failed: {drive.first_error or 'no reason given'}"
    return None


class Rounds:
    """say: called with a line of progress."""

    def __init__(self, generator, scenario, say, rounds, seconds):
        self.generator, self.scenario, self.say = generator, scenario, say
        self.round_count, self.seconds = rounds, seconds
        self.repeats_left = 0

    def run(self, standing):
        """One row for each load and proxy."""
        rows = []
        for load in self.scenario.loads:
            rows += self._run_load([Row(s, load) for s in standing], load)
        return rows

    def _run_load(self, rows, load):
        for row in rows:
            self._warm_up(row, load)
        # At most a third as long again as planned.
        self.repeats_left = max(1, self.round_count * len(rows) // 3)
        at = f" at {load.rate:g}/s" if load.rate else ""
        for number in range(self.round_count):
            for row in rows:
                if not row.problem:
                    self._turn(row, load)
            figures = "  ".join(f"{row.standing.name} {_figure(row)}" for row in rows)
            self.say(f"{self.scenario.name}{at}: round {number + 1}/{self.round_count}: {figures}")
        for row in rows:
            if not row.problem and not any(row.turns):
                row.problem = row.last_invalid
        return rows

    def _try(self, row, load, seconds):
        """A turn; None, and the row's problem, when it must not become a figure."""
        try:
            turn = take_turn(self.generator, self.scenario, row.standing, load, seconds)
        except (Problem, OSError) as problem:
            row.problem = str(problem)
            return None
        if turn.drive.is_invalid:
            row.last_invalid = turn.drive.problem
        else:
            row.problem = problem_of(turn, load)
        return None if row.problem else turn

    def _warm_up(self, row, load):
        """Connections, caches, pools."""
        self._try(row, load, min(WARM_UP_S, self.seconds))

    def _turn(self, row, load):
        for attempt in range(REPEATS_MAX + 1):
            turn = self._try(row, load, self.seconds)
            if not turn:
                return
            is_disturbed = turn.drive.is_invalid or (turn.foreign_share > FOREIGN_SHARE_MAX and row.standing.process)
            if not is_disturbed or attempt == REPEATS_MAX or self.repeats_left == 0:
                break
            row.repeated += 1
            self.repeats_left -= 1
        row.turns.append(None if turn.drive.is_invalid else turn)


def _figure(row):
    turn = row.turns[-1] if row.turns else None
    if row.problem or not turn:
        return "-"
    if turn.cpu_us_per_request is None:
        return f"{turn.drive.ok_per_s:.0f}/s"
    noise = f" ({turn.foreign_share:.0%} foreign)" if turn.foreign_share > FOREIGN_SHARE_MAX else ""
    return f"{turn.cpu_us_per_request:.2f} us{noise}"
