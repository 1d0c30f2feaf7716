"""Thousands of healthy tasks to which nothing happens are next to no work for the control process."""
import json
import os
import subprocess
import sys

import pytest

SCRIPT = os.path.join(os.path.dirname(__file__), "..", "..", "bench", "idle_control.py")
SHARE_MAX = 0.03  # of a core, of user and kernel time together
ATTEMPTS_MAX = 5  # the lowest counts: a busy machine only ever adds


@pytest.mark.parametrize("services", [1, 1000])
def test_four_thousand_tasks_at_rest_take_less_than_three_percent_of_a_core(services):
    shares = []
    for _ in range(ATTEMPTS_MAX):
        done = subprocess.run([sys.executable, SCRIPT, "--services", str(services), "--json"], capture_output=True, text=True, check=True)
        found = json.loads(done.stdout)
        assert found["checks_per_second"] > 700, found  # of 800: none is put off for long
        shares.append(found["share"])
        if shares[-1] <= SHARE_MAX:
            return
    raise AssertionError(f"shares of a core: {shares}")
