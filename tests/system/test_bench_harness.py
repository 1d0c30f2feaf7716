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

from harness import (beside, command, containers, figures, generators, goals, idle, machine, instructions, peers, plots,  # noqa: E402
                     procfs, report, rounds, saturation, scenario, self_check, stand, syscalls, templates)
from harness.problem import Problem, UsageProblem  # noqa: E402
from harness.processes import Processes, wait_for_answer  # noqa: E402
from ports import free_port  # noqa: E402

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

    def run(*arguments, seconds=600):
        return subprocess.run(command_line(tmp_path, *arguments), capture_output=True, text=True, timeout=seconds)

    return run


def command_line(results, *arguments):
    return ["/usr/bin/python3", str(ROOT / "bench" / "run.py"), "--build", OUT, "--results", str(results), *arguments]


def turn(cpu_us, requests=1000, ok_per_s=500.0, failed=0, buckets=(), p99_us=200):
    drive = generators.Drive(seconds=(requests - failed) / ok_per_s, requests=requests, ok=requests - failed, failed=failed,
                             p50_us=100, p99_us=p99_us, buckets=list(buckets))
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
    ("connections: 8", "connections: 8, rate: 5", "shape: closed none"),
    ("shape: closed", "shape: rate", "shape: rate needs"),
    ("shape: closed", "shape: rate, rate: 5, saturation_share: 0.7", "shape: rate needs one of"),
    ("shape: closed", "shape: rate, saturation_share: 70", "saturation_share: must be from 0.05 to 0.95, is 70"),
    ("title: A title", "title: A title\nkind: idle", "load: unknown field"),
    ("title: A title", "title: A title\nkind: busy", "kind: must be one of proxies, idle, containers"),
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


def test_a_portico_of_another_tree_is_configured_by_the_template_of_its_tree(tmp_path):
    (tmp_path / "bench" / "peers").mkdir(parents=True)
    (tmp_path / "bench" / "peers" / "portico.json.in").write_text('{"listen": @LISTEN@}\n')
    other = peers.portico("portico-other", str(tmp_path / "build" / "release" / "portico"))
    instance = peers.Instance(other, str(tmp_path / "run"), 8000, [9001])
    assert pathlib.Path(instance.config_path).read_text() == '{"listen": 8000}\n'
    assert peers.portico("portico-alone", str(tmp_path / "portico")).templates == peers.TEMPLATES


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


def results_of(rows, text=GOOD):
    return {r["proxy"]: r for r in figures.results(scenario.parse("x", text, KNOWN), rows)}


def test_the_better_peer_is_the_one_with_the_lower_median_and_the_ratio_is_taken_within_rounds():
    load = scenario.parse("x", GOOD, KNOWN).loads[0]
    rows = [row(name, cpus, load=load) for name, cpus in {
        "nginx": [10, 20, 30], "nginx-16k": [8, 16, 40], "nginx-log": [1, 1, 1], "haproxy": [9, 18, 27], "portico": [4, 8, 20]}.items()]
    found = results_of(rows)
    assert found["portico"]["cpu_to_better_peer"] == {"name": "nginx-16k", "median": 0.5, "min": 0.5, "max": 0.5}
    assert report.against(found["portico"], "cpu_to_better_peer") == "0.50" and report.against(found["nginx-16k"], "cpu_to_better_peer") == "-"


def test_without_a_figure_of_each_peer_nobody_is_the_better_one():
    load = scenario.parse("x", GOOD, KNOWN).loads[0]
    rows = [row("nginx", [10], load=load), row("haproxy", [9], problem="reset", load=load), row("portico", [8], load=load)]
    assert results_of(rows)["portico"]["cpu_to_better_peer"] is None
    assert results_of(rows[::2])["portico"]["cpu_to_better_peer"]["name"] == "nginx"
    assert results_of(rows[2:])["portico"]["cpu_to_better_peer"] is None


