"""Inputs for the differential driver: the corpus, and variations of it from a seeded random generator."""
import os
import random
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "corpus"))
import corpus_file  # noqa: E402

BYTES_MAX = 4000
WORDS = [
    b"\r\n",
    b"\r\n\r\n",
    b"\n",
    b"\r",
    b"\0",
    b" ",
    b"\t",
    b":",
    b";",
    b",",
    b"\x80",
    b"\xff",
    b"0",
    b"5",
    b"a",
    b"+",
    b"-",
    b"0x",
    b"_",
    b"\v",
    b"\f",
    b"chunked",
    b"Transfer-Encoding: chunked\r\n",
    b"Content-Length: 5\r\n",
    b"Content-Length: 0\r\n",
    b"Host: a\r\n",
    b"Connection: close\r\n",
    b"Connection: keep-alive\r\n",
    b"Connection: Upgrade\r\nUpgrade: a\r\n",
    b"Expect: 100-continue\r\n",
    b"0\r\n\r\n",
    b"5\r\nhello\r\n",
    b"GET / HTTP/1.1\r\n",
    b"HTTP/1.1",
    b"HTTP/1.0",
    b"HTTP/1.1 200 OK\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\n",
    b"HTTP/1.1 204 No Content\r\n",
    b"HTTP/1.1 304 No\r\n",
    b";a=b",
    b'"',
    b"%2f",
    b"..",
    b"/",
    b"?",
    b"#",
    b"*",
    b"http://a",
    b"Trailer: A\r\n",
    b"A: b\r\n",
    b" A: b\r\n",
    b"TE: trailers\r\n",
    b"identity",
    b"gzip, ",
]


class Inputs:
    """(kind, bytes, name), endlessly but for the corpus, which comes first."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.requests = [(b"q", case.data, case.name) for case in corpus_file.read_requests()]
        self.responses = [
            (b"h" if case.method == "HEAD" else b"g", case.data, case.name) for case in corpus_file.read_responses()
        ]
        sound = {case.name for case in corpus_file.read_requests() if case.kind not in ("malformed", "incomplete")}
        sound_responses = {
            case.name for case in corpus_file.read_responses() if case.kind in ("wellformed", "extra", "truncated")
        }
        # What goes through is what can be read differently: variations start mostly from there.
        self.bases = [
            [one for one in self.requests if one[2] in sound and len(one[1]) <= BYTES_MAX],
            [one for one in self.responses if one[2] in sound_responses and 0 < len(one[1]) <= BYTES_MAX],
            [one for one in self.requests + self.responses if 0 < len(one[1]) <= BYTES_MAX],
        ]

    def corpus(self):
        return self.requests + self.responses

    def mutate(self, count):
        return [self._one() for _ in range(count)]

    def _one(self):
        kind, data, name = self.random.choice(self.random.choices(self.bases, (6, 3, 2))[0])
        for _ in range(self.random.choice((1, 1, 1, 2, 2, 3, 5))):
            data = self.random.choice(
                (
                    self._replace,
                    self._insert,
                    self._insert,
                    self._delete,
                    self._swap_lines,
                    self._repeat_line,
                    self._other_line,
                    self._flip_case,
                    self._append,
                )
            )(data, kind)
        return kind, data[: 2 * BYTES_MAX], name + " varied"

    def _at(self, data):
        return self.random.randrange(len(data) + 1)

    def _replace(self, data, _):
        at = self._at(data)
        return data[:at] + bytes([self.random.randrange(256)]) + data[at + 1 :]

    def _insert(self, data, _):
        at = self._at(data)
        return data[:at] + self.random.choice(WORDS) + data[at:]

    def _delete(self, data, _):
        at = self._at(data)
        return data[:at] + data[at + self.random.choice((1, 1, 2, 3, 8, 20)) :]

    def _lines(self, data):
        return data.split(b"\r\n")

    def _swap_lines(self, data, _):
        lines = self._lines(data)
        a, b = self.random.randrange(len(lines)), self.random.randrange(len(lines))
        lines[a], lines[b] = lines[b], lines[a]
        return b"\r\n".join(lines)

    def _repeat_line(self, data, _):
        lines = self._lines(data)
        at = self.random.randrange(len(lines))
        return b"\r\n".join(lines[:at] + [lines[at]] + lines[at:])

    def _other_line(self, data, kind):
        other = self.random.choice(self.requests if kind == b"q" else self.responses)[1]
        lines = self._lines(data)
        lines.insert(self.random.randrange(len(lines) + 1), self.random.choice(self._lines(other[:BYTES_MAX])))
        return b"\r\n".join(lines)

    def _flip_case(self, data, _):
        at = self._at(data)
        return data[:at] + data[at : at + 8].swapcase() + data[at + 8 :]

    def _append(self, data, kind):
        return data + self.random.choice(self.requests if kind == b"q" else self.responses)[1][:BYTES_MAX]
