"""portico-bench: does it measure what is there? It is measured itself, on a backend whose delays are known.

Nothing here asserts a speed. Where a run calls itself INVALID (the machine was busy elsewhere), it is repeated twice. Noise
only ever adds to a latency, so what is compared with the truth from above is the best of some rounds, from below each one."""

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

from conftest import OUT, SANITIZED, SANITIZER_REPORT, SLOWNESS, Backend, free_port, get, run_portico, wait_until

ERROR_KINDS = {"connect", "reset", "timeout", "status_1xx", "status_2xx", "status_3xx", "status_4xx", "status_5xx",
               "short_body", "wrong_body", "malformed", "overrun"}
PUNCTUAL_US = 300  # less than what the truth of a latency is allowed to be off
ROUNDS_MAX = 30  # of a measurement on a busy machine
measures_time = pytest.mark.skipif(SANITIZED, reason="a sanitizer costs more than what is measured")


def go_first(number):
    """Backend (0) and generator (1) each have a core, before other processes of the machine, where the test may."""
    cores = sorted(os.sched_getaffinity(0))
    with contextlib.suppress(OSError):
        os.sched_setaffinity(0, {cores[number % len(cores)]})
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))


@pytest.fixture
def punctual_backend(monkeypatch):
    popen = subprocess.Popen
    monkeypatch.setattr(subprocess, "Popen", lambda *a, **k: popen(*a, preexec_fn=lambda: go_first(0), **k))
    b = Backend("--address", "127.0.0.1")
    monkeypatch.undo()
    yield b
    b.stop()


def url_of(backend, path="/"):
    return f"http://127.0.0.1:{backend.port}{path}"


def start(*arguments, is_quiet=True, stderr=subprocess.PIPE):
    return subprocess.Popen([OUT / "portico-bench", *(["--quiet"] if is_quiet else []), *map(str, arguments)],
                            stdout=subprocess.PIPE, stderr=stderr, text=True, preexec_fn=lambda: go_first(1))


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


class Disturbed(AssertionError):
    """The machine was too busy to measure anything."""


def measure(*arguments, is_timed=False):
    """The report of a run that could measure. is_timed: it must be valid, and is better if the generator was punctual."""
    for attempt in range(3):
        code, out, err = finish(start("--json", "-", *arguments))
        assert code in (0, 1) and out, err
        report = check_sums(json.loads(out))
        assert report["valid"] == (code == 0) == (not report["invalid_reasons"])
        if not is_timed or (report["valid"] and (report["lateness_us"]["p99"] <= PUNCTUAL_US or attempt == 2)):
            return report
    raise Disturbed(f"three times INVALID: {report['invalid_reasons']}")


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


def repeat_until_quiet(measure_round):
    """measure_round(): {what: how much it was too high, 0 or less if it was not}; asserts by itself what noise cannot excuse.
    Each of these must have been low enough in one of the rounds."""
    lowest = {}
    disturbed = None
    for _ in range(ROUNDS_MAX):
        try:
            for what, excess in measure_round().items():
                lowest[what] = min(excess, lowest.get(what, excess))
        except Disturbed as problem:
            disturbed = problem
        if lowest and max(lowest.values()) <= 0:
            return
    assert lowest, disturbed
    pytest.fail(f"too high in each of {ROUNDS_MAX} rounds, at least by: { {w: round(e) for w, e in lowest.items() if e > 0} }")


def test_a_measurement_is_repeated_until_each_part_of_it_was_quiet_once():
    rounds = iter([{"p50": 3, "p99": -1}, Disturbed("busy"), {"p50": 0, "p99": 7}, {"p50": 9, "p99": 9}])

    def measure_round():
        values = next(rounds)
        if isinstance(values, Disturbed):
            raise values
        return values

    repeat_until_quiet(measure_round)
    assert next(rounds) == {"p50": 9, "p99": 9}  # not asked for any more
    with pytest.raises(pytest.fail.Exception, match="p99.: 2"):
        repeat_until_quiet(lambda: {"p50": -1, "p99": 2})


@pytest.mark.alone
@measures_time
@pytest.mark.parametrize("delay, p50_us, p99_us", DELAYS)
def test_latencies_are_those_that_the_backend_has(punctual_backend, delay, p50_us, p99_us):
    load = ("--rate", 1000, "--connections", 256)

    def measure_round():
        floors = [measure(*load, "--duration", "2s", url_of(punctual_backend), is_timed=True)]
        report = measure(*load, "--duration", "6s", url_of(punctual_backend, f"/?{delay}"), is_timed=True)
        floors.append(measure(*load, "--duration", "2s", url_of(punctual_backend), is_timed=True))
        assert report["requests"]["ok"] == 6_000
        excesses = {}
        for key in ("latency_from_sent_us", "latency_from_intended_us"):
            for part, truth in ((0.5, p50_us), (0.99, p99_us)):
                measured, floor = quantile(report[key], part), max(quantile(f[key], part) for f in floors)
                assert measured >= truth * 0.98 - 50, f"{key} at {part}: {measured} us, less than {truth:.0f}"
                excesses[f"{key} at {part}"] = measured - (truth * 1.02 + 50 + floor)
        return excesses

    repeat_until_quiet(measure_round)


@pytest.mark.alone
@measures_time
def test_a_stall_of_one_second_is_seen_by_all_who_would_have_come(punctual_backend, tmp_path):
    def measure_round():
        run = Talking(tmp_path, "--rate", 1000, "--duration", "10s", url_of(punctual_backend))
        run.wait_for_second(2)
        get(punctual_backend.port, "/stall?ms=1000")
        was_within = run.is_within(10)
        code, report, err = run.finish()
        if not was_within:
            raise Disturbed("the stall came too late")
        slow = [(us, count) for us, count in report["latency_from_intended_us"]["buckets"] if us > 20_000]
        total = sum(count for _, count in slow)
        assert report["requests"]["ok"] == 10_000
        assert total >= 800
        excesses = {"slow ones": total - 1200}
        for tenth in range(10):
            # The last one: what waited longest also waited for the answers to all others.
            end = (tenth + 1) * 100_000 if tenth < 9 else 1_100_000
            here = sum(count for us, count in slow if tenth * 100_000 < us <= end)
            excesses[f"tenth {tenth}"] = max(0.05 * total - here, here - 0.15 * total)
        # Only those on their way were slow since they were sent.
        excesses["slow since sent"] = sum(count for us, count in report["latency_from_sent_us"]["buckets"] if us > 100_000) - 64
        return excesses

    repeat_until_quiet(measure_round)


@pytest.mark.alone
@measures_time
def test_a_closed_loop_hides_the_stall(punctual_backend, tmp_path):
    def measure_round():
        run = Talking(tmp_path, "--closed", "--connections", 64, "--duration", "5s", url_of(punctual_backend))
        run.wait_for_second(1)
        get(punctual_backend.port, "/stall?ms=1000")
        was_within = run.is_within(5)
        code, report, err = run.finish()
        if not was_within:
            raise Disturbed("the stall came too late")
        assert report["latency_from_intended_us"] is None and report["lateness_us"] is None
        slow = sum(count for us, count in report["latency_from_sent_us"]["buckets"] if us > 500_000)
        assert slow >= 1
        return {"slow ones": slow - 64}

    repeat_until_quiet(measure_round)


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
