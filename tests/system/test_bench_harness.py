"""The benchmark harness: strict scenarios, figures from numbers that are known, and runs that end with one clear line.
Nothing here depends on how fast this machine is."""
import fcntl
import json
import os
import pathlib
import subprocess
import sys
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "bench"))

from harness import (beside, containers, figures, generators, instructions, machine, peers, plots, procfs, report, rounds,  # noqa: E402
                     scenario, self_check, stand, syscalls, templates)
from harness.problem import Problem, UsageProblem  # noqa: E402
from harness.processes import Processes, free_ports, wait_for_answer  # noqa: E402

OUT = os.path.abspath(os.environ.get("PORTICO_OUT", ROOT / "build" / "release"))
KNOWN = peers.all_peers(OUT)
GOOD = """
title: A title
why: A reason
backends: [{count: 2}, {count: 1, args: [--delay-ms, 5]}]
load: {shape: closed, connections: 8}
proxies: [relay, portico]
"""


@pytest.fixture
def run_bench(tmp_path):
    """bench/run.py with its results in a folder of its own."""

    def run(*arguments, seconds=120):
        return subprocess.run(command_line(tmp_path, *arguments), capture_output=True, text=True, timeout=seconds)

    return run


def command_line(results, *arguments):
    return ["/usr/bin/python3", str(ROOT / "bench" / "run.py"), "--build", OUT, "--results", str(results), *arguments]


def turn(cpu_us, requests=1000, ok_per_s=500.0, failed=0, buckets=()):
    drive = generators.Drive(seconds=(requests - failed) / ok_per_s, requests=requests, ok=requests - failed, failed=failed,
                             p50_us=100, p99_us=200, buckets=list(buckets))
    return rounds.Turn(drive, cpu_us, 0.5, 0.0, 1000, 900)


def row(name, cpus, problem=None, load=None):
    standing = type("Standing", (), {"name": name})()
    load = load or scenario.parse("x", GOOD, KNOWN).loads[0]
    return rounds.Row(standing, load, [turn(cpu) for cpu in cpus], problem)


# ---- scenarios


def test_every_scenario_of_the_repository_is_valid():
    for name in scenario.names():
        found = scenario.load(name, KNOWN)
        assert found.enabled or found.reason
        if found.kind == "containers":
            containers.check_options(found)
            assert found.needs == ("docker",)


def test_make_bench_runs_the_three_most_telling_ones():
    quick = [name for name in scenario.names() if scenario.load(name, KNOWN).quick]
    assert quick == ["body-1m", "slow-task", "small-keepalive"]


def test_a_group_of_backends_is_as_many_backends():
    assert scenario.parse("x", GOOD, KNOWN).backends == (("backend",), ("backend",), ("backend", "--delay-ms", "5"))


def test_a_list_of_rates_is_one_load_for_each():
    text = GOOD.replace("{shape: closed, connections: 8}", "{shape: rate, rates: [10, 20]}")
    assert [load.rate for load in scenario.parse("x", text, KNOWN).loads] == [10, 20]


@pytest.mark.parametrize("old, new, told", [
    ("title: A title", "title: A title\nspeed: 3", "speed: unknown field"),
    ("title: A title", "", "every scenario has a title"),
    ("connections: 8", "connections: 0", "connections: must be from 1 to 60000, is 0"),
    ("connections: 8", "connections: yes", "connections: must be int or float, is True"),
    ("connections: 8", "connections: 8, rate: 5", "shape: closed neither"),
    ("shape: closed", "shape: rate", "shape: rate needs"),
    ("shape: closed", "shape: open", "must be closed or rate"),
    ("[relay, portico]", "[relay, apache]", "'apache' is none of"),
    ("[relay, portico]", "[]", "at least one"),
    ("{count: 2}", "{count: 2.5}", "backends[0]: count: must be a whole number"),
    ("{count: 2}", "{program: apache}", "backends[0]: program: must be backend or odd_backend"),
    ("{count: 2}", "2", "backends[0]: must be a mapping"),
    ("title: A title", "title: [", "x.yaml: "),
    ("title: A title", "title: A title\nrounds: 0", "rounds: must be from 1 to 100"),
    ("title: A title", "title: A title\nenabled: false", "reason: needed with enabled: false"),
    ("title: A title", "title: A title\nneeds: [luck]", "'luck' is none of docker"),
])
def test_a_wrong_scenario_is_refused_with_the_field_and_what_is_allowed(old, new, told):
    with pytest.raises(UsageProblem) as refused:
        scenario.parse("x", GOOD.replace(old, new), KNOWN)
    assert told in str(refused.value) and "\n" not in str(refused.value)