def test_a_turn_that_was_left_out_leaves_the_others_beside_their_own_round():
    load = scenario.parse("x", GOOD, KNOWN).loads[0]
    own, peer = row("portico", [5, 10, 20], load=load), row("nginx", [10, 20, 40], load=load)
    peer.turns[0] = None
    assert results_of([own, peer])["portico"]["cpu_to_better_peer"] == {"name": "nginx", "median": 0.5, "min": 0.5, "max": 0.5}


def test_the_tail_is_compared_with_that_of_the_better_peer_at_a_rate_alone():
    load = scenario.parse("x", GOOD.replace("{shape: closed, connections: 8}", "{shape: rate, rate: 10}"), KNOWN).loads[0]
    rows = []
    for name, p99s in {"nginx": [300, 500, 400], "haproxy": [200, 600, 450], "portico": [150, 600, 200]}.items():
        rows.append(row(name, [], load=load))
        rows[-1].turns = [turn(10, p99_us=us) for us in p99s]
    found = results_of(rows)["portico"]
    assert found["p99_to_better_peer"] == {"name": "nginx", "median": 0.5, "min": 0.5, "max": 1.2}
    for r in rows:
        r.load = scenario.parse("x", GOOD, KNOWN).loads[0]
    assert results_of(rows)["portico"]["p99_to_better_peer"] is None


@pytest.mark.parametrize("told, per_mib", [("path: /", None), ("response_bytes: 16383", None), ("response_bytes: 16384", 640),
                                           ("response_bytes: 1048576", 10), ("body_bytes: 2097152, response_bytes: 66", 5)])
def test_the_cost_of_a_mebibyte_is_told_where_bodies_are_large(told, per_mib):
    text = GOOD.replace("connections: 8", f"connections: 8, {told}")
    load = scenario.parse("x", text, KNOWN).loads[0]
    assert results_of([row("portico", [10], load=load)], text)["portico"]["cpu_us_per_mib"] == per_mib


# ---- the rate that is a share of what the better peer can do


def test_the_rate_is_that_share_of_the_better_peers():
    assert saturation.rate_of({"nginx": 63_659, "haproxy": 63_664}, 0.7) == 44_600
    assert saturation.rate_of({"nginx": 10}, 0.7) == 1
    text = GOOD.replace("{shape: closed, connections: 8}", "{shape: rate, saturation_share: 0.7}")
    about = scenario.parse("x", text, KNOWN)
    assert about.loads[0].rate is None and about.loads[0].saturation_share == 0.7
    assert saturation.at_share(about, {"nginx": 50_000, "haproxy": 40_000}).loads[0].rate == 35_000


def saturate(monkeypatch, names, *drives):
    monkeypatch.setattr(rounds.procfs, "core_busy_seconds", lambda core: 0)
    about = scenario.parse("x", GOOD.replace("{shape: closed, connections: 8}", "{shape: rate, saturation_share: 0.7}"), KNOWN)
    standing = [type("Standing", (), {"name": name, "port": 1, "peer": KNOWN[name], "process": None})() for name in names]
    return saturation.measure(ScriptedGenerator(*drives), about, standing, lambda line: None, 0.01)


def test_only_the_peers_are_saturated(monkeypatch):
    assert saturate(monkeypatch, ["relay", "nginx", "haproxy", "portico"], good_drive()) == {"nginx": 100, "haproxy": 100}


def test_a_peer_that_cannot_be_saturated_ends_the_scenario(monkeypatch):
    with pytest.raises(Problem, match="nginx: 1 of 10 requests failed: reset"):
        saturate(monkeypatch, ["nginx", "portico"], generators.Drive(1, 10, 9, 1, first_error="reset"))
    with pytest.raises(Problem, match="needs nginx or haproxy"):
        saturate(monkeypatch, ["relay", "portico"], good_drive())


# ---- idle connections and access logs


def test_the_peak_of_the_heap_is_the_highest_of_all_snapshots_with_what_the_allocator_needs():
    text = "snapshot=0\nmem_heap_B=10\nmem_heap_extra_B=2\nmem_stacks_B=0\nsnapshot=1\nmem_heap_B=500\nmem_heap_extra_B=40\n" \
           "snapshot=2\nmem_heap_B=510\nmem_heap_extra_B=8\n"
    assert idle.peak_bytes(text) == 540 and idle.peak_bytes("desc: x") is None


