"""What a client connection costs that has had its answer and stays: memory of the proxy's process before and after so many
are opened, of a process that is new for each round (an allocator keeps what it once had). RSS counts pages; for Portico the
heap is counted too, by valgrind's massif, exactly: (peak(many) - peak(few)) / (many - few)."""
import re
import subprocess

from harness import figures, instructions, machine, peers, procfs
from harness.beside import IdleConnections
from harness.problem import Problem
from harness.processes import log_tail, wait_for_answer
from harness.scenario import Load
from harness.stand import Stand

WARM_UP = Load("closed", 64)
WARM_UP_S = 0.5
FEW = 1000  # connections under massif, besides those of the scenario
START_TIMEOUT_S = STOP_TIMEOUT_S = 60
RESULT_KEYS = ("rps", "cpu_us_per_request", "ratio_to_relay", "p50_us", "p99_us", "syscalls_per_request",
               "instructions_per_request", "rss_kib", "error_share")


def peak_bytes(text):
    """The most that a massif.out tells, with what the allocator itself needs; None when it tells nothing."""
    heaps, extras = (re.findall(rf"^{key}=(\d+)$", text, re.M) for key in ("mem_heap_B", "mem_heap_extra_B"))
    return max((int(heap) + int(extra) for heap, extra in zip(heaps, extras)), default=None)


def _hold(port, count):
    """Opens and checks; the caller closes."""
    idle = IdleConnections(port, count)
    open_count = idle.still_open_count()
    if open_count < count:
        idle.close()
        raise Problem(f"only {open_count} of {count} idle connections stayed open")
    return idle


def grown_bytes(before_kib, after_kib, count):
    return round((after_kib - before_kib) * 1024 / count, 1)


class Idle:
    def __init__(self, processes, build, generator, scenario, say):
        self.processes, self.build, self.generator, self.scenario, self.say = processes, build, generator, scenario, say
        self.count = scenario.idle_connections

    def _round(self, peer):
        """(bytes of a connection, RSS with all of them); None when it is not here."""
        stand = Stand(self.processes, self.build, self.scenario, self.say)
        try:
            stand.start([peer])
            [standing] = stand.standing
            drive = self.generator.drive(standing.port, WARM_UP, WARM_UP_S)
            if drive.problem or drive.failed:
                raise Problem(drive.problem or drive.first_error)
            before, _ = procfs.memory_kib(standing.process.pid)
            idle = _hold(standing.port, self.count)
            after, _ = procfs.memory_kib(standing.process.pid)
            idle.close()
            return grown_bytes(before, after, self.count), after
        finally:
            stand.stop()

    def _peak(self, standing, count):
        """Bytes of heap with so many connections."""
        instance, command = instructions.under_valgrind(standing, ["--tool=massif", "--peak-inaccuracy=0.0"])
        out = f"{instance.folder}/massif-{count}.out"
        command.insert(1, f"--massif-out-file={out}")
        process = self.processes.start(machine.PROXY_CORE, command, instructions.environment_of(self.processes, standing.peer))
        try:
            if not wait_for_answer(instance.port, process, START_TIMEOUT_S):
                raise Problem(f"does not answer under valgrind: {log_tail(process)}")
            _hold(instance.port, count).close()
            process.terminate()
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            raise Problem("does not end under valgrind") from None
        finally:
            self.processes.stop([process])
        with open(out) as f:
            peak = peak_bytes(f.read())
        if peak is None:
            raise Problem(f"massif counted nothing: {log_tail(process)}")
        return peak

    def _heap_bytes(self, peer):
        """Of one connection; None where it cannot be told."""
        if peer.name.partition("-")[0] != "portico" or not machine.find_program("valgrind"):
            return None
        stand = Stand(self.processes, self.build, self.scenario, self.say)
        try:
            stand.start([peer])
            low, high = (self._peak(stand.standing[0], FEW + more) for more in (0, self.count))
            return round((high - low) / self.count, 1)
        except Problem as problem:
            self.say(f"{self.scenario.name}: {peer.name}: heap not counted: {problem}")
            return None
        finally:
            stand.stop()

    def _result(self, peer, rounds, problem):
        found = {"scenario": self.scenario.name, "proxy": peer.name, "rate": None, "connections": self.count,
                 **dict.fromkeys(RESULT_KEYS), "problem": problem}
        if not problem:
            found.update(idle_bytes=figures.span_of([grown for grown, _ in rounds]),
                         rss_kib=figures.median_of(rss for _, rss in rounds), idle_heap_bytes=self._heap_bytes(peer))
        return found

    def measure(self, wanted, round_count):
        """One result for each of the wanted peers that is here."""
        present = [peer for peer in wanted if peers.find_program(peer)]
        rounds, problems = {peer.name: [] for peer in present}, {}
        for number in range(round_count):
            for peer in present:
                if peer.name in problems:
                    continue
                try:
                    rounds[peer.name].append(self._round(peer))
                except (Problem, OSError) as problem:
                    problems[peer.name] = str(problem)
            figures_now = "  ".join(f"{name} {f'{found[-1][0]:.0f} B' if found else '-'}" for name, found in rounds.items())
            self.say(f"{self.scenario.name}: round {number + 1}/{round_count}: {figures_now}")
        return [self._result(peer, rounds[peer.name], problems.get(peer.name)) for peer in present]