def test_system_calls_are_not_counted_at_a_rate():
    text = GOOD.replace("{shape: closed, connections: 8}", "{shape: rate, rate: 10}") + "measure: [syscalls]\n"
    with pytest.raises(UsageProblem, match="closed loop"):
        scenario.parse("x", text, KNOWN)


# ---- the peers' configurations


def test_a_line_with_a_list_is_there_once_for_each_element():
    assert templates.fill("a @N@\nb @LIST@ @NUMBER@\nc @EMPTY@", {"N": 1, "LIST": ["x", "y"], "EMPTY": []}) == "a 1\nb x 1\nb y 2\n"


def test_a_word_without_a_value_is_an_error():
    with pytest.raises(KeyError, match="@WHAT@"):
        templates.fill("@WHAT@", {})


@pytest.mark.parametrize("name", [n for n, p in KNOWN.items() if p.template])
def test_a_configuration_has_all_backends_and_nothing_left_to_fill_in(name, tmp_path):
    instance = peers.Instance(KNOWN[name], str(tmp_path), 5000, [5001, 5002], ["/r1", "/r2"])
    text = pathlib.Path(instance.config_path).read_text()
    assert "127.0.0.1:5001" in text and (name == "h2o" or "127.0.0.1:5002" in text)
    assert not templates.WORD.search("\n".join(line.split("#")[0] for line in text.splitlines()))


def test_porticos_snapshot_gets_a_new_serial_with_other_backends(tmp_path):
    instance = peers.Instance(KNOWN["portico"], str(tmp_path), 5000, [5001, 5002], ["/r1"])
    first = json.loads(pathlib.Path(instance.config_path).read_text())
    instance.configure([5002])
    second = json.loads(pathlib.Path(instance.config_path).read_text())
    assert second["serial"] > first["serial"]
    assert second["services"][0]["endpoints"] == [{"id": "task2", "address": "127.0.0.1:5002"}]
    assert [route["path"] for route in second["routes"]] == ["/", "/r1"]


# ---- figures


def test_a_ratio_is_taken_within_a_round_before_the_median():
    """The machine is twice as slow in the third round: the ratio does not notice."""
    load = scenario.parse("x", GOOD, KNOWN).loads[0]
    relay, own = row("relay", [10, 11, 20], load=load), row("portico", [12, 13.2, 24], load=load)
    found = {r["proxy"]: r for r in figures.results(scenario.parse("x", GOOD, KNOWN), [relay, own])}
    assert found["portico"]["ratio_to_relay"] == found["portico"]["ratio_to_relay_min"] == found["portico"]["ratio_to_relay_max"] == 1.2
    assert found["relay"]["ratio_to_relay"] == 1
    assert found["portico"]["cpu_us_per_request"] == 13.2
    assert found["relay"]["cpu_ratios"]["portico"]["median"] == 0.833


def test_a_row_with_a_problem_has_no_figure_and_gives_none_to_others():
    rows = [row("relay", [10, 10], problem="12 of 1000 requests failed"), row("portico", [12, 12])]
    broken, good = figures.results(scenario.parse("x", GOOD, KNOWN), rows)
    figure_keys = ("rps", "cpu_us_per_request", "ratio_to_relay", "p50_us", "p99_us", "syscalls_per_request",
                   "instructions_per_request", "rss_kib")
    assert all(broken[key] is None for key in figure_keys)
    assert broken["problem"] == "12 of 1000 requests failed"
    assert good["cpu_us_per_request"] == 12 and good["ratio_to_relay"] is None


def test_percentiles_come_from_the_buckets_of_all_rounds():
    buckets = figures.merge_buckets([[100, 50], [200, 49], [100, 50], [5000, 51]])
    assert buckets == [(100, 100), (200, 49), (5000, 51)]
    assert figures.percentile_of(buckets, 50) == 100
    assert figures.percentile_of(buckets, 74) == 200
    assert figures.percentile_of(buckets, 75) == 5000
    assert figures.percentile_of([], 50) is None


def test_a_curve_ends_where_fewer_than_ten_answers_are_left():
    curve = figures.latency_curve([(100, 990), (900, 10)])
    assert curve[-1] == [99, 100]
    assert figures.latency_curve([]) == []