def test_the_memory_of_a_connection_is_the_growth_shared_by_all():
    assert idle.grown_bytes(1000, 6000, 10_000) == 512.0


def test_a_row_without_figures_has_those_of_its_problem_alone():
    about = scenario.parse("x", GOOD.replace("load: {shape: closed, connections: 8}", "kind: idle\nidle_connections: 3"), KNOWN)
    assert about.kind == "idle" and about.loads == ()
    found = idle.Idle(None, OUT, None, about, None)._result(KNOWN["nginx"], [], "connection refused")
    assert report.notes_on([found]) == ["nginx: no figures: connection refused"]
    found = idle.Idle(None, OUT, None, about, None)._result(KNOWN["nginx"], [(400.0, 10), (420.0, 30), (500.0, 20)], None)
    assert found["idle_bytes"] == {"median": 420.0, "min": 400.0, "max": 500.0} and found["rss_kib"] == 20
    assert "420 (400-500)" in report.text_table([found])


def test_a_folder_in_memory_is_told_from_one_on_a_disk(tmp_path):
    mounts = tmp_path / "mounts"
    mounts.write_text("/dev/x / ext4 rw 0 0\ntmpfs /var/run tmpfs rw 0 0\n/dev/y /var/run/disk xfs rw 0 0\n")
    assert [machine.is_in_memory(path, mounts) for path in ("/srv/a", "/var/runner", "/nowhere/var/run")] == [False] * 3
    os_path = "/var/run" if os.path.realpath("/var/run") == "/var/run" else None
    if os_path:
        assert machine.is_in_memory("/var/run/a", mounts) and not machine.is_in_memory("/var/run/disk/a", mounts)


def test_a_log_that_lacks_a_line_ends_the_row(tmp_path):
    path = tmp_path / "access.log"
    path.write_text("{}\n" * 2000)
    whole = row("portico-log", [10, 10])
    whole.standing.instance = type("Instance", (), {"access_log_path": str(path)})()
    silent = row("portico", [10, 10])
    silent.standing.instance = type("Instance", (), {"access_log_path": None})()
    command.check_access_logs([whole, silent])
    assert whole.problem is None and silent.problem is None
    path.write_text("{}\n" * 1999 + "{")
    command.check_access_logs([whole])
    assert whole.problem == "1999 lines in its log after at least 2000 requests"


@pytest.mark.parametrize("name", ["nginx-log", "portico-log"])
def test_a_row_with_a_log_differs_in_the_log_alone(name, tmp_path):
    base = name.partition("-")[0]
    texts = {}
    for peer in (base, name):
        instance = peers.Instance(KNOWN[peer], str(tmp_path), 5000, [5001])
        texts[peer] = pathlib.Path(instance.config_path).read_text().splitlines()
    different = [line for line in texts[name] if line not in texts[base]]
    assert len(different) == 1 and str(tmp_path / "access.log") in different[0]


# ---- goals


def result_of(scenario_name, proxy, **over):
    return {"scenario": scenario_name, "proxy": proxy, "problem": None, **over}


def reached(results, names):
    return {entry["goal"]: goals.verdict(entry) for entry in goals.judge(results, names)}


def test_every_goal_names_a_scenario_and_a_row_that_there_are():
    for goal in goals.GOALS:
        assert goal.proxy in scenario.load(goal.scenario, KNOWN).proxies


def test_goals_are_judged_by_the_median_and_told_with_the_range():
    kinds = syscalls.per_request({"recvfrom": 2000, "sendto": 2040, "epoll_ctl": 4, "epoll_wait": 30, "close": 20}, 1000)
    found = goals.judge([result_of("small-keepalive", "portico", ratio_to_relay=1.12, ratio_to_relay_min=1.1, ratio_to_relay_max=1.2,
                                   cpu_to_better_peer={"name": "nginx", "median": 0.851, "min": 0.8, "max": 0.9},
                                   syscalls_by_kind=kinds, instructions_per_request=6001)], ["small-keepalive"])
    assert [(goals.verdict(entry), report.spread(entry["measured"], entry["digits"])) for entry in found] == [
        ("yes", "1.120 (1.100-1.200)"), ("NO", "0.851 (0.800-0.900)"), ("yes", "4.04"), ("yes", "0.00"), ("NO", "0.02"), ("NO", "6,001")]
    lines = report.goals_text(found).splitlines()
    assert lines[2].split() == ["goal", "measured", "(range)", "met?"] and len(lines) == 3 + len(found)
    assert report.goals_markdown(found).count("|") == 4 * (2 + len(found))


