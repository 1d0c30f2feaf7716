"""The access log: what is in a line, that it can be rotated under load without losing or tearing one, and that nobody
who fails to read it can hold up a request."""
import contextlib
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import threading

import pytest

from conftest import OUT as OUT_FOLDER
from conftest import get, is_alive, wait_until
from proxy_alone import DEADLINE_S, OK, Peer, ProxyAlone, answer_with, closed_port, fields
from proxy_fixtures import proxy, upstream  # noqa: F401

ALWAYS = {"time", "client", "clientPort", "method", "target", "protocol", "host", "status", "end", "termination", "service",
          "endpoint", "tries", "requestBytes", "responseBytes", "requestUs", "connectUs", "responseUs", "durationUs", "isReused",
          "requestId"}
COMBINED = re.compile(r'127\.0\.0\.1 - - \[\d\d/[A-Z][a-z]{2}/\d{4}(:\d\d){3} \+0000\] '
                      r'"([^"]*)" (\d{3}) (\d+) "([^"]*)" "([^"]*)"')
ROTATIONS = 20


def read_json(path):
    text = pathlib.Path(path).read_text()
    assert text == "" or text.endswith("\n")
    return [json.loads(line) for line in text.splitlines()]


def read_json_now(path):
    """While it is written to: nothing, when only a part of a piece is in the file yet."""
    text = pathlib.Path(path).read_text()
    return [json.loads(line) for line in text.splitlines()] if text.endswith("\n") else []


def wait_for_lines(path, count):
    return wait_until(lambda: len(lines := read_json_now(path)) >= count and lines, f"{count} lines in {path}")