@pytest.mark.parametrize("drive, told", [
    (generators.Drive(1, 0, 0, 0), "no request was answered"),
    (generators.Drive(1, 10, 0, 10), "no request was answered"),
    (generators.Drive(1, 10, 9, 1, first_error="status 502"), "1 of 10 requests failed: status 502"),
    (generators.Drive(1, 10, 10, 0, problem="invalid"), "invalid"),
    (generators.Drive(1, 10, 10, 0), None),
])
def test_a_turn_with_errors_never_becomes_a_figure(drive, told):
    load = scenario.parse("x", GOOD, KNOWN).loads[0]
    problem = rounds.problem_of(rounds.Turn(drive, 1.0, 0.1, 0.0), load)
    assert problem is None if told is None else told in problem


def test_the_system_calls_of_a_trace_are_counted_by_kind():
    text = ("% time     seconds  usecs/call     calls    errors syscall\n------ ----------- ----------- --------- --------- ----\n"
            " 60.00    0.000600           1       200           sendto\n 30.00    0.000300           1       220        20 recvfrom\n"
            " 10.00    0.000100           1        50           epoll_wait\n100.00    0.001000           1       470        20 total\n")
    assert syscalls.per_request(syscalls.parse_summary(text), 100) == {
        "all": 4.7, "read": 2.2, "write": 2.0, "epoll_ctl": 0.0, "epoll_wait": 0.5, "connection": 0.0, "other": 0.0}


def test_callgrinds_last_count_is_the_one():
    assert instructions.parse_collected("==1== Collected : 12\n==1== Collected : 345\n") == 345
    assert instructions.parse_collected("nothing") is None


def test_a_table_leaves_out_columns_that_say_nothing_and_tells_every_problem():
    rows = [row("relay", [10, 10]), row("portico", [12, 12], problem="connection refused")]
    found = figures.results(scenario.parse("x", GOOD, KNOWN), rows)
    text = report.text_table(found)
    assert "CPU us/req" in text and "instr/req" not in text
    assert report.notes_on(found) == ["portico: no figures: connection refused"]
    assert report.markdown_table(found).splitlines()[1].count("|") == report.markdown_table(found).splitlines()[0].count("|")


def test_the_self_check_accepts_five_microseconds_and_refuses_none():
    def verdicts(burn_us):
        return [good for good, _ in self_check.judge([row("relay", [10, 20]), row("relay-again", [10.1, 20.1]),
                                                      row("portico", [11, 21]), row("portico-burn", [11 + burn_us, 21 + burn_us])])]

    assert verdicts(5.2) == [True, True]
    assert verdicts(0.1) == [True, False]


@pytest.mark.skipif(not plots.is_possible(), reason="gnuplot is not installed")
def test_every_kind_of_curve_is_drawn(tmp_path):
    closed = scenario.parse("one", GOOD, KNOWN)
    rates = scenario.parse("two", GOOD.replace("{shape: closed, connections: 8}", "{shape: rate, rates: [10, 20]}"), KNOWN)
    whole = scenario.Scenario(name="three", title="it's", why="x", kind="containers")
    curve = [{"proxy": "nginx-least", "latency_curve": [[0, 10], [50, 20], [99, 90]]}]
    points = [{"proxy": "relay", "rate": rate, "rps": rate, "cpu_share": 0.1} for rate in (10, 20)]
    line = [{"proxy": "portico", "timeline": [[0, 10, 10, 0, None, None], [1, 10, 9, 1, 1, 2]]}]
    for about, results in ((closed, curve), (rates, points), (whole, line)):
        made = plots.draw(str(tmp_path), "run", about, results, pytest.fail)
        assert [os.path.splitext(path)[1] for path in made] == [".svg", ".png"]
        assert all(os.path.getsize(path) > 500 for path in made)


# ---- generators


def generator_that_says(folder, name, text, exit_code=0):
    path = folder / name
    path.write_text(f"#!/bin/sh\ncat << 'END'\n{text}\nEND\nexit {exit_code}\n")
    path.chmod(0o755)
    return path


def said_by_portico_bench(**over):
    latency = {"p50": 100, "p99": 300, "buckets": [[100, 8], [300, 2]]}
    return {"valid": True, "invalid_reasons": [], "elapsed_s": 2.0, "requests": {"ok": 9, "failed": 1}, "first_error": "reset",
            "latency_from_intended_us": None, "latency_from_sent_us": latency, **over}


