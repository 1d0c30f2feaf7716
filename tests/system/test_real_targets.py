"""Request targets as real programs send them: what URIs have in encoded form only, percent signs that encode nothing, and
encoded slashes; what goes on, what is refused, and where it is routed."""
import json

import pytest

from proxy_alone import OK, answer_with, endpoints, status
from proxy_fixtures import proxy, upstream  # noqa: F401 (fixtures)
from real_programs import wait_until

UNENCODED = {  # sent -> sent on
    b"/a|b": b"/a%7Cb",
    b"/report[1].txt": b"/report%5B1%5D.txt",
    b"/a{b}": b"/a%7Bb%7D",
    b"/a^b`c": b"/a%5Eb%60c",
    b'/a"b<c>': b"/a%22b%3Cc%3E",
    b"/a\\b": b"/a%5Cb",
    b"/\xc3\xb6": b"/%C3%B6",
    b"/100%": b"/100%25",
    b"/?p=C:\\x": b"/?p=C:\\x",
    b'/?q="x"<y>|z[]{}^`': b'/?q="x"<y>|z[]{}^`',
    b"/?q=\xc3\xb6": b"/?q=%C3%B6",
}
ENCODED_SLASHES = [b"/@scope%2fname", b"/api/queues/%2F/q", b"/api/v4/projects/group%2Fproject/repository", b"/a%5cb%5C"]


def get(p, target):
    peer = p.connect()
    peer.send(b"GET " + target + b" HTTP/1.1\r\nHost: example.com\r\nConnection: close\r\n\r\n")
    answered = status(peer.take_head())
    peer.close()
    return answered


def target_of(head):
    return head.split(b"\r\n")[0].split(b" ")[1]


def lines_of(path, count):
    wait_until(lambda: path.read_text().count("\n") >= count, f"{count} lines of the access log")
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_unencoded_characters_reach_the_task(proxy, upstream):
    backend = upstream(answer_with(OK))
    p = proxy([backend.port])
    for sent, sent_on in UNENCODED.items():
        assert get(p, sent) == 200, sent
        assert target_of(backend.heads[-1]) == sent_on


def test_the_strictest_mode_refuses_unencoded_characters(proxy, upstream, tmp_path):
    backend = upstream(answer_with(OK))
    log = tmp_path / "access.log"
    p = proxy([backend.port], settings={"desync": "strictest"}, access_log=str(log))
    for sent in UNENCODED:
        assert get(p, sent) == 400, sent
    assert {line["desyncReason"] for line in lines_of(log, len(UNENCODED))} == {"target-unencoded"}
    assert get(p, b"/@scope%2fname") == 200
    assert len(backend.heads) == 1


def test_controls_fragments_and_nul_are_refused(proxy, upstream):
    backend = upstream(answer_with(OK))
    p = proxy([backend.port])
    for target in (b"/a b", b"/a\tb", b"/a\0b", b"/a\x7fb", b"/a#b", b"/a%00b", b"/?a\x01b", b"/?a#b", b"/%c0%af", b"/\xc0\xaf"):
        assert get(p, target) == 400, target
    assert not backend.heads


def test_encoded_slashes_go_on_as_they_came(proxy, upstream):
    backend = upstream(answer_with(OK))
    p = proxy([backend.port])
    for target in ENCODED_SLASHES:
        assert get(p, target) == 200, target
        assert target_of(backend.heads[-1]) == target


def test_encoded_slashes_are_refused_where_it_is_set_so(proxy, upstream):
    backend = upstream(answer_with(OK))
    p = proxy([backend.port], settings={"encodedSlashes": "refuse"})
    for target in [*ENCODED_SLASHES, b"/a\\b"]:
        assert get(p, target) == 400, target
    assert not backend.heads
    assert get(p, b"/?a=%2f%5c\\") == 200  # not in the path


@pytest.fixture
def routed(proxy, upstream, tmp_path):
    """(proxy, access log, backend of "/", of "/admin", of "/team/a")"""
    backends = [upstream(answer_with(OK)) for _ in range(3)]
    names = ("web", "admin", "team")
    log = tmp_path / "access.log"
    p = proxy([], access_log=str(log), services=[{"name": name, "endpoints": endpoints([backend.port])}
                                                 for name, backend in zip(names, backends)],
              routes=[{"host": "*", "path": path, "service": name} for path, name in zip(("/", "/admin", "/team/a"), names)])
    return p, log, *backends


def test_an_encoded_slash_is_part_of_its_segment(routed):
    p, _, web, admin, _ = routed
    for target, backend in ((b"/x%2fadmin", web), (b"/adminx%2fy", web), (b"/admin/%2f", admin), (b"/admin/a%5cb", admin)):
        assert get(p, target) == 200
        assert target_of(backend.heads[-1]) == target


def test_no_encoded_slash_leads_to_a_service_past_its_route(routed):
    """What the task behind "/" decodes to "/admin/x" would be behind "/admin": neither may get it."""
    p, log, *backends = routed
    sent = (b"/admin%2fx", b"/admin%5Cx", b"/admin\\x", b"/team%2Fa", b"/team%2fa%2fb", b"/%61dmin%2fx")
    for target in sent:
        assert get(p, target) == 400, target
    assert not any(backend.heads for backend in backends)
    assert {(line["end"], line["termination"]) for line in lines_of(log, len(sent))} == {("ambiguous-path", "PR")}


def test_no_encoded_slash_climbs_out_of_a_route(routed):
    p, _, *backends = routed
    for target in (b"/team/a/..%2f..%2fadmin", b"/team/a/%2e%2e%2fb", b"/team/a/..%5c..%5cadmin", b"/team/a/b%2f..%2f..",
                   b"/team/a/..\\admin", b"/team/a/.%2f"):
        assert get(p, target) == 400, target
    assert not any(backend.heads for backend in backends)
    assert get(p, b"/team/a/%252e%252e%252fadmin") == 200  # who decodes twice reads what nobody wrote
