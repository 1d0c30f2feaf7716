"""Every system call on the path of requests fails once, at each of its places in one fixed conversation, with each
errno that it can have."""
import errno
import os

import pytest

from conversation import answer_all_kinds, ask, converse, start  # noqa: F401 (start is a fixture)
from faults import SHIM, Faults
from proxy_fixtures import upstream  # noqa: F401 (fixture)

pytestmark = pytest.mark.skipif(not os.path.exists(SHIM), reason="no shim for this kind of build")
GET = b"GET /a HTTP/1.1\r\nHost: web\r\nConnection: close\r\n\r\n"

CAUSES = {
    "accept4": "EMFILE ENFILE ENOMEM ENOBUFS ECONNABORTED EPROTO ENETDOWN EPERM",
    "recv": "ECONNRESET ETIMEDOUT ENOMEM EHOSTUNREACH",
    "send": "EPIPE ECONNRESET ENOBUFS ENOMEM",
    "readv": "ECONNRESET ENOMEM",
    "writev": "EPIPE ENOBUFS",
    "recvmsg": "ECONNRESET ENOMEM",
    "sendmsg": "EPIPE ENOBUFS",
    "epoll_wait": "EINTR",
    "epoll_ctl": "ENOMEM ENOSPC",
    "socket": "EMFILE ENOBUFS EACCES",
    "connect": "ECONNREFUSED EADDRNOTAVAIL ENETUNREACH ETIMEDOUT EPERM",
    "setsockopt": "ENOMEM EINVAL",
    "getsockopt": "ENOBUFS",
    "shutdown": "ENOTCONN",
    "close": "EIO EINTR",
}
# Calls whose failure the proxy can always get over by itself.
HARMLESS = {"accept4", "epoll_wait", "setsockopt", "shutdown", "close"}
SHEDDING = {"EMFILE", "ENFILE", "ENOMEM", "ENOBUFS"}  # of accept4: connections that wait for a request may be closed
ALL = [(name, cause) for name, causes in CAUSES.items() for cause in causes.split()]
STEP_BEHIND = 36  # of the many calls that bodies need, each is looked at so far; from there on, one in three


@pytest.mark.parametrize("name,cause", ALL, ids=[f"{name}-{cause}" for name, cause in ALL])
def test_a_system_call_that_fails_costs_one_request_at_most(tmp_path, upstream, start, name, cause):
    faults = Faults(tmp_path)
    proxy = start(upstream(answer_all_kinds).port, faults)
    number, problems = 1, []
    while number < 1000:
        faults.arm(name, at=number, error=getattr(errno, cause))
        outcome = converse(proxy)
        was_hit = faults.hits(name)
        faults.disarm()
        log = open(proxy.log_path).read()
        assert proxy.process.poll() is None, f"call {number} of {name}: ended with {proxy.process.returncode}: {log}"
        if not was_hit:
            break
        refused = [request for request, became in outcome.items() if became != "right"]
        may_shed = name == "accept4" and cause in SHEDDING
        if len(refused) > (len(outcome) if may_shed else 0 if name in HARMLESS else 1):
            problems.append(f"call {number}: refused {refused}")
        assert ask(proxy, GET)[0] == (200, b"nothing"), f"a clean request behind call {number}"
        number += 1 if number < STEP_BEHIND else 3
    print(f"{name} {cause}: {number - 1} places")
    assert problems == []
    assert proxy.stop() == 0