def test_portico_bench_is_read(tmp_path):
    generator_that_says(tmp_path, "portico-bench", json.dumps(said_by_portico_bench()))
    drive = generators.PorticoBench(str(tmp_path)).drive(1, scenario.parse("x", GOOD, KNOWN).loads[0], 1)
    assert (drive.requests, drive.ok, drive.failed, drive.first_error) == (10, 9, 1, "reset")
    assert (drive.p50_us, drive.p99_us, drive.ok_per_s) == (100, 300, 4.5)
    assert drive.problem is None and not drive.is_invalid


def test_a_run_that_the_generator_calls_invalid_has_a_problem(tmp_path):
    text = json.dumps(said_by_portico_bench(valid=False, invalid_reasons=["too slow"]))
    generator_that_says(tmp_path, "portico-bench", text, exit_code=1)
    drive = generators.PorticoBench(str(tmp_path)).drive(1, scenario.parse("x", GOOD, KNOWN).loads[0], 1)
    assert drive.is_invalid and "too slow" in drive.problem


def test_a_port_that_nobody_listens_on_is_a_problem_in_one_line():
    generator = generators.PorticoBench(OUT)
    drive = generator.drive(1, scenario.parse("x", GOOD, KNOWN).loads[0], 0.1)
    assert drive.requests == 0 and "refused" in drive.problem and "\n" not in drive.problem


def test_wrk_is_read(tmp_path, monkeypatch):
    text = ("  Latency Distribution\n     50%    1.50ms\n     99%    2.00s \n  1000 requests in 2.00s, 1MB read\n"
            "  Socket errors: connect 0, read 3, write 0, timeout 1\nRequests/sec:    500.00")
    path = generator_that_says(tmp_path, "wrk", text)
    monkeypatch.setattr(generators.machine, "find_program", lambda name: str(path))
    drive = generators.Wrk(str(tmp_path)).drive(1, scenario.parse("x", GOOD, KNOWN).loads[0], 1)
    assert (drive.requests, drive.failed, drive.p50_us, drive.p99_us) == (1000, 4, 1500, 2e6)
    assert drive.seconds == 2


# ---- what happens beside the load


@pytest.fixture
def odd_backend():
    [port] = free_ports(1)
    path = ROOT / "bench" / "harness" / "odd_backend.py"
    process = subprocess.Popen([str(path), "--port", str(port), "--fail-every", "2", "--name", "odd"])
    assert wait_for_answer(port, process)
    yield port
    process.kill()
    process.wait()


def test_the_odd_backend_fails_as_often_as_it_is_told(odd_backend):
    fields, body = stand.get(odd_backend, "/")
    assert fields["x-task"] == "odd" and len(body) == 66
    with pytest.raises(Problem, match="status 500"):
        stand.get(odd_backend, "/")
    assert stand.get(odd_backend, "/health")[0]["x-task"] == "odd"
    assert ["Connection", "close"] in json.loads(stand.get(odd_backend, "/echo")[1])["headers"]


def test_idle_connections_that_are_closed_are_seen(odd_backend):
    idle = beside.IdleConnections(odd_backend, 5)
    assert idle.still_open_count() == 5
    idle.sockets[0].sendall(b"GET /health HTTP/1.1\r\nConnection: close\r\n\r\n")
    deadline = time.monotonic() + 10
    while idle.still_open_count() == 5:
        assert time.monotonic() < deadline
    assert idle.still_open_count() == 4
    idle.close()


class Standing:
    """A proxy that has one backend, whatever it is told."""

    def __init__(self, port, witness_name):
        self.port, self.witness_name, self.process, self.told = port, witness_name, None, []
        self.instance = type("Instance", (), {"backends": [1, 2, 3, 4, 9], "reload": lambda _, process, ports: self.told.append(ports)})()


def test_a_proxy_that_follows_is_told_apart_from_one_that_does_not(odd_backend, monkeypatch):
    monkeypatch.setattr(beside, "FOLLOW_TIMEOUT_S", 0.5)
    monkeypatch.setattr(beside, "get", lambda port, path: stand.get(port, "/health"))
    following = Standing(odd_backend, "odd")
    beside.Churn(following, 100).check_followed()
    assert following.told == [[9]]
    with pytest.raises(Problem, match="does not follow"):
        beside.Churn(Standing(odd_backend, "another"), 100).check_followed()


