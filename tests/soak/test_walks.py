"""The simulated walks of `make unit`, for longer: tests/sim/reconciler_walk_test.c, tests/sim/house/house_walk_test.c."""
import os
import subprocess

from portico_run import OUT


def run(test="reconciler_walk_test", **environment):
    done = subprocess.run([os.path.join(OUT, "tests/sim", test)], env={**os.environ, **environment},
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]


def test_ten_thousand_walks_keep_the_invariants():
    run(WALK_COUNT="10000")


def test_a_day_of_trouble_at_a_hundred_services_keeps_the_invariants():
    run(WALK_COUNT="1", WALK_HOURS="24")


def test_a_hundred_million_steps_of_the_whole_house_break_no_rule():
    run("house/house_walk_test", HOUSE_STEPS="100000000")
