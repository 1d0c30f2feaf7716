"""portico-bench: does it measure what is there? It is measured itself, on a backend whose delays are known.

Nothing here asserts a speed, and nothing needs a quiet machine. That its figures are exact, tests/unit/bench/load/
generator_test.c tells on a clock of its own. Here noise only ever adds to a latency: what is compared with a known delay is
compared from below, and from above only with what a witness has seen in the same noise."""

import contextlib
import json
import math
import os
import re
import shutil
import signal
import socket
import subprocess
import threading
import time

import pytest

from conftest import OUT, SANITIZED, SANITIZER_REPORT, SLOWNESS, free_port, get, run_portico, wait_until

ERROR_KINDS = {"connect", "reset", "timeout", "status_1xx", "status_2xx", "status_3xx", "status_4xx", "status_5xx",
               "short_body", "wrong_body", "malformed", "overrun"}
ROUNDS_MAX = 30  # of a run that was over before anything could be done to it
measures_time = pytest.mark.skipif(SANITIZED, reason="a sanitizer costs more than what is measured")


def url_of(backend, path="/"):
    return f"http://127.0.0.1:{backend.port}{path}"


def start(*arguments, is_quiet=True, stderr=subprocess.PIPE):
    return subprocess.Popen([OUT / "portico-bench", *(["--quiet"] if is_quiet else []), *map(str, arguments)],
                            stdout=subprocess.PIPE, stderr=stderr, text=True)


def finish(process, timeout_s=240):
    out, err = process.communicate(timeout=timeout_s * SLOWNESS)
    assert not SANITIZER_REPORT.search(err), err
    return process.returncode, out, err


LINE = re.compile(r"^ *(\d+) s  offered (\d+)  sent (\d+)  ok (\d+)/s .* errors (\d+)$", re.M)


class Talking:
    """A run that tells each second how it goes, so that something can be done in the midst of it."""

    def __init__(self, folder, *arguments):
        self.path = folder / "told"
        self.began_s = time.monotonic()  # what it sends is due later than this
        with open(self.path, "wb") as told:
            self.process = start("--json", "-", *arguments, is_quiet=False, stderr=told)

    def wait_for_second(self, number):
        """Until so many seconds of it are over."""
        wait_until(lambda: len(LINE.findall(self.path.read_text())) >= number or self.process.poll() is not None,
                   f"{number} seconds of the run", 120)

    def is_within(self, duration_s):
        """Whether it has surely not yet sent all. Without this, what was done to it may have come too late to be seen."""
        return time.monotonic() < self.began_s + duration_s

    def finish(self):
        """(exit code, report, standard error)"""
        out, _ = self.process.communicate(timeout=240 * SLOWNESS)
        err = self.path.read_text()
        assert not SANITIZER_REPORT.search(err), err
        return self.process.returncode, check_sums(json.loads(out)), err


def check_sums(report):
    """What holds for every report."""
    requests, seconds = report["requests"], report["seconds"]
    assert set(report["errors"]) == ERROR_KINDS
    assert requests["scheduled"] == requests["ok"] + requests["failed"] == sum(row["offered"] for row in seconds)
    assert requests["failed"] == sum(report["errors"].values()) == sum(row["failed"] for row in seconds)
    assert requests["ok"] == sum(row["ok"] for row in seconds)
    assert requests["sent"] == sum(row["sent"] for row in seconds) <= requests["scheduled"]
    assert [row["second"] for row in seconds] == list(range(len(seconds)))
    for key in ("latency_from_intended_us", "latency_from_sent_us", "lateness_us"):
        latency = report[key]
        if latency is None:
            assert report["mode"] == "closed"
            continue
        assert latency["count"] == sum(count for _, count in latency["buckets"])
        values = [us for _, us in latency["percentiles"]]
        assert values == sorted(values) and values[-1] == latency["max"]
        assert latency["p99"] == dict(latency["percentiles"])[99]
    return report