def test_churn_leaves_out_one_task_at_a_time_and_never_uses_the_witness():
    churn = beside.Churn(Standing(0, "odd"), 100)
    assert [churn.backends_at(step) for step in range(3)] == [[1, 2, 4], [1, 2, 3], [1, 2, 4]]


def test_a_proxy_that_adds_fewer_fields_is_not_compared(monkeypatch):
    echo = {"headers": [["X-Forwarded-For", "1"], ["X-Forwarded-Proto", "http"], ["Host", "x"]]}
    monkeypatch.setattr(stand, "get", lambda port, path: ({}, json.dumps(echo).encode()))
    instance = type("Instance", (), {"peer": KNOWN["portico"], "port": 1})()
    with pytest.raises(Problem, match="x-forwarded-host, x-request-id"):
        stand.check_forwarded_fields(instance)


# ---- rounds


class ScriptedGenerator:
    """Drives as told, one after the other; the last one again and again."""

    def __init__(self, *drives):
        self.drives = list(drives)

    def drive(self, port, load, seconds):
        return self.drives.pop(0) if len(self.drives) > 1 else self.drives[0]


def good_drive():
    return generators.Drive(1, 100, 100, 0, p50_us=10, p99_us=20)


def run_rounds(monkeypatch, generator, foreign_share=0.0):
    """One row of 3 rounds. The first drive is the warm-up."""
    monkeypatch.setattr(rounds.procfs, "core_busy_seconds", lambda core, at=iter(range(1000)): next(at) * foreign_share * 1e3)
    about = scenario.parse("x", GOOD, KNOWN)
    standing = type("Standing", (), {"name": "portico", "port": 1, "peer": KNOWN["portico"],
                                     "process": type("Process", (), {"pid": os.getpid()})()})()
    [found] = rounds.Rounds(generator, about, lambda line: None, 3, 0.01).run([standing])
    return found


def test_every_round_is_a_turn(monkeypatch):
    found = run_rounds(monkeypatch, ScriptedGenerator(good_drive()))
    assert len(found.turns) == 3 and found.repeated == 0 and found.problem is None


def test_a_turn_beside_somebody_elses_work_is_done_again_but_not_for_ever(monkeypatch):
    found = run_rounds(monkeypatch, ScriptedGenerator(good_drive()), foreign_share=0.5)
    assert len(found.turns) == 3 and found.repeated == 1


def test_a_round_that_stays_invalid_is_left_out_and_the_others_count(monkeypatch):
    bad = generators.Drive(1, 100, 100, 0, problem="too slow", is_invalid=True)
    found = run_rounds(monkeypatch, ScriptedGenerator(good_drive(), bad, bad, good_drive()))
    assert [turn is not None for turn in found.turns] == [False, True, True] and found.problem is None
    found = run_rounds(monkeypatch, ScriptedGenerator(bad))
    assert found.problem == "too slow" and not any(found.turns)


def test_an_error_ends_the_row(monkeypatch):
    found = run_rounds(monkeypatch, ScriptedGenerator(good_drive(), good_drive(), generators.Drive(1, 10, 9, 1, first_error="reset")))
    assert found.problem == "1 of 10 requests failed: reset"


# ---- processes


