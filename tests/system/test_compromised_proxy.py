"""What a proxy that was taken over leaves behind: the others go on, and an honest one that follows works."""

import os

import pytest

from conftest import get, wait_until

ROOT_ONLY = pytest.mark.skipif(os.getuid() != 0, reason="only root opens another account's memory")


def overwrite_counters(pid, data):
    """As the proxy could at any time: it has the region mapped for writing.

    Its descriptor is closed; the supervisor's is of the same memory.
    """
    for fd in os.listdir(f"/proc/{pid}/fd"):
        path = f"/proc/{pid}/fd/{fd}"
        try:
            if "portico-stats" not in os.readlink(path):
                continue
        except FileNotFoundError:
            continue
        with open(path, "r+b", buffering=0) as region:
            region.write(data)
        return
    raise AssertionError("no region found")


@ROOT_ONLY
@pytest.mark.parametrize("data", [b"\xff" * 64, b"\x00" * 64, b"\xff" * (1 << 20)], ids=["ones", "zeros", "a MiB"])
def test_a_broken_header_of_the_counters_ends_neither_control_nor_the_next_proxy(portico, data):
    overwrite_counters(portico.process.pid, data)
    assert portico.admin("/metrics") is not None
    for role in ("control", "proxy", "control"):
        portico.wait_for_new(role, portico.kill(role))
        overwrite_counters(portico.process.pid, data)
        wait_until(portico.is_ready, "ready again")
        assert get(portico.port)[0] == 200