def measure(*arguments):
    """The report of a run. Whether it is valid is for the machine to say; that it says why is checked."""
    code, out, err = finish(start("--json", "-", *arguments))
    assert code in (0, 1) and out, err
    report = check_sums(json.loads(out))
    assert report["valid"] == (code == 0) == (not report["invalid_reasons"])
    return report


def quantile(latency, part):
    """From the buckets, so that the test does not trust the program's own quantiles."""
    left = math.ceil(part * latency["count"])
    for us, count in latency["buckets"]:
        left -= count
        if left <= 0:
            return us
    raise AssertionError("no such quantile")


# ---- is it true?

DELAYS = [
    ("delay_ms=20", 20_000, 20_000),
    ("delay_us=7500", 7_500, 7_500),
    ("delay_exp_ms=20", 20_000 * math.log(2), 20_000 * math.log(100)),
    ("delay_bimodal=5,100,0.1", 5_000, 100_000),
]


@measures_time
@pytest.mark.parametrize("delay, p50_us, p99_us", DELAYS)
def test_no_latency_is_shorter_than_the_delay_of_the_backend(backend, delay, p50_us, p99_us):
    # Without a probe: of two thousand delays in a row each thousandth of the distribution is taken twice.
    report = measure("--rate", 1000, "--connections", 256, "--duration", "2s", "--no-probe", url_of(backend, f"/?{delay}"))
    assert report["requests"]["ok"] == 2_000
    for key in ("latency_from_sent_us", "latency_from_intended_us"):
        for part, truth in ((0.5, p50_us), (0.99, p99_us)):
            measured = quantile(report[key], part)
            assert measured >= truth * 0.98 - 50, f"{key} at {part}: {measured} us, less than {truth:.0f}"


