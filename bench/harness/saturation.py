"""How many requests a second the peers can do, measured just before a scenario that runs at a share of it."""
from dataclasses import replace

from harness import figures, peers
from harness.problem import Problem
from harness.rounds import Rounds

ROUNDS = 3
ROUNDING = 100  # requests a second


def rate_of(saturated, share):
    """saturated: {name: requests a second}. This share of the highest."""
    return max(1, round(max(saturated.values()) * share / ROUNDING) * ROUNDING)


def measure(generator, scenario, standing, say, seconds):
    """{name: requests a second} of those peers that Portico is compared with, in interleaved closed loops."""
    closed = replace(scenario.loads[0], shape="closed", saturation_share=None)
    about = replace(scenario, name=f"{scenario.name}, saturation", loads=(closed,))
    rivals = [s for s in standing if peers.is_rival(s.name)]
    rows = Rounds(generator, about, say, ROUNDS, seconds).run(rivals)
    if not rows:
        raise Problem(f"{scenario.name}: needs {' or '.join(peers.RIVALS)}: without them there is no rate to run at")
    for row in rows:
        if row.problem:
            raise Problem(f"{scenario.name}: {row.standing.name}: {row.problem}")
    return {row.standing.name: round(figures.median_of(turn.drive.ok_per_s for turn in row.turns if turn), 1) for row in rows}


def at_share(scenario, saturated):
    """The scenario with the rate that its load is to have."""
    load = scenario.loads[0]
    return replace(scenario, loads=(replace(load, rate=rate_of(saturated, load.saturation_share)),))