def test_a_goal_without_a_figure_is_not_met_and_one_that_nobody_asked_for_is_not_told():
    broken = [result_of("body-1m", "portico", cpu_to_better_peer=None), {**result_of("body-16k", "portico"), "problem": "reset"}]
    assert set(reached(broken, ["body-1m", "body-16k", "idle-10000", "routes-10"]).values()) == {"not measured"}
    assert len(reached(broken, ["body-1m", "body-16k", "idle-10000", "routes-10"])) == 4
    assert reached([], ["routes-10"]) == {} and report.goals_text([]) == report.goals_markdown([]) == ""


@pytest.mark.parametrize("scenario_name, proxy, figure, limit, more", [
    ("rate-70", "portico", "p99_to_better_peer", 0.9, 0.901), ("body-1m", "portico", "cpu_to_better_peer", 1, 1.001),
    ("body-16k", "portico", "cpu_to_better_peer", 1, 1.001), ("idle-10000", "portico", "idle_bytes", 512.4, 513)])
def test_a_goal_is_met_at_its_limit_and_not_beyond(scenario_name, proxy, figure, limit, more):
    for value, verdict in ((limit, "yes"), (more, "NO")):
        found = [result_of(scenario_name, proxy, **{figure: {"name": "nginx", "median": value, "min": value, "max": value}})]
        assert verdict in reached(found, [scenario_name]).values()


def test_the_log_is_judged_beside_portico_without_one():
    ratios = {"portico": {"median": 1.16, "min": 1.1, "max": 1.2}, "nginx": {"median": 0.5, "min": 0.5, "max": 0.5}}
    assert list(reached([result_of("access-log", "portico-log", cpu_ratios=ratios)], ["access-log"]).values()) == ["NO"]


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
        "all": 4.7, "read": 2.2, "write": 2.0, "epoll_ctl": 0.0, "epoll_wait": 0.5, "connection": 0.0, "other": 0.0,
        "names": {"recvfrom": 2.2, "sendto": 2.0, "epoll_wait": 0.5}}


def test_what_opening_connections_calls_falls_out_of_the_system_calls():
    """64 clients come and go in both runs, and the pool's timer happened to ring in the shorter one."""
    few = {"recvfrom": 1000 + 64, "sendto": 1000, "accept4": 64, "close": 64, "timerfd_settime": 1}
    many = {"recvfrom": 7000 + 64, "sendto": 7000, "accept4": 64, "close": 64, "epoll_wait": 90, "getpid": 1}
    found = syscalls.per_request(syscalls.difference(many, few), 3000)
    assert syscalls.in_four(found) == (4.0, 0, 0.03, 0)
    assert found["names"] == {"recvfrom": 2.0, "sendto": 2.0, "epoll_wait": 0.03}


def test_system_calls_of_every_kind_are_in_one_of_the_four_columns():
    found = syscalls.per_request({"readv": 200, "splice": 100, "epoll_ctl": 50, "epoll_pwait": 10, "close": 30, "getpid": 20}, 100)
    assert syscalls.in_four(found) == (3.0, 0.5, 0.1, 0.5) and sum(syscalls.in_four(found)) == pytest.approx(found["all"])


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
    latency = {"p50": 100, "p99": 300, "p99_9": 310, "buckets": [[100, 8], [300, 2]]}
    return {"valid": True, "invalid_reasons": [], "elapsed_s": 2.0, "requests": {"ok": 9, "failed": 1}, "first_error": "reset",
            "latency_from_intended_us": None, "latency_from_sent_us": latency, **over}