def is_alive(pid):
    """A zombie that nobody has waited for yet is not."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def test_cpu_time_and_memory_of_a_process_and_its_children_are_seen():
    script = "import os, time\nif os.fork() == 0:\n    end = time.process_time() + 0.3\n    while time.process_time() < end: pass\n    os._exit(0)\nos.wait()\nprint('done', flush=True)\ntime.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout.readline() == "done\n"
            assert 0.28 <= procfs.cpu_seconds(process.pid) <= 2
            rss, pss = procfs.memory_kib(process.pid)
            assert rss > 1000 and (pss is None or 0 < pss <= rss)
            assert procfs.tree(process.pid) == [process.pid]
        finally:
            process.kill()


def test_what_was_started_is_stopped_with_its_children(monkeypatch):
    monkeypatch.setattr("harness.processes.STOP_TIMEOUT_S", 0.2)
    processes = Processes()
    process = processes.start(machine.LOAD_CORE, ["sh", "-c", "trap '' TERM; sleep 1000 & wait; sleep 1000"])
    while len(procfs.tree(process.pid)) < 2:
        time.sleep(0.01)
    child = procfs.tree(process.pid)[1]
    processes.stop_all()
    assert process.poll() is not None and not os.path.exists(processes.folder)
    deadline = time.monotonic() + 10
    while is_alive(child):
        assert time.monotonic() < deadline, "the child lives on"
        time.sleep(0.01)


# ---- whole runs


@pytest.mark.parametrize("arguments, told", [
    (["no-such-scenario"], "no scenario 'no-such-scenario'"),
    (["--speed"], "unrecognized arguments: --speed"),
    (["--rounds", "0"], "--rounds"),
    (["--seconds", "-1"], "--seconds"),
    (["--skip", "everything"], "neither syscalls nor instructions"),
    (["--proxies", "apache"], "no proxy 'apache'"),
    (["--also", "portico-old=/nonexistent"], "/nonexistent is missing"),
    (["--also", "nginx=/bin/true"], "must be portico-SOMETHING=PATH"),
    (["--build", "/nonexistent"], "/nonexistent/portico is missing"),
])
def test_what_does_not_exist_is_one_line_and_exit_code_2(run_bench, arguments, told):
    done = run_bench(*arguments)
    assert done.returncode == 2
    lines = [line for line in done.stderr.splitlines() if line.startswith("bench: ")]
    assert len(lines) == 1 and told in lines[0]
    assert "Traceback" not in done.stderr and done.stdout == ""


def test_the_list_names_every_scenario(run_bench):
    done = run_bench("--list")
    assert done.returncode == 0
    assert [line.split()[0] for line in done.stdout.splitlines()] == scenario.names()


def test_a_portico_that_does_not_start_ends_the_run_with_its_words(run_bench, tmp_path):
    for program in ("bench/relay", "bench/backend", "portico-bench"):
        path = tmp_path / program
        path.parent.mkdir(exist_ok=True)
        path.symlink_to(os.path.join(OUT, program))
    broken = tmp_path / "portico"
    broken.write_text("#!/bin/sh\necho no luck today >&2\nexit 1\n")
    broken.chmod(0o755)
    done = run_bench("--build", str(tmp_path), "small-keepalive", "--proxies", "portico")
    assert done.returncode == 1
    assert "no luck today" in done.stderr.splitlines()[-1] and done.stdout == ""


SHORT = ("small-keepalive", "--proxies", "relay,portico", "--rounds", "1", "--seconds", "0.3", "--skip", "syscalls,instructions")


def test_a_run_writes_what_a_reader_of_the_results_needs(run_bench, tmp_path):
    done = run_bench(*SHORT)
    assert done.returncode == 0, done.stderr
    document = json.loads(next(tmp_path.glob("*.json")).read_text())
    assert document["machine"]["cores"] and document["versions"]["portico"] and "commit" in document
    assert [r["proxy"] for r in document["results"]] == ["relay", "portico"]
    for found in document["results"]:
        assert found["scenario"] == "small-keepalive" and found["problem"] is None
        assert found["rps"] > 0 and found["cpu_us_per_request"] > 0 and found["ratio_to_relay"] > 0
        assert 0 < found["p50_us"] <= found["p99_us"] and found["rss_kib"] > 0 and found["error_share"] == 0
        assert found["syscalls_per_request"] is None and found["instructions_per_request"] is None
    assert "| portico |" in next(tmp_path.glob("*.md")).read_text()


def test_a_stopped_run_leaves_no_process_and_no_folder(tmp_path):
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    process = subprocess.Popen(command_line(tmp_path, "small-keepalive", "--proxies", "relay,portico"), env=environment,
                               stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    for line in process.stderr:
        if "round 1/" in line:
            break
    started = procfs.tree(process.pid)[1:]
    assert len(started) > 2
    process.terminate()
    process.communicate(timeout=30)
    assert process.returncode == 143
    deadline = time.monotonic() + 10
    while any(is_alive(pid) for pid in started):
        assert time.monotonic() < deadline, "a process lives on"
        time.sleep(0.01)
    assert list(tmp_path.glob("portico-bench-*")) == []


def test_two_runs_at_a_time_are_refused(run_bench, tmp_path):
    folder = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(folder, fcntl.LOCK_EX)
    done = run_bench(*SHORT)
    os.close(folder)
    assert done.returncode == 1 and "another benchmark runs" in done.stderr.splitlines()[-1]


@pytest.mark.skipif("PORTICO_BENCH_SELF_CHECK" not in os.environ, reason="needs a quiet machine; bench/run.sh --self-check")
def test_the_harness_sees_five_wasted_microseconds():
    done = subprocess.run([str(ROOT / "bench" / "run.sh"), "--self-check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