class Requests(threading.Thread):
    """Keep-alive requests one after the other, each with a target of its own, until told to stop."""

    def __init__(self, port, name):
        super().__init__(daemon=True)
        self.port, self.prefix, self.answered, self.stopping = port, name, [], threading.Event()

    def run(self):
        peer = Peer(socket.create_connection(("127.0.0.1", self.port)))
        while not self.stopping.is_set():
            target = f"/{self.prefix}/{len(self.answered)}"
            peer.send(f"GET {target} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
            head = peer.take_head()
            assert head.startswith(b"HTTP/1.1 200"), head
            peer.take(int(fields(head)["content-length"][0]))
            self.answered.append(target)
        peer.close()


def rotate_under_load(port, log, rotate, has_switched):
    """Returns the targets of all requests that were answered."""
    clients = [Requests(port, str(i)) for i in range(3)]
    for client in clients:
        client.start()
    for i in range(ROTATIONS):
        goal = sum(len(c.answered) for c in clients) + 30
        wait_until(lambda: sum(len(c.answered) for c in clients) >= goal, "more requests")
        os.rename(log, f"{log}.{i}")
        rotate()
        wait_until(lambda: has_switched() == i + 1, f"rotation {i + 1}")
        assert os.path.exists(log)
    for client in clients:
        client.stopping.set()
    for client in clients:
        client.join(60)
        assert client.answered and not client.is_alive()
    return [target for c in clients for target in c.answered]


def check_files(log, targets):
    files = [f"{log}.{i}" for i in range(ROTATIONS)] + [str(log)]
    rows = [read_json(name) for name in files]
    assert sum(1 for r in rows if r) > ROTATIONS / 2  # the load did reach the files in between
    logged = [row["target"] for r in rows for row in r]
    wanted = set(targets)
    assert sorted(t for t in logged if t in wanted) == sorted(targets)


def test_a_line_has_every_field_and_they_agree_with_what_was_seen(proxy, upstream, tmp_path):
    up = upstream(answer_with(OK))
    log = tmp_path / "access.log"
    p = proxy([up.port], access_log=str(log))
    peer = p.connect()
    port = peer.sock.getsockname()[1]
    for target in ("/a?b=%22", "/second"):
        peer.send(f"GET {target} HTTP/1.1\r\nHost: Example.com:81\r\n\r\n".encode())
        assert peer.take_head() and peer.take(2) == b"ok"
    first, second = wait_for_lines(log, 2)
    assert ALWAYS <= set(first)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", first["time"])
    assert (first["client"], first["clientPort"], first["host"]) == ("127.0.0.1", port, "Example.com:81")
    assert (first["method"], first["target"], first["protocol"]) == ("GET", "/a?b=%22", "1.1")
    assert (first["status"], first["end"], first["termination"]) == (200, "complete", "--")
    assert (first["service"], first["endpoint"], first["tries"]) == ("web", f"127.0.0.1:{up.port}", 1)
    assert (first["requestBytes"], first["responseBytes"], first["requestUs"]) == (0, 2, 0)
    assert 0 < first["responseUs"] <= first["durationUs"] and first["connectUs"] <= first["responseUs"]
    assert "desync" not in first and "desyncReason" not in first
    assert not first["isReused"] and second["isReused"] and second["connectUs"] == 0
    for line, head in zip((first, second), up.heads):
        assert fields(head)["x-request-id"] == [line["requestId"]]


def test_the_clients_own_request_id_is_the_one_that_is_logged(proxy, upstream, tmp_path):
    up = upstream(answer_with(OK))
    log = tmp_path / "access.log"
    p = proxy([up.port], access_log=str(log))
    p.get(extra=b"X-Request-Id: mine-1\r\n")
    assert wait_for_lines(log, 1)[0]["requestId"] == "mine-1"


def test_the_time_that_a_body_took_to_come_is_told_apart(proxy, upstream, tmp_path):
    def script(peer, up):
        up.record(peer.take_head())
        peer.take(200000)
        peer.send(OK)

    up = upstream(script)
    log = tmp_path / "access.log"
    p = proxy([up.port], access_log=str(log))
    peer = p.connect()
    peer.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n" + b"x" * 100000)
    up.wait_for(lambda u: u.heads)
    peer.send(b"x" * 100000)
    assert peer.take_head()
    line = wait_for_lines(log, 1)[0]
    assert line["requestBytes"] == 200000
    assert 0 < line["requestUs"] <= line["responseUs"] <= line["durationUs"]


def test_an_odd_request_is_logged_with_its_class_and_reason(proxy, upstream, tmp_path):
    up = upstream(answer_with(OK))
    log = tmp_path / "access.log"
    p = proxy([up.port], access_log=str(log), settings={"desync": "defensive"})
    peer = p.connect()
    peer.send(b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n")
    assert peer.take_head().startswith(b"HTTP/1.1 200")
    line = wait_for_lines(log, 1)[0]
    assert (line["desync"], line["desyncReason"]) == ("ambiguous", "content-length-repeated")


def test_what_never_becomes_a_request_is_logged_with_what_is_known(proxy, upstream, tmp_path):
    log = tmp_path / "access.log"
    p = proxy([upstream(answer_with(OK)).port], access_log=str(log), settings={"timeouts": {"headMs": 300}})
    sent = [(b"GET /a HTTP/1.1\r\nHost: a\r\nBad Field: x\r\n\r\n", "GET", "/a", 400, "malformed", "PR", "malformed"),
            (b"\x16\x03\x01\x02\x00\r\n\r\n", "\x16\x03\x01\x02\x00", "", 400, "malformed", "PR", "malformed"),
            (b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\n\r\n", "GET", "/" + "x" * 1023, 414, "malformed", "PR", "malformed"),
            (b"POST /b HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", "POST", "/b", 400,
             "desync", "PR", "content-length-and-transfer-encoding"),
            (b"GET /slow HT", "GET", "/slow", 408, "head-timeout", "cR", None)]
    for i, (request, *expected) in enumerate(sent):
        peer = p.connect()
        peer.send(request)
        assert int(peer.take_head().split(b" ")[1]) == expected[2]
        line = wait_for_lines(log, i + 1)[i]
        got = [line[key] for key in ("method", "target", "status", "end", "termination")] + [line.get("desyncReason")]
        assert got == expected and line["client"] == "127.0.0.1" and line["clientPort"] == peer.sock.getsockname()[1]
        peer.close()


def test_who_ended_it_and_where_is_told(proxy, upstream, tmp_path):
    def script(peer, up):
        target = peer.take_head().split(b" ")[1]
        up.record(target)
        if target == b"/half":
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
        elif target == b"/bad":
            peer.send(b"HTTP/1.1 2\r\n\r\n")
        elif target == b"/wait":
            peer.take_rest()

    up = upstream(script)
    log = tmp_path / "access.log"
    held, refusing = closed_port()
    services = [{"name": "web", "endpoints": [{"id": "a", "address": f"127.0.0.1:{up.port}"}]},
                {"name": "closed", "endpoints": [{"id": "b", "address": f"127.0.0.1:{refusing}"}]},
                {"name": "empty", "endpoints": []}]
    routes = [{"host": "*", "path": path, "service": name}
              for path, name in (("/closed", "closed"), ("/empty", "empty"), ("/half", "web"), ("/bad", "web"), ("/wait", "web"),
                                 ("/gone", "web"))]
    p = proxy([], access_log=str(log), services=services, routes=routes)
    expected = [("/nowhere", 404, "no-route", "PR"), ("/closed", 502, "connect-failed", "SC"),
                ("/empty", 503, "no-endpoint", "SC"), ("/half", 200, "upstream-broken", "SD"),
                ("/bad", 502, "upstream-malformed", "PH")]
    for target, *_ in expected:
        p.get(target)
    peer = p.connect()
    peer.send(b"GET /wait HTTP/1.1\r\nHost: a\r\n\r\n")
    up.wait_for(lambda u: b"/wait" in u.heads)
    peer.reset()
    lines = wait_for_lines(log, len(expected) + 1)
    held.close()
    got = [(line["target"], line["status"], line["end"], line["termination"]) for line in lines]
    assert got == expected + [("/wait", 0, "client-gone", "CH")]


POST = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n%s\r\n"


@pytest.mark.parametrize("waits, request_, body, told", [
    ({"bodyMs": 1000}, POST % (9, b""), b"1", (408, "body-timeout", "cR")),
    ({"bodyMs": 3000}, POST % (1 << 30, b""), None, (504, "body-timeout", "sR")),  # the client is not to be that slow itself
    ({"responseMs": 1000}, POST % (9, b"Expect: 100-continue\r\n"), b"", (504, "response-timeout", "sH")),
    ({"streamMs": 1000}, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"", (200, "body-timeout", "sD")),
], ids=["owed", "stuck", "asked", "half"])
def test_who_was_too_slow_with_a_body_is_told(proxy, upstream, tmp_path, waits, request_, body, told):
    """A client that owes its upload, a backend that does not take it, one that does not say whether it wants it, one that
    stops in the middle of its answer. All other waits are long."""
    done = threading.Event()

    def script(peer, up):
        up.record(peer.take_head())
        if request_.startswith(b"GET"):
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
        if body is not None:
            peer.take_rest()
        done.wait(DEADLINE_S)

    up = upstream(script)
    log = tmp_path / "access.log"
    timeouts = {"bodyMs": 600_000, "streamMs": 600_000, "responseMs": 600_000, **waits}
    p = proxy([up.port], access_log=str(log), settings={"retries": 0, "timeouts": timeouts})
    peer = p.connect()
    peer.send(request_ + (body or b""))  # at once: it may be cut off before it could send more
    if body is None:
        send_until_stopped(peer)
    peer.take_rest()
    peer.close()
    done.set()
    [line] = wait_for_lines(log, 1)
    assert (line["status"], line["end"], line["termination"]) == told


def send_until_stopped(peer):
    """Until the proxy has closed, which resets the connection under what it does not take."""
    try:
        while True:
            peer.send(bytes(65536))
    except OSError:
        pass


def test_the_combined_format_is_what_web_servers_write(proxy, upstream, tmp_path):
    up = upstream(answer_with(OK))
    log = tmp_path / "access.log"
    p = proxy([up.port], access_log=str(log), settings={"accessLogFormat": "combined"})
    p.get("/a?b", extra=b"Referer: http://r/\r\nUser-Agent: a \"quoted\" \\ \xe4 agent\r\n")
    p.get("/plain")
    p.stop()
    lines = [COMBINED.fullmatch(line) for line in log.read_text().splitlines()]
    assert all(lines), log.read_text()
    assert lines[0].groups()[1:] == ("GET /a?b HTTP/1.1", "200", "2", "http://r/", r"a \x22quoted\x22 \x5C \xE4 agent")
    assert lines[1].groups()[1:] == ("GET /plain HTTP/1.1", "200", "2", "-", "-")


def test_format_and_sampling_follow_a_reload(proxy, upstream, tmp_path):
    up = upstream(answer_with(OK))
    log = tmp_path / "access.log"
    p = proxy([up.port], access_log=str(log))
    p.get("/json")
    p.document["settings"] = {"accessLogFormat": "combined", "accessLogEvery": 4}
    p.reload()
    wait_until(lambda: p.get("/poll")[0] == 200 and "127.0.0.1 - - [" in log.read_text(), "the new format")
    before = len(log.read_text().splitlines())
    for i in range(40):
        p.get(f"/sampled/{i}")
    assert p.get("/x", extra=b"Max-Forwards: 0\r\n")[0] == 200
    p.stop()
    assert log.read_text().startswith('{"time"')
    assert len(log.read_text().splitlines()) - before in (10, 11)


def test_failures_are_logged_whatever_the_sampling(proxy, tmp_path):
    log = tmp_path / "access.log"
    held, refusing = closed_port()
    p = proxy([refusing], access_log=str(log), settings={"accessLogEvery": 1000})
    for i in range(5):
        assert p.get(f"/{i}")[0] == 502
    held.close()
    assert [line["target"] for line in wait_for_lines(log, 5)] == [f"/{i}" for i in range(5)]


def test_rotation_under_load_loses_and_tears_no_line(proxy, backend, tmp_path):
    log = tmp_path / "access.log"
    p = proxy([backend.port], workers=2, access_log=str(log))
    targets = rotate_under_load(p.port, log, lambda: p.process.send_signal(signal.SIGUSR1),
                                lambda: open(p.log_path).read().count("access log: opened anew"))
    assert p.stop() == 0
    check_files(log, targets)


def test_rotation_through_the_supervisor_loses_and_tears_no_line(make_portico, backend, tmp_path):
    folder = tmp_path / "logs"
    folder.mkdir(mode=0o755)  # not writable for the account that the proxy changes to
    log = folder / "access.log"
    p = make_portico(proxy={"workers": 2, "accessLog": str(log)})
    p.write_endpoints([("web", backend.address)])
    p.start_and_wait()
    p.wait_serving()
    targets = rotate_under_load(p.port, log, lambda: p.send(signal.SIGUSR1),
                                lambda: p.log().count("access log: opened anew"))
    p.stop()
    check_files(log, targets)


def test_old_files_are_let_go(proxy, upstream, tmp_path):
    up = upstream(answer_with(OK))
    log = tmp_path / "access.log"
    p = proxy([up.port], workers=2, access_log=str(log))
    assert p.get()[0] == 200
    os.rename(log, tmp_path / "old")
    p.process.send_signal(signal.SIGUSR1)
    wait_until(lambda: "opened anew" in open(p.log_path).read(), "the switch")
    held = [os.readlink(entry) for entry in pathlib.Path(f"/proc/{p.process.pid}/fd").iterdir()]
    assert str(log) in held and str(tmp_path / "old") not in held


@pytest.mark.parametrize("supervised", [False, True])
def test_a_log_that_cannot_be_opened_anew_goes_on_as_it_was(proxy, upstream, make_portico, backend, tmp_path, supervised):
    folder = tmp_path / "logs"
    folder.mkdir()
    log = folder / "access.log"
    if supervised:
        p = make_portico(proxy={"workers": 2, "accessLog": str(log)})
        p.write_endpoints([("web", backend.address)])
        p.start_and_wait()
        p.wait_serving()
    else:
        p = proxy([upstream(answer_with(OK)).port], access_log=str(log))
        assert p.get()[0] == 200  # ports are bound before the log is opened
    os.rename(folder, tmp_path / "moved")
    p.process.send_signal(signal.SIGUSR1)
    said = wait_until(lambda: re.search(r"access log: .*going on with the old one", open(p.log_path).read()), "it says so")
    assert str(log) in said.group(0)
    request = Requests(p.port, "after")
    request.start()
    wait_until(lambda: len(request.answered) >= 3, "requests")
    request.stopping.set()
    request.join(60)
    moved = tmp_path / "moved" / "access.log"
    wait_until(lambda: "/after/0" in [line["target"] for line in read_json_now(moved)], "the old file grows")


@pytest.mark.parametrize("where", ["off", "stdout"])
def test_there_is_nothing_to_open_anew_without_a_file(proxy, upstream, where):
    p = proxy([upstream(answer_with(OK)).port], access_log=where)
    assert p.get()[0] == 200
    p.process.send_signal(signal.SIGUSR1)
    wait_until(lambda: "nothing to open anew" in open(p.log_path).read(), "it says so")
    assert p.get()[0] == 200


def test_the_signal_kills_neither_control_nor_a_supervised_proxy(portico):
    roles = {role: portico.child(role) for role in ("control", "proxy")}
    for pid in roles.values():
        os.kill(pid, signal.SIGUSR1)
    portico.send(signal.SIGUSR1)
    wait_until(lambda: "nothing to open anew" in portico.log(), "the supervisor has seen it")
    assert get(portico.port)[0] == 200
    assert roles == {role: portico.child(role) for role in roles}


def test_the_process_that_opens_files_holds_nothing_and_ends_with_the_proxy(upstream, tmp_path):
    p = ProxyAlone(tmp_path, [upstream(answer_with(OK)).port], access_log=str(tmp_path / "access.log"))
    pid = p.process.pid
    children = pathlib.Path(f"/proc/{pid}/task/{pid}/children")
    opener = int(wait_until(lambda: children.read_text().split(), "the opener")[0])

    def sockets():
        found = []
        for entry in pathlib.Path(f"/proc/{opener}/fd").iterdir():
            with contextlib.suppress(FileNotFoundError):  # it is just closing what it does not need
                if int(entry.name) > 2 and os.readlink(entry).startswith("socket:"):
                    found.append(entry.name)
        return found

    wait_until(lambda: sockets() == ["3"], "only the channel is left")
    p.process.kill()
    p.process.wait()
    wait_until(lambda: not is_alive(opener), "the opener ends")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", p.port))


def test_a_reader_that_takes_nothing_holds_up_no_request_and_drops_are_counted(make_portico, backend):
    p = make_portico(proxy={"workers": 1, "accessLog": "stdout"})
    p.write_endpoints([("web", backend.address)])
    with open(p.log_path, "ab") as errors:
        p.process = subprocess.Popen([OUT_FOLDER / "portico", "run", "--config", p.config_path], stdout=subprocess.PIPE,
                                     stderr=errors)
    wait_until(p.is_ready, "ready")
    p.wait_serving()
    clients = [Requests(p.port, str(i)) for i in range(4)]
    for client in clients:
        client.start()
    p.wait_metric("portico_proxy_log_lines_dropped_total", lambda v: v > 0, timeout_s=60)
    goal = sum(len(c.answered) for c in clients) + 200
    wait_until(lambda: sum(len(c.answered) for c in clients) >= goal, "requests go on")
    for client in clients:
        client.stopping.set()
    for client in clients:
        client.join(60)
    answered = sorted(target for c in clients for target in c.answered)
    output = p.process.stdout
    piece = os.read(output.fileno(), 1 << 20)
    rows = [json.loads(line) for line in piece.splitlines()]  # whole lines only
    assert rows and {row["target"] for row in rows} < set(answered) | {"/"}
    p.process.send_signal(signal.SIGTERM)
    output.read()
    assert p.wait_exit() == 0
    output.close()