class Witness:
    """A server of one connection that notes when it had each request and when it began to answer, by the generator's clock."""

    def __init__(self, held_s):
        self.held_s = held_s
        self.received, self.answered = [], []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        connection, _ = self.listener.accept()
        with connection:
            for held_s in self.held_s:
                data = b""
                while not data.endswith(b"\r\n\r\n"):
                    data += (piece := connection.recv(65536))
                    if not piece:
                        return
                self.received.append(time.monotonic_ns() // 1000)
                time.sleep(held_s)  # how long the generator has to wait
                self.answered.append(time.monotonic_ns() // 1000)
                connection.sendall(GOOD)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.close()
        self.thread.join(60)


def assert_within(latency, at_least, at_most):
    """Each one, the shortest first. A bucket holds what is within a thousandth and has the name of its largest."""
    found = [us for us, count in latency["buckets"] for _ in range(count)]
    assert len(found) == len(at_least) == len(at_most)
    for us, low, high in zip(found, sorted(at_least), sorted(at_most)):
        assert low - 2 <= us <= high * 1.001 + 2, f"{us} us, not from {low} to {high}"


@pytest.mark.parametrize("load", [["--closed"], ["--rate", "1000"]])
def test_each_latency_is_between_what_the_server_saw_inside_and_outside_of_it(load):
    """On one connection a request is sent when the answer before it was read, and its own was read when the next one is sent.
    That holds on any machine, and on a quiet one both bounds are as close as two processes can tell."""
    held_ms = [20, 7.5, 5, 5, 100, 1] * 10
    with Witness([ms / 1000 for ms in held_ms]) as server:
        began = time.monotonic_ns() // 1000
        report = measure(*load, "--requests", len(held_ms), "--connections", 1, "--no-probe", f"http://127.0.0.1:{server.port}/")
        ended = time.monotonic_ns() // 1000
    assert report["requests"]["ok"] == len(held_ms)
    received, answered = server.received, server.answered
    read_before = received[1:] + [ended]
    sent_after = [began] + answered[:-1]
    assert_within(report["latency_from_sent_us"], [a - r for a, r in zip(answered, received)],
                  [read - sent for read, sent in zip(read_before, sent_after)])
    if load[0] == "--rate":  # due a millisecond one after the other, the first of them before it was sent
        assert_within(report["latency_from_intended_us"], [a - (received[0] + 1000 * k) for k, a in enumerate(answered)],
                      [read - (began + 1000 * k) for k, read in enumerate(read_before)])


def stall_within(folder, backend, duration_s, *load):
    """The report of a run of which the backend surely stood still for one second."""
    for _ in range(ROUNDS_MAX):
        run = Talking(folder, *load, "--duration", f"{duration_s}s", url_of(backend))
        run.wait_for_second(1)
        get(backend.port, "/stall?ms=1000")
        was_within = run.is_within(duration_s)
        code, report, err = run.finish()
        if was_within:
            return report
    raise AssertionError("the machine was too busy to let it stall in time")


@measures_time
def test_a_stall_of_one_second_is_seen_by_all_who_would_have_come(backend, tmp_path):
    report = stall_within(tmp_path, backend, 5, "--rate", 1000)
    slow = [(us, count) for us, count in report["latency_from_intended_us"]["buckets"] if us > 20_000]
    assert report["requests"]["ok"] == 5_000
    for tenth in range(10):  # and as many as were due then, each of them, have waited at least for what was left of it
        assert sum(count for us, count in slow if us > tenth * 100_000) >= 0.8 * (1000 - tenth * 100)


@measures_time
def test_a_closed_loop_hides_the_stall(backend, tmp_path):
    report = stall_within(tmp_path, backend, 4, "--closed", "--connections", 64)
    assert report["latency_from_intended_us"] is None and report["lateness_us"] is None
    assert sum(count for us, count in report["latency_from_sent_us"]["buckets"] if us > 500_000) >= 1


def is_stopped(pid):
    with open(f"/proc/{pid}/stat") as f:
        return f.read().rsplit(")", 1)[1].split()[0] == "T"


def test_a_generator_that_was_late_says_so(backend, tmp_path):
    was_within = False
    for _ in range(ROUNDS_MAX):
        run = Talking(tmp_path, "--rate", 250, "--duration", "4s", url_of(backend))
        run.wait_for_second(1)
        run.process.send_signal(signal.SIGSTOP)
        wait_until(lambda: run.process.poll() is not None or is_stopped(run.process.pid), "it stands still")
        time.sleep(0.5)  # how late it is
        was_within = run.is_within(4)
        run.process.send_signal(signal.SIGCONT)
        code, report, err = run.finish()
        if was_within:
            break
    assert was_within, "the machine was too busy to stop it in time"
    assert code == 1 and not report["valid"]
    assert any("too slow" in reason for reason in report["invalid_reasons"]) and "INVALID" in err
    assert report["requests"]["scheduled"] == 1000  # late, but none left out
    assert report["lateness_us"]["max"] >= 400_000
    assert report["latency_from_intended_us"]["max"] >= 400_000


def test_an_interrupted_run_is_invalid(backend, tmp_path):
    run = Talking(tmp_path, "--rate", 200, "--duration", "60s", url_of(backend))
    run.wait_for_second(1)
    run.process.send_signal(signal.SIGINT)
    code, report, err = run.finish()
    assert code == 1 and "interrupted" in report["invalid_reasons"]
    assert 0 < report["requests"]["scheduled"] < report["requests"]["planned"] == 12_000


# ---- arrivals and connections


@pytest.mark.parametrize(
    "load, offered",
    [
        (("--rate", 300, "--duration", "2s"), [300, 300]),
        (("--rate", 400, "--requests", 500), [400, 100]),
        (("--steps", "100x1s,0x1s,300x1s"), [100, 0, 300]),
        (("--ramp", "100:500:2s"), [200, 400]),
    ],
)
@pytest.mark.parametrize("threads", [1, 3])
def test_as_many_requests_become_due_each_second_as_were_asked_for(backend, load, offered, threads):
    report = measure(*load, "--threads", threads, url_of(backend))
    assert report["requests"]["planned"] == report["requests"]["ok"] == sum(offered)
    found = [row["offered"] for row in report["seconds"]]
    assert found[: len(offered)] == pytest.approx(offered, abs=1) and not any(found[len(offered) :])
    assert report["connections_opened"] >= 64 and report["statuses"] == {"200": sum(offered)}


def test_a_trace_is_followed_faster(backend, tmp_path):
    trace = tmp_path / "trace.txt"
    trace.write_text("".join(f"{rate}\n" for rate in [50] * 10 + [200] * 10))
    report = measure("--trace", trace, "--speed-up", 10, "--scale", 2, url_of(backend))
    assert [row["offered"] for row in report["seconds"]][:2] == [100, 400]


def test_random_arrivals_are_random_but_repeatable(backend):
    counts = [measure("--rate", 500, "--poisson", "--seed", seed, "--duration", "1s", url_of(backend))["requests"]["scheduled"]
              for seed in (1, 1, 2)]
    assert counts[0] == counts[1] and 400 < counts[0] < 600 and 400 < counts[2] < 600


def test_each_connection_carries_one_request_when_told_so(backend):
    report = measure("--one-per-connection", "--rate", 300, "--duration", "1s", "--no-probe", url_of(backend))
    assert report["connections_opened"] == report["requests"]["ok"] == 300


def test_a_server_that_closes_is_connected_to_again(backend):
    report = measure("--rate", 300, "--duration", "1s", url_of(backend, "/?close=1"))
    assert report["requests"]["ok"] == 300 and report["connections_opened"] >= 300


def test_a_closed_loop_sends_as_many_as_asked_for(backend):
    report = measure("--closed", "--requests", 5000, "--threads", 2, url_of(backend))
    assert report["requests"] == {"planned": 5000, "scheduled": 5000, "sent": 5000, "ok": 5000, "failed": 0}


def test_what_finds_no_place_in_the_queue_is_an_overrun(backend):
    report = measure("--rate", 500, "--duration", "1s", "--connections", 1, "--queue", 5, url_of(backend, "/?delay_ms=50"))
    assert report["errors"]["overrun"] > 400
    assert report["requests"]["sent"] == report["requests"]["ok"] < 40


def test_waiting_for_a_connection_is_part_of_the_latency(backend):
    report = measure("--rate", 100, "--requests", 50, "--connections", 1, url_of(backend, "/?delay_ms=30"))
    assert report["latency_from_sent_us"]["p50"] < 200_000 * SLOWNESS
    assert report["latency_from_intended_us"]["max"] >= 50 * 30_000 - 500_000 - 20_000


def test_who_waits_too_long_gets_a_timeout(backend):
    report = measure("--rate", 30, "--requests", 90, "--connections", 4, "--timeout", "300ms", "--no-probe",
                     url_of(backend, "/?delay_bimodal=1,5000,0.5"))
    assert report["errors"]["timeout"] > 0 and report["requests"]["failed"] == report["errors"]["timeout"]
    assert "timeout" in report["first_error"]


# ---- what is a good answer


@pytest.mark.parametrize("path", ["/?size=0", "/?size=1", "/?size=300000", "/?size=300000&chunked=1", "/?size=5000&slow_body_ms=1"])
def test_known_bodies_are_verified(backend, path):
    assert measure("--verify-pattern", "--rate", 50, "--requests", 25, url_of(backend, path))["requests"]["ok"] == 25


def test_requests_have_the_body_and_the_fields_they_should(backend):
    body = b"abcdefghijklmnopqrstuvwxyz" * 4000
    import zlib

    report = measure("--body-bytes", len(body), "-H", "X-Test: yes", "--rate", 50, "--requests", 10, "--expect-prefix",
                     '{"method": "POST", "target": "/echo", "version": "HTTP/1.1", "headers": [["Host", "127.0.0.1:'
                     f'{backend.port}"], ["X-Test", "yes"], ["Content-Length", "{len(body)}"]], "bodyLength": {len(body)},'
                     f' "bodyAdler32": {zlib.adler32(body)}', url_of(backend, "/echo"))
    assert report["requests"]["ok"] == 10 and report["sent_bytes"] > 10 * len(body)


def test_an_answer_to_head_has_no_body(backend):
    assert measure("--method", "HEAD", "--rate", 100, "--requests", 20, url_of(backend, "/?size=1000"))["requests"]["ok"] == 20


def test_failures_of_the_target_are_counted_and_change_nothing_else(backend):
    report = measure("--rate", 1000, "--duration", "1s", url_of(backend, "/?fail=0.3"))
    assert 200 < report["errors"]["status_5xx"] < 400
    assert report["statuses"]["500"] == report["errors"]["status_5xx"] == report["requests"]["failed"]
    assert report["first_error"] == "status_5xx: 500"
    assert report["latency_from_sent_us"]["count"] == report["requests"]["ok"]


def test_another_status_can_be_the_expected_one(backend):
    report = measure("--expect-status", "404,5xx", "--rate", 100, "--requests", 20, url_of(backend, "/?status=503"))
    assert report["requests"]["ok"] == 20 and report["statuses"] == {"503": 20}


class RawServer:
    """Answers each connection's first request with the next of the given texts, and closes."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.listener.getsockname()[1]
        self.served = 0
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        with connection, contextlib.suppress(OSError):
            if connection.recv(65536):
                answer = self.answers[self.served % len(self.answers)]
                self.served += 1
                connection.sendall(answer)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.close()


GOOD = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@pytest.mark.parametrize(
    "bad, kind",
    [
        (b"", "reset"),
        (b"HTTP/1.1 200 OK\r\nContent-", "reset"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok", "short_body"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n", "short_body"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno", "wrong_body"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nok", "malformed"),
        (b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok", "malformed"),
        (b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n", "status_3xx"),
        (b"HTTP/1.1 204 None\r\n\r\n", "status_2xx"),
    ],
)
def test_bad_answers_are_told_apart(bad, kind):
    with RawServer(GOOD, bad) as server:
        report = measure("--connections", 1, "--closed", "--requests", 20, "--no-probe", "--expect-prefix", "ok",
                         "--expect-status", "200", f"http://127.0.0.1:{server.port}/")
    assert report["errors"][kind] > 0 and report["requests"]["ok"] > 0
    # A connection that the server has closed already may be noticed only by the next request on it.
    assert report["requests"]["failed"] - report["errors"]["reset"] == (report["errors"][kind] if kind != "reset" else 0)


# ---- what cannot be measured is one line


def refuse_to_measure(code, what, *arguments):
    found, out, err = finish(start(*arguments))
    assert (found, out) == (code, "") and err.count("\n") == 1 and what in err and err.startswith("portico-bench: "), err


@pytest.mark.parametrize(
    "arguments, what",
    [
        ([], "no URL"),
        (["https://127.0.0.1/"], "http://"),
        (["http://"], "no host"),
        (["http://127.0.0.1:99999/"], "no host and port"),
        (["http://127.0.0.1/", "http://127.0.0.1/"], "one argument too many"),
        (["--nonsense", "http://127.0.0.1/"], "unknown option '--nonsense'"),
        (["--rate", "fast", "http://127.0.0.1/"], "--rate: not a number"),
        (["--rate", "10", "--closed", "http://127.0.0.1/"], "--closed does not go with --rate"),
        (["--ramp", "1:2", "http://127.0.0.1/"], "--ramp: not FROM:TO:TIME"),
        (["--steps", "100", "http://127.0.0.1/"], "--steps: not RATExTIME"),
        (["--trace", "/no/such/file", "http://127.0.0.1/"], "/no/such/file: No such file"),
        (["--trace", "/dev/null", "http://127.0.0.1/"], "/dev/null: no requests"),
        (["--duration", "10", "http://127.0.0.1/"], "--duration: not a time"),
        (["--connections", "0", "http://127.0.0.1/"], "--connections: not a whole number"),
        (["--threads", "2", "--connections", "1", "http://127.0.0.1/"], "more --threads"),
        (["-H", "no colon", "http://127.0.0.1/"], "not 'Name: value'"),
        (["-H", "A: b\r\nC: d", "http://127.0.0.1/"], "control character"),
        (["-H", "Content-Length: 1", "http://127.0.0.1/"], "--body-bytes"),
        (["--method", "GE T", "http://127.0.0.1/"], "not a method"),
        (["--expect-status", "ok", "http://127.0.0.1/"], "--expect-status"),
        (["--timeout"], "no value for --timeout"),
    ],
)
def test_a_wrong_command_line_is_exit_code_2(arguments, what):
    refuse_to_measure(2, what, *arguments)


def test_a_target_that_is_not_there_is_exit_code_1():
    refuse_to_measure(1, "Connection refused", f"http://127.0.0.1:{free_port()}/")
    refuse_to_measure(1, "Connection refused", f"http://[::1]:{free_port()}/")


def test_a_name_that_nobody_knows_is_exit_code_1():
    refuse_to_measure(1, "no-such-host.invalid", "http://no-such-host.invalid/")


@pytest.mark.parametrize(
    "answer, what",
    [
        (b"SSH-2.0-OpenSSH_9.2\r\n", "malformed"),
        (b"\x15\x03\x01\x00\x02\x02\x46", "malformed"),
        (b"", "reset"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhi", "short_body"),
    ],
)
@pytest.mark.parametrize("load", [["--duration", "1s"], ["--closed", "--requests", "5", "--no-probe"]])
def test_a_target_that_answers_garbage_is_exit_code_1(answer, what, load):
    with RawServer(answer) as server:
        refuse_to_measure(1, what, *load, f"http://127.0.0.1:{server.port}/")


def test_a_target_that_never_answers_is_exit_code_1():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        refuse_to_measure(1, "timeout", "--timeout", "200ms", f"http://127.0.0.1:{silent.getsockname()[1]}/")


def test_nothing_but_errors_is_no_measurement(backend):
    refuse_to_measure(1, "none of 50 requests was answered as expected; the first: status_5xx: 503", "--rate", "100",
                      "--requests", "50", url_of(backend, "/?status=503"))


def test_a_report_that_cannot_be_written_is_told_before_the_run(backend):
    refuse_to_measure(1, "No such file", "--json", "/no/such/folder/x.json", "--duration", "60s", url_of(backend))


def test_more_connections_than_descriptors_is_exit_code_1(backend):
    import resource

    process = subprocess.Popen([OUT / "portico-bench", "--connections", "500", url_of(backend)], stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True,
                               preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (100, 100)))
    code, out, err = finish(process)
    assert code == 1 and out == "" and "500 connections need" in err


# ---- for people


def test_the_table_says_what_was_measured(backend):
    code, out, err = finish(start("--rate", 100, "--requests", 50, url_of(backend)))
    assert err == "" and "50 due, 50 sent, 50 ok, 0 failed" in out and "p99.9" in out
    assert out.splitlines()[-1] == "valid" if code == 0 else "INVALID" in out


def test_a_line_each_second_goes_to_standard_error(backend):
    code, out, err = finish(start("--rate", 100, "--duration", "2s", url_of(backend), is_quiet=False))
    rows = [tuple(map(int, row)) for row in LINE.findall(err)]
    assert err.count("\n") == len(rows) >= 2 and [row[0] for row in rows] == list(range(1, len(rows) + 1))
    assert [sum(column) for column in list(zip(*rows))[1:]] == [200, 200, 200, 0]  # an answer may fall into another second


def test_portico_bench_is_the_same_program(tmp_path):
    assert run_portico("bench", "--version").stdout.startswith("portico-bench ")
    done = run_portico("bench", "nonsense")
    assert done.returncode == 2 and "nonsense" in done.stderr
    shutil.copy(OUT / "portico", tmp_path / "portico")
    done = subprocess.run([tmp_path / "portico", "bench", "--version"], capture_output=True, text=True, timeout=240)
    assert done.returncode == 1 and done.stderr == f"portico bench: {tmp_path}/portico-bench: No such file or directory\n"


def test_help_fits_the_page():
    done = subprocess.run([OUT / "portico-bench", "--help"], capture_output=True, text=True, timeout=240)
    assert done.returncode == 0 and done.stderr == ""
    assert max(map(len, done.stdout.splitlines())) <= 120
    written = open(os.path.join(os.path.dirname(__file__), "..", "..", "bench", "load", "output.md")).read()
    assert written.split("```")[1].strip() == done.stdout.strip()
