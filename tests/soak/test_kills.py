"""Random kill -9, SIGSTOP and broken reloads under load: requests fail only while the proxy itself is dead. The short forms
are in tests/system/test_supervisor.py."""
import contextlib
import os
import random
import signal
import time

from conftest import Load, get, wait_until

TIMES = int(os.environ.get("SOAK_KILLS", "2000"))
SEED = int(os.environ.get("SOAK_SEED", str(int(time.time()))))
WATCHDOG_S = 2


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


def test_requests_fail_only_while_the_proxy_itself_is_dead(make_portico, backends):
    print(f"SOAK_SEED={SEED}")
    source = random.Random(SEED)
    p = make_portico(proxy={"workers": 2, "timeouts": {"drain": "5s", "watchdog": f"{WATCHDOG_S}s"}})
    p.write_endpoints([("web", backends().address), ("web", backends().address)])
    p.start_and_wait()
    p.wait_serving()
    havoc, dead_spans, back_s, counts = Havoc(p, source), [], [], {}
    with Load(p.port) as load:
        for _ in range(TIMES):
            deed = source.choice(DEEDS)
            counts[deed] = counts.get(deed, 0) + 1
            began = time.monotonic()
            if getattr(havoc, deed)():
                assert get(p.port)[0] == 200
                dead_spans.append((began, time.monotonic()))
                if deed.startswith("kill"):
                    back_s.append(time.monotonic() - began)
            time.sleep(source.random() * 0.3)
    outside = [f for f in load.failures
               if f[1] == 503 or not any(began - 1 <= f[0] <= ended for began, ended in dead_spans)]
    assert outside == [], (outside[:5], counts)
    wait_until(p.is_ready, "ready at the end")
    back_s.sort()
    print(f"{TIMES} deeds {counts}; {load.done} requests, {len(load.failures)} failed, all while the proxy was dead; "
          f"back after {back_s[len(back_s) // 2]:.2f} s in the middle, {back_s[int(len(back_s) * 0.99)]:.2f} s at 99 %, "
          f"{back_s[-1]:.2f} s at most")