def test_portico_bench_is_read(tmp_path):
    generator_that_says(tmp_path, "portico-bench", json.dumps(said_by_portico_bench()))
    drive = generators.PorticoBench(str(tmp_path)).drive(1, scenario.parse("x", GOOD, KNOWN).loads[0], 1)
    assert (drive.requests, drive.ok, drive.failed, drive.first_error) == (10, 9, 1, "reset")
    assert (drive.p50_us, drive.p99_us, drive.p999_us, drive.ok_per_s) == (100, 300, 310, 4.5)
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
    port = free_port()
    path = ROOT / "bench" / "harness" / "odd_backend.py"
    process = subprocess.Popen([str(path), "--port", str(port), "--fail-every", "2", "--name", "odd"])
    assert wait_for_answer(port, process, 120)
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
    deadline = time.monotonic() + 60
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
    monkeypatch.setattr(beside, "FOLLOW_TIMEOUT_S", 120)
    monkeypatch.setattr(beside, "get", lambda port, path: stand.get(port, "/health"))
    following = Standing(odd_backend, "odd")
    beside.Churn(following, 100).check_followed()
    assert following.told and all(ports == [9] for ports in following.told)  # again each second, should it take so long
    monkeypatch.setattr(beside, "FOLLOW_TIMEOUT_S", 0.5)
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
    before = os.times()
    subprocess.run([sys.executable, "-c", "import os, time"], check=True)
    after = os.times()
    python_s = 10 * (after.children_user + after.children_system - before.children_user - before.children_system)
    script = "import os, time\nif os.fork() == 0:\n    end = time.process_time() + 0.3\n    while time.process_time() < end: pass\n    os._exit(0)\nos.wait()\nprint('done', flush=True)\ntime.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout.readline() == "done\n"
            assert 0.28 <= procfs.cpu_seconds(process.pid) <= 3 + python_s
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
    deadline = time.monotonic() + 60
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


@pytest.mark.parametrize("option", ["--list", "--help"])
def test_a_reader_that_goes_away_is_no_error(tmp_path, option):
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as nowhere:
        done = subprocess.run(command_line(tmp_path, option), stdout=nowhere, stderr=subprocess.PIPE, text=True, timeout=300)
    assert (done.returncode, done.stderr) == (0, "")


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


SHORT = ("small-keepalive", "--proxies", "relay,portico", "--rounds", "1", "--seconds", "1", "--skip", "syscalls,instructions")


def test_a_run_writes_what_a_reader_of_the_results_needs(run_bench, tmp_path):
    done = run_bench(*SHORT)
    assert done.returncode == 0, done.stderr
    document = json.loads(next(tmp_path.glob("*.json")).read_text())
    assert [entry["scenario"] for entry in document["goals"]] == ["small-keepalive"] * 6 and "goals (judged" in done.stdout
    assert document["machine"]["cores"] and document["versions"]["portico"] and "commit" in document
    assert [r["proxy"] for r in document["results"]] == ["relay", "portico"]
    for found in document["results"]:
        assert found["scenario"] == "small-keepalive" and found["problem"] is None
        assert found["rps"] > 0 and found["cpu_us_per_request"] > 0 and found["ratio_to_relay"] > 0
        assert 0 < found["p50_us"] <= found["p99_us"] and found["rss_kib"] > 0 and found["error_share"] == 0
        assert found["syscalls_per_request"] is None and found["instructions_per_request"] is None
    assert "| portico |" in next(tmp_path.glob("*.md")).read_text()


@pytest.mark.long
def test_a_stopped_run_leaves_no_process_and_no_folder(tmp_path):
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    process = subprocess.Popen(command_line(tmp_path, "small-keepalive", "--proxies", "relay,portico", "--rounds", "50",
                                            "--seconds", "1", "--skip", "syscalls,instructions"),
                               env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    for line in process.stderr:
        if "round 1/" in line:
            break
    started = procfs.tree(process.pid)[1:]
    assert len(started) > 2
    process.terminate()
    process.communicate(timeout=120)
    assert process.returncode == 143
    deadline = time.monotonic() + 60
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
