"""The benchmark harness: strict scenarios, figures from numbers that are known, and runs that end with one clear line.
Nothing here depends on how fast this machine is."""
import json
import os
import pathlib
import subprocess
import sys
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "bench"))

from harness import (containers, figures, generators, instructions, machine, peers, plots, procfs, report, rounds, scenario,  # noqa: E402
                     self_check, syscalls, templates)
from harness.problem import Problem, UsageProblem  # noqa: E402
from harness.processes import Processes  # noqa: E402

OUT = os.path.abspath(os.environ.get("PORTICO_OUT", ROOT / "build" / "release"))
KNOWN = peers.all_peers(OUT)
GOOD = """
title: A title
why: A reason
backends: [{count: 2}, {count: 1, args: [--delay-ms, 5]}]
load: {shape: closed, connections: 8}
proxies: [relay, portico]
"""


def run_bench(*arguments, seconds=60):
    return subprocess.run(["/usr/bin/python3", str(ROOT / "bench" / "run.py"), *arguments], capture_output=True, text=True,
                          timeout=seconds, cwd="/")


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
def test_what_does_not_exist_is_one_line_and_exit_code_2(arguments, told):
    done = run_bench(*arguments)
    assert done.returncode == 2
    lines = [line for line in done.stderr.splitlines() if line.startswith("bench: ")]
    assert len(lines) == 1 and told in lines[0]
    assert "Traceback" not in done.stderr and done.stdout == ""


def test_the_list_names_every_scenario():
    done = run_bench("--list")
    assert done.returncode == 0
    assert [line.split()[0] for line in done.stdout.splitlines()] == scenario.names()


def test_a_portico_that_does_not_start_ends_the_run_with_its_words(tmp_path):
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


@pytest.mark.skipif("PORTICO_BENCH_SELF_CHECK" not in os.environ, reason="needs a quiet machine; bench/run.sh --self-check")
def test_the_harness_sees_five_wasted_microseconds():
    done = subprocess.run([str(ROOT / "bench" / "run.sh"), "--self-check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
