"""Does the harness see what it must see, and nothing else? Two relays must cost the same, and a Portico that wastes 5 us
on each request must cost 5 us more. It needs build/burn/portico (bench/run.sh --self-check makes it)."""
import os
import statistics

from harness import command, figures, generators, peers, scenario as scenarios
from harness.problem import UsageProblem
from harness.rounds import Rounds
from harness.stand import Stand

BURN_US = 5.0
BURN_SLACK_US = 2.0
SAME_SLACK = 0.05
SCENARIO = "small-keepalive"


def rounds_of(rows, one, other):
    """CPU microseconds per request of both, for each round that has both."""
    by_name = {row.standing.name: figures.cpu_of(row) for row in rows}
    return [(a, b) for a, b in zip(by_name[one], by_name[other]) if a and b]


def judge(rows):
    """Lines, each with whether it is as it must be."""
    same = statistics.median(a / b for a, b in rounds_of(rows, "relay-again", "relay"))
    burnt = statistics.median(a - b for a, b in rounds_of(rows, "portico-burn", "portico"))
    return [
        (abs(same - 1) <= SAME_SLACK, f"two equal relays: ratio {same:.3f}, wanted 1 within {SAME_SLACK}"),
        (abs(burnt - BURN_US) <= BURN_SLACK_US,
         f"a Portico that wastes {BURN_US} us on each request costs {burnt:.2f} us more, wanted {BURN_US} within {BURN_SLACK_US}"),
    ]


def run(options, processes, say):
    """Exit code."""
    known = peers.all_peers(options.build)
    known["portico-burn"] = peers.portico("portico-burn", command.BURN)
    wanted = [known[name] for name in ("relay", "relay-again", "portico", "portico-burn")]
    for peer in wanted:
        if not os.access(peer.program, os.X_OK):
            raise UsageProblem(f"{peer.program} is missing: bench/run.sh --self-check builds it")
    scenario = scenarios.load(SCENARIO, known)
    stand = Stand(processes, options.build, scenario, say)
    try:
        stand.start(wanted)
        generator = generators.make(options.generator, options.build, processes.folder)
        rows = Rounds(generator, scenario, say, options.rounds or scenario.rounds, options.seconds or scenario.seconds).run(
            stand.standing)
    finally:
        stand.stop()
    broken = [row for row in rows if row.problem]
    for row in broken:
        print(f"FAILED  {row.standing.name}: {row.problem}")
    verdicts = [] if broken or len(rows) < len(wanted) else judge(rows)
    for is_good, line in verdicts:
        print(f"{'ok' if is_good else 'FAILED':<7} {line}")
    return 0 if verdicts and all(is_good for is_good, _ in verdicts) else 1
