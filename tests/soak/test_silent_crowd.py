"""One host that opens all the connections that a worker takes, and says nothing."""
import contextlib
import resource

import pytest

from proxy_alone import OK, answer_with, status
from proxy_fixtures import proxy, upstream  # noqa: F401 (fixtures)
from real_programs import wait_until

PLACES = 8192  # of one worker, by default


@pytest.fixture
def many_descriptors():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 2 * PLACES:
        pytest.skip(f"only {hard} descriptors are allowed, {2 * PLACES} are needed")
    resource.setrlimit(resource.RLIMIT_NOFILE, (2 * PLACES, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def is_served(p, source):
    peer = p.connect(source=source)
    with contextlib.suppress(ConnectionError):
        peer.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        return (head := peer.take_head()) and (status(head), peer.take(2)) == (200, b"ok")
    return False


@pytest.mark.parametrize("says", [b"", b"GET / HTTP/1.1\r\nHost: a\r\nX-Half: "])
def test_others_and_the_host_itself_are_served_beside_8192_connections(many_descriptors, proxy, upstream, says):
    p = proxy([upstream(answer_with(OK)).port], settings={"timeouts": {"headMs": 600_000, "idleMs": 600_000}})
    crowd = [p.connect(source="127.0.0.1") for _ in range(PLACES)]
    for peer in crowd:
        try:
            peer.send(says)
        except ConnectionError:
            pass  # beyond its share, and nobody was idle for long enough yet
    assert is_served(p, "127.0.0.2") and is_served(p, "127.0.0.3")
    wait_until(lambda: is_served(p, "127.0.0.1"), "one of its own has been silent for long enough to make room")
    for peer in crowd:
        peer.close()
