"""Row by row, every allocation fails once: on the path of requests, then while a snapshot is taken."""
import os
import signal
import time

import pytest

from conversation import ask, answer_all_kinds, converse, start  # noqa: F401 (start is a fixture)
from faults import SHIM, Faults
from proxy_alone import DEADLINE_S
from proxy_fixtures import upstream  # noqa: F401 (fixture)

pytestmark = pytest.mark.skipif(not os.path.exists(SHIM), reason="no shim for this kind of build")
MOST_ALLOCATIONS = 2000
GET = b"GET /a HTTP/1.1\r\nHost: web\r\nConnection: close\r\n\r\n"


def log_of(proxy):
    with open(proxy.log_path) as f:
        return f.read()


def is_answering(proxy):
    answer, _ = ask(proxy, GET)
    return answer == (200, b"nothing")


@pytest.mark.long
def test_an_allocation_that_fails_costs_one_request_at_most_and_never_the_process(tmp_path, upstream, start):
    port, faults, problems = upstream(answer_all_kinds).port, Faults(tmp_path), []
    for number in range(1, MOST_ALLOCATIONS):
        proxy = start(port, faults)
        faults.arm("alloc", at=number)
        try:
            outcome = converse(proxy)
            was_hit = faults.hits("alloc")
            faults.disarm()
            refused = [name for name, became in outcome.items() if became != "right"]
            if len(refused) > 1 and not is_answering(proxy):
                proxy.process.wait(DEADLINE_S)  # it is ending
            if proxy.process.poll() is not None:
                problems.append(f"allocation {number}: ended with {proxy.process.returncode}: {log_of(proxy).strip()}")
            elif len(refused) > 1:
                problems.append(f"allocation {number}: more than one request was refused: {refused}")
            else:
                assert ask(proxy, GET)[0] == (200, b"nothing")
        finally:
            code = proxy.stop()
        if code != 0 and not problems:
            problems.append(f"allocation {number}: exit code {code}: {log_of(proxy).strip()}")
        if not was_hit:
            break
    else:
        pytest.fail("the allocations never end")
    print(f"{number - 1} allocations failed, one after the other")
    assert number > 3 and problems == []


def change_routes(proxy, serial):
    proxy.document["routes"] = [{"host": "web", "path": "/", "service": "web"},
                                {"host": f"other{serial}", "path": "/", "service": "web"}]
    proxy.reload()


def wait_for_reload(proxy, host, log_before):
    """True when the new snapshot serves, False when it was refused or the process has ended."""
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline:
        answer, _ = ask(proxy, f"GET /a HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        if answer and answer[0] == 200:
            return True
        if len(log_of(proxy)) > log_before and answer and answer[0] == 404 or proxy.process.poll() is not None:
            return False
    raise AssertionError("the reload neither happened nor was refused")


def test_an_allocation_that_fails_in_a_reload_refuses_it_or_ends_with_a_word(tmp_path, upstream, start):
    """Outside the path of requests the process may end (the supervisor starts another), but says why."""
    port, faults, proxy = upstream(answer_all_kinds).port, Faults(tmp_path), None
    ended = refused = 0
    unclear = []
    for number in range(1, MOST_ALLOCATIONS):
        if proxy is None:
            proxy = start(port, faults)
        log_before = len(log_of(proxy))
        faults.arm("alloc", at=number)
        change_routes(proxy, number)
        took = wait_for_reload(proxy, f"other{number}", log_before)
        was_hit = faults.hits("alloc")
        faults.disarm()
        if is_answering(proxy):
            refused += not took
        else:
            proxy.process.wait(DEADLINE_S)
            last_words = log_of(proxy).strip().split("\n")[-1]
            if proxy.process.returncode not in (1, 2, 3, -signal.SIGABRT) or "out of memory" not in last_words:
                unclear.append(f"allocation {number}: ended with {proxy.process.returncode}: {last_words}")
            ended += 1
            proxy = None
        if took and not was_hit:
            break
    print(f"{number - 1} allocations: {refused} reloads refused, {ended} times the process ended")
    assert number > 3 and unclear == []
    if proxy:
        assert proxy.stop() == 0
