"""Tools of the tests of faults and floods: the shim that makes calls fail inside the proxy, thousands of hostile
clients (tests/faults/), and legitimate load beside them."""
import collections
import json
import mmap
import os
import struct
import subprocess
import threading
import time

from proxy_alone import DEADLINE_S, OUT

SHIM = os.path.abspath(os.path.join(OUT, "tests", "faults", "shim.so"))
FLOOD = os.path.join(OUT, "tests", "faults", "flood")
BENCH = os.path.join(OUT, "portico-bench")

HEADER_BYTES, ROW_BYTES, PAGE_BYTES = 128, 128, 1 << 14
OPTIONS = {"is_armed": 32, "calls": 40, "hits": 48, "at": 56, "times": 64, "every": 72, "max_bytes": 80, "seed": 88,
           "error": 96, "other_error": 104}


class Faults:
    """The page that the shim shares with the test: what fails in the proxy, from now on."""

    def __init__(self, directory):
        self.path = os.path.join(str(directory), "faults")
        with open(self.path, "wb") as f:
            f.truncate(PAGE_BYTES)
        with open(self.path, "r+b") as f:
            self.page = mmap.mmap(f.fileno(), PAGE_BYTES)
        self.environment = {"LD_PRELOAD": SHIM, "FAULTS_PAGE": self.path,
                            "MALLOC_PERTURB_": "165"}  # freed and fresh memory is filled: its use shows

    def _row(self, name):
        for i in range(struct.unpack_from("<Q", self.page, 0)[0]):
            at = HEADER_BYTES + i * ROW_BYTES
            if self.page[at:at + 32].rstrip(b"\0").decode() == name:
                return at
        raise KeyError(name)

    def names(self):
        count = struct.unpack_from("<Q", self.page, 0)[0]
        rows = [HEADER_BYTES + i * ROW_BYTES for i in range(count)]
        return [self.page[at:at + 32].rstrip(b"\0").decode() for at in rows]

    def _put(self, row, option, value):
        struct.pack_into("<Q", self.page, row + OPTIONS[option], value)

    def arm(self, name, **options):
        """Counts the calls of the function from now on, and lets fail what the options say (tests/faults/shim.c)."""
        row = self._row(name)
        self._put(row, "is_armed", 0)
        for option in OPTIONS:
            self._put(row, option, options.get(option, 0))
        self._put(row, "is_armed", 1)

    def disarm(self):
        for name in self.names():
            self._put(self._row(name), "is_armed", 0)

    def calls(self, name):
        return struct.unpack_from("<Q", self.page, self._row(name) + OPTIONS["calls"])[0]

    def hits(self, name):
        return struct.unpack_from("<Q", self.page, self._row(name) + OPTIONS["hits"])[0]


class Flood:
    """tests/faults/flood, running; its newest report is in `state`."""

    def __init__(self, port, mode, connections, **options):
        words = [FLOOD, "--port", str(port), "--mode", mode, "--connections", str(connections)]
        for name, value in options.items():
            words += ["--" + name.replace("_", "-")] + ([] if value is True else [str(value)])
        self.state, self.connections = collections.Counter(), connections
        self.process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for line in self.process.stdout:
            self.state = collections.Counter(json.loads(line))

    def wait_for(self, condition, what, timeout_s=2 * DEADLINE_S):
        deadline = time.monotonic() + timeout_s
        while not condition(self.state):
            assert self.process.poll() is None, "flood ended"
            assert time.monotonic() < deadline, f"not within {timeout_s} s: {what}; {self.state}"
            time.sleep(0.02)  # a poll interval of a wait on state, not a guess
        return self.state

    def stop(self):
        if self.process.poll() is None:
            self.process.stdin.close()
            try:
                self.process.wait(DEADLINE_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                raise
        self.reader.join(DEADLINE_S)
        return self.state

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


class Legitimate:
    """200 requests a second over kept-alive connections, measured by the load generator."""

    def __init__(self, port, duration_s=3, rate=200, path="/", connections=16, options=()):
        self.process = subprocess.Popen(
            [BENCH, "--rate", str(rate), "--duration", f"{duration_s}s", "--connections", str(connections), "--quiet",
             "--timeout", "30s", "--json", "-", *options, f"http://127.0.0.1:{port}{path}"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def is_running(self):
        return self.process.poll() is None

    def result(self):
        try:
            out, err = self.process.communicate(timeout=180)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        assert out, err
        return json.loads(out)


def failures_and_p99_ms(report):
    return report["requests"]["failed"], report["latency_from_intended_us"]["p99"] / 1000
