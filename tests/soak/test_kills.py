"""Random kill -9, SIGSTOP and broken reloads under load: requests fail only while the proxy itself is dead. The short forms
are in tests/system/test_supervisor.py. SOAK_KILLS deeds, by SOAK_SUPERVISORS installations side by side, which wait most
of the time; SOAK_SEED walks another way."""
import contextlib
import os
import random
import signal
import threading
import time

from conftest import Load, get, wait_until

TIMES = int(os.environ.get("SOAK_KILLS", "2000"))
SUPERVISORS = int(os.environ.get("SOAK_SUPERVISORS", "4"))
SEED = int(os.environ.get("SOAK_SEED", str(int(time.time()))))
WATCHDOG_S = 2
PROGRESS_S = 30


class Havoc:
    """Each deed returns whether it took the proxy away, in which case requests under way may fail."""

    def __init__(self, portico, source):
        self.p, self.source = portico, source

    def _kill(self, *roles):
        old = {role: wait_until(lambda role=role: self.p.child(role), role) for role in roles}
        for pid in old.values():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for role, pid in old.items():
            self.p.wait_for_new(role, pid)
        return "proxy" in roles

    def kill_control(self):
        return self._kill("control")

    def kill_proxy(self):
        return self._kill("proxy")

    def kill_both(self):
        return self._kill("control", "proxy")

    def _stop(self, role):
        pid = wait_until(lambda: self.p.child(role), role)
        os.kill(pid, signal.SIGSTOP)
        self.p.wait_for_new(role, pid)
        return role == "proxy"

    def stop_control(self):
        return self._stop("control")

    def stop_proxy(self):
        return self._stop("proxy")

    def pause_control(self):
        pid = wait_until(lambda: self.p.child("control"), "control")
        os.kill(pid, signal.SIGSTOP)
        time.sleep(self.source.random() * 0.2)
        os.kill(pid, signal.SIGCONT)
        return False

    def reload_broken(self):
        self.p.write_config("{broken")
        self.p.send(signal.SIGHUP)
        return False

    def reload_good(self):
        self.p.config["proxy"]["retries"] = self.source.randrange(4)
        self.p.write_config()
        self.p.send(signal.SIGHUP)
        return False


DEEDS = (["kill_control"] * 6 + ["kill_proxy"] * 6 + ["kill_both"] * 3 + ["stop_control", "stop_proxy"] +
         ["pause_control"] * 2 + ["reload_broken"] * 3 + ["reload_good"] * 3)


class Walk(threading.Thread):
    """So many deeds, one after the other, to one installation under load."""

    def __init__(self, portico, seed, times):
        super().__init__(daemon=True)
        self.p, self.source, self.times = portico, random.Random(seed), times
        self.dead_spans, self.back_s, self.counts = [], [], {}
        self.load, self.error = Load(portico.port, threads=2), None
        self.start()

    def run(self):
        try:
            with self.load:
                for _ in range(self.times):
                    self._do(self.source.choice(DEEDS))
                    time.sleep(self.source.random() * 0.2)
        except BaseException as error:
            self.error = error

    def _do(self, deed):
        began = time.monotonic()
        if getattr(Havoc(self.p, self.source), deed)():
            assert get(self.p.port)[0] == 200, deed
            self.dead_spans.append((began, time.monotonic()))
            if deed.startswith("kill"):
                self.back_s.append(time.monotonic() - began)
        self.counts[deed] = self.counts.get(deed, 0) + 1

    def failures_while_it_lived(self):
        """503 is an answer, so that one lived."""
        return [f for f in self.load.failures
                if f[1] == 503 or not any(f[0] <= ended and began <= f[2] for began, ended in self.dead_spans)]


def spread(seconds):
    s = sorted(seconds)
    return f"{s[len(s) // 2]:.2f} s in the middle, {s[int(len(s) * 0.99)]:.2f} s at 99 %, {s[-1]:.2f} s at most" if s else "-"


def tell(walks):
    counts = {deed: sum(w.counts.get(deed, 0) for w in walks) for deed in sorted(set(DEEDS))}
    print(f"SOAK_SEED={SEED}: {sum(counts.values())} of {TIMES} deeds {counts}; {sum(w.load.done for w in walks)} requests, "
          f"{sum(len(w.load.failures) for w in walks)} failed; back after {spread([s for w in walks for s in w.back_s])}", flush=True)


def test_requests_fail_only_while_the_proxy_itself_is_dead(make_portico, backends, capsys):
    walks = []
    for number in range(SUPERVISORS):
        p = make_portico(proxy={"workers": 2, "timeouts": {"drain": "5s", "watchdog": f"{WATCHDOG_S}s"}})
        p.write_endpoints([("web", backends().address), ("web", backends().address)])
        p.start_and_wait()
        p.wait_serving()
        walks.append(Walk(p, f"{SEED}.{number}", TIMES // SUPERVISORS))
    while any(w.is_alive() for w in walks):
        next((w for w in walks if w.is_alive()), walks[0]).join(PROGRESS_S)
        with capsys.disabled():
            tell(walks)
    for w in walks:
        assert w.error is None, (w.error, w.counts, w.p.log()[-3000:])
        assert w.failures_while_it_lived() == [], (w.dead_spans[-5:], w.p.log()[-3000:])
        wait_until(w.p.is_ready, "ready at the end")
