"""The command: what was asked for, one scenario after the other, and the report."""
import argparse
import datetime
import fcntl
import json
import os
import signal
import sys
import time

from harness import (containers, figures, generators, goals, instructions, machine, peers, plots, report, saturation,
                     scenario as scenarios, syscalls)
from harness.idle import Idle
from harness.problem import Problem, UsageProblem
from harness.processes import Processes, take_the_machine
from harness.rounds import Rounds
from harness.stand import Stand

BUILD = os.path.join(machine.ROOT, "build", "release")
BURN = os.path.join(machine.ROOT, "build", "burn", "portico")


def say(line):
    print(line, file=sys.stderr, flush=True)


def tell(text, end="\n"):
    """On standard output. When nobody reads it any more, the run and its files still count."""
    try:
        print(text, end=end, flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class Arguments(argparse.ArgumentParser):
    def error(self, message):
        raise UsageProblem(f"{message}; see bench/run.sh --help")

    def _print_message(self, message, file=None):
        """The help; nothing else is printed, see error()."""
        tell(message, end="")


def positive(text):
    value = float(text)
    if not 0 < value <= 1000:
        raise argparse.ArgumentTypeError("must be more than 0, at most 1000")
    return value


def words(text):
    return [word for word in text.split(",") if word]


def parse_arguments(arguments):
    parser = Arguments(prog="bench/run.sh", description="Measures proxies side by side. Without names: the quick scenarios.")
    parser.add_argument("scenario", nargs="*", help="names from --list")
    parser.add_argument("--all", action="store_true", help="every scenario")
    parser.add_argument("--list", action="store_true", help="the scenarios there are")
    parser.add_argument("--proxies", type=words, metavar="A,B", help="only these rows")
    parser.add_argument("--rounds", type=int, choices=range(1, 101), metavar="N", help="instead of the scenario's")
    parser.add_argument("--seconds", type=positive, metavar="S", help="of a turn, instead of the scenario's")
    parser.add_argument("--skip", type=words, default=[], metavar="A,B", help="syscalls, instructions")
    parser.add_argument("--generator", choices=("portico-bench", "wrk"), default="portico-bench",
                        help="wrk: closed loops only, for cross-checks")
    parser.add_argument("--also", action="append", default=[], metavar="NAME=PATH", 
                        help="one more Portico, another binary; TREE/build/KIND/portico has the template of its tree's bench/peers/")
    parser.add_argument("--with-burn", action="store_true", help="a row portico-burn that wastes 5 us on each request")
    parser.add_argument("--build", default=BUILD, metavar="DIR", help="folder of portico and the bench programs (build/release)")
    parser.add_argument("--results", default=machine.RESULTS, metavar="DIR", help="where to write (bench/results)")
    parser.add_argument("--write-reference", action="store_true", help="the results become bench/results/reference.json")
    parser.add_argument("--self-check", action="store_true", help="does the harness see what it must see?")
    options = parser.parse_args(arguments)
    unknown = set(options.skip) - {"syscalls", "instructions"}
    if unknown:
        raise UsageProblem(f"--skip: {sorted(unknown)[0]!r} is neither syscalls nor instructions")
    return options


def known_peers(options):
    """All rows there can be, those of --also and --with-burn behind the rest."""
    known = peers.all_peers(options.build)
    also = [*options.also, *([f"portico-burn={BURN}"] if options.with_burn else [])]
    extra = []
    for text in also:
        name, _, path = text.partition("=")
        if not name.startswith("portico-") or not path or name in known:
            raise UsageProblem(f"--also {text}: must be portico-SOMETHING=PATH")
        if not os.access(path, os.X_OK):
            raise UsageProblem(f"{path} is missing")
        known[name] = peers.portico(name, os.path.abspath(path))
        extra.append(name)
    return known, extra


def choose_peers(scenario, options, known, extra):
    names = [*scenario.proxies, *extra]
    for name in options.proxies or []:
        if name not in known:
            raise UsageProblem(f"--proxies: no proxy {name!r}; there are: {', '.join(known)}")
    if options.proxies:
        names = [name for name in options.proxies if name in names] + [n for n in extra if n not in options.proxies]
    return [known[name] for name in names]


def choose_scenarios(options, known):
    if options.all or not options.scenario:
        chosen = [scenarios.load(name, known) for name in scenarios.names()]
        if not options.all:
            chosen = [s for s in chosen if s.quick]
        return sorted(chosen, key=lambda s: (s.kind != "proxies", not s.quick, s.name != "small-keepalive"))
    return [scenarios.load(name, known) for name in options.scenario]


def skip_reason(scenario, options, generator):
    if not scenario.enabled:
        return scenario.reason
    if "docker" in scenario.needs and not containers.engine_answers():
        return "no Docker Engine answers"
    if not generator.keeps_rates and (scenario.kind == "containers" or any(load.shape == "rate" for load in scenario.loads)):
        return f"{generator.name} knows no rates"
    return None


class Run:
    def __init__(self, options, known, extra, processes):
        self.options, self.known, self.extra, self.processes = options, known, extra, processes
        for program in ("portico", "bench/relay", "bench/backend"):
            if not os.access(os.path.join(options.build, program), os.X_OK):
                raise UsageProblem(f"{os.path.join(options.build, program)} is missing: build it with make")
        self.generator = generators.make(options.generator, options.build, processes.folder)

    def scenario(self, scenario):
        """Its results; None when it was skipped."""
        reason = skip_reason(scenario, self.options, self.generator)
        if reason:
            say(f"{scenario.name}: skipped: {reason}")
            return None
        if scenario.kind == "containers":
            return [containers.measure(self.processes, self.options.build, self.generator, scenario)]
        wanted = choose_peers(scenario, self.options, self.known, self.extra)
        if not wanted:
            say(f"{scenario.name}: skipped: none of its proxies is among --proxies")
            return None
        if scenario.kind == "idle":
            idle = Idle(self.processes, self.options.build, self.generator, scenario, say)
            return idle.measure(wanted, self.options.rounds or scenario.rounds)
        stand = Stand(self.processes, self.options.build, scenario, say)
        try:
            stand.start(wanted)
            seconds, saturated = self.options.seconds or scenario.seconds, None
            if scenario.loads[0].saturation_share:
                saturated = saturation.measure(self.generator, scenario, stand.standing, say, seconds)
                scenario = saturation.at_share(scenario, saturated)
            rows = Rounds(self.generator, scenario, say, self.options.rounds or scenario.rounds, seconds).run(stand.standing)
            self._count(scenario, rows)
        finally:
            stand.stop()
        check_access_logs(rows)
        return [{**result, **about} for result, about in zip(figures.results(scenario, rows), self._about(rows, saturated))]

    def _about(self, rows, saturated):
        """What there is to say of a row besides its figures."""
        for row in rows:
            path = row.standing.instance.access_log_path
            yield {"saturated_rps": saturated, "access_log_lines": count_lines(path) if path else None}

    def _count(self, scenario, rows):
        wanted = [m for m in ("syscalls", "instructions") if m in scenario.measure and m not in self.options.skip]
        if wanted:
            say(f"{scenario.name}: counting {' and '.join(wanted)} per request")
        for row in rows:
            if row.problem or not row.standing.process:
                continue
            if "syscalls" in wanted:
                row.calls = syscalls.measure(self.processes, self.generator, row.standing, row.load)
            if "instructions" in wanted:
                try:
                    row.instructions = instructions.measure(self.processes, self.generator, row.standing, row.load)
                except Problem as problem:
                    say(f"{scenario.name}: {row.standing.name}: instructions not counted: {problem}")


def count_lines(path):
    with open(path, "rb") as f:
        return sum(piece.count(b"\n") for piece in iter(lambda: f.read(1 << 20), b""))


def check_access_logs(rows):
    """After the end of the proxies: one that leaves lines out would look cheaper than it is."""
    for row in rows:
        path = row.standing.instance.access_log_path
        requests = sum(turn.drive.requests for turn in row.turns if turn)
        if path and not row.problem and count_lines(path) < requests:
            row.problem = f"{count_lines(path)} lines in its log after at least {requests} requests"


def read_reference():
    try:
        with open(os.path.join(machine.RESULTS, "reference.json")) as f:
            return json.load(f)
    except (OSError, ValueError):
        return {"results": [], "machine": {}}


def stem_of(document):
    return document["at"].replace(":", "").replace("+0000", "Z")


def write_results(document, options, name):
    path = os.path.join(options.results, name)
    with open(path + ".new", "w") as f:
        json.dump(document, f, indent=1)
        f.write("\n")
    os.rename(path + ".new", path)
    return path


def write_report(document, parts, options):
    """The Markdown and the curves beside the results; says where everything is."""
    stem = stem_of(document)
    paths = [os.path.join(options.results, stem + ".json"), os.path.join(options.results, stem + ".md")]
    with open(paths[1], "w") as f:
        f.write(report.markdown(document, parts))
    if options.write_reference:
        paths.append(write_results(document, options, "reference.json"))
    if plots.is_possible():
        for scenario, results in parts:
            paths += plots.draw(options.results, stem, scenario, results, say)
    else:
        say("no curves: gnuplot is not installed")
    tell(f"\ntook {document['seconds']} s; written:\n" + "\n".join("  " + os.path.relpath(path) for path in paths))


def lock(folder):
    """Two benchmarks at once would measure each other. Held until the process ends."""
    try:
        os.makedirs(folder, exist_ok=True)
        held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as problem:
        raise UsageProblem(f"--results {folder}: {problem.strerror}") from None
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise Problem(f"another benchmark runs with the results in {folder}") from None


def document_of(options):
    about = machine.describe_machine()
    now = datetime.datetime.now(datetime.timezone.utc)
    return {"at": now.isoformat(timespec="seconds"), "commit": machine.commit(), "machine": about,
            "machine_line": machine.machine_line(about), "generator": options.generator,
            "versions": machine.versions(os.path.join(options.build, "portico")), "goals": [], "results": []}


def measure(options, processes):
    """Exit code."""
    known, extra = known_peers(options)
    chosen = choose_scenarios(options, known)
    run = Run(options, known, extra, processes)
    document, reference, parts, clock = document_of(options), read_reference(), [], time.monotonic()
    say(f"{document['machine_line']}; commit {document['commit'] or 'none'}")
    for number, scenario in enumerate(chosen, 1):
        say(f"scenario {number}/{len(chosen)}: {scenario.name}: {scenario.title} ({time.monotonic() - clock:.0f} s so far)")
        results = run.scenario(scenario)
        if results:
            parts.append((scenario, report.attach_reference(results, reference["results"])))
            tell(report.scenario_text(*parts[-1]))
            document["results"] += results
            document["goals"] = goals.judge(document["results"], [s.name for s in chosen])
            # After each scenario, so that an interrupted run keeps what it has.
            document["seconds"] = round(time.monotonic() - clock)
            write_results(document, options, stem_of(document) + ".json")
    if all(r["problem"] for r in document["results"]):
        raise Problem("nothing was measured")
    tell(report.goals_text(document["goals"]))
    write_report(document, parts, options)
    failed = [f"{r['scenario']} {r['proxy']}" for r in document["results"] if r["problem"]]
    if failed:
        say(f"bench: no figures for {', '.join(failed)}; the reasons are above")
    return 1 if failed else 0


def list_scenarios():
    known, lines = peers.all_peers(BUILD), []
    for name in scenarios.names():
        s = scenarios.load(name, known)
        marks = ["quick"] * s.quick + [f"needs {n}" for n in s.needs] + ([] if s.enabled else [f"not enabled: {s.reason}"])
        lines.append(f"{name:<28} {s.title}{f' ({chr(44).join(marks)})' if marks else ''}")
    tell("\n".join(lines))
    return 0


def _end(number, _frame):
    say(f"bench: ended by {signal.Signals(number).name}")
    sys.exit(128 + number)


def run(arguments):
    """Exit code. 0: all measured; 1: something could not be; 2: asked for what there is not."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) != signal.SIG_IGN:  # nohup
            signal.signal(number, _end)
    processes = None
    try:
        options = parse_arguments(arguments)
        if options.list:
            return list_scenarios()
        lock(options.results)
        take_the_machine()
        processes = Processes()
        if options.self_check:
            from harness import self_check
            return self_check.run(options, processes, say)
        return measure(options, processes)
    except Problem as problem:
        say(f"bench: {problem}")
        return problem.exit_code
    except KeyboardInterrupt:
        return 130
    finally:
        if processes:
            processes.stop_all()
