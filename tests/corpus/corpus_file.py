"""The files of the corpus: one case a line, columns separated by a tab, bytes written with escapes.

requests.tsv   name, class, outcome in monitor, in defensive, in strictest, target, body, bytes
responses.tsv  name, class, method of the request, outcome, body, bytes, end

class of a request   compliant | acceptable | ambiguous | severe   what proxy/h1/desync.h calls it
                     malformed    no reading of it is acceptable, in no mode
                     incomplete   a good beginning whose end never comes
outcome of a request the statuses that the client gets, in order, and what becomes of its connection: nothing: it serves
                     on; "!": it is closed; "?": either, and what follows then does not come. "-": no answer before the
                     client ends.
target, body         what the task sees of the first request; "=": the target as sent
class of a response  wellformed | malformed (the parser must refuse it) | refused (well-formed, but not for this
                     request) | truncated | extra (more bytes than it declares)
outcome of a response  a status: the client gets it, with the body; 502: that, whole; "cut": 502, or visibly incomplete
end                  what the task does behind its bytes: open | close | reset

Escapes: \\r \\n \\t \\\\ \\xHH, and \\*COUNT:BYTES; for COUNT times the same BYTES (at most 8, perhaps escaped)."""
import collections
import os
import re

FOLDER = os.path.dirname(os.path.abspath(__file__))
RUN = re.compile(rb"(.{1,8}?)\1{39,}", re.S)  # shorter ones are written out

Request = collections.namedtuple("Request", "name kind monitor defensive strictest target body data")
Response = collections.namedtuple("Response", "name kind method outcome body data end")

NAMED = {0x0D: "\\r", 0x0A: "\\n", 0x09: "\\t", 0x5C: "\\\\"}
BACK = {"r": b"\r", "n": b"\n", "t": b"\t", "\\": b"\\"}
ESCAPE = re.compile(r"\\(?:x([0-9a-f]{2})|\*(\d+):([^;]+);|([rnt\\]))|([^\\])")


def escape_byte(byte):
    return NAMED.get(byte) or (chr(byte) if 0x20 <= byte < 0x7F else f"\\x{byte:02x}")


def escape(data):
    out, at = [], 0
    for run in RUN.finditer(data):
        unit = "".join(map(escape_byte, run.group(1))).replace(";", "\\x3b")
        out += [*map(escape_byte, data[at : run.start()]), f"\\*{len(run.group()) // len(run.group(1))}:{unit};"]
        at = run.end()
    return "".join(out + [escape_byte(byte) for byte in data[at:]])


def unescape(text):
    out, at = [], 0
    while at < len(text):
        found = ESCAPE.match(text, at)
        assert found, f"escape at {at} of {text[:80]!r}"
        at = found.end()
        code, count, repeated, named, plain = found.groups()
        if code:
            out.append(bytes([int(code, 16)]))
        elif count:
            out.append(unescape(repeated) * int(count))
        else:
            out.append(BACK[named] if named else plain.encode("ascii"))
    return b"".join(out)


def write_line(case):
    return "\t".join(escape(value) if isinstance(value, bytes) else value for value in case)


def read(file_name, kind):
    """The cases of a file of this folder, in its order."""
    cases = []
    with open(os.path.join(FOLDER, file_name), encoding="ascii", newline="\n") as f:
        for line in f:
            if line.startswith("#"):
                continue
            values = line.rstrip("\n").split("\t")
            for bytes_column in ("body", "data"):
                at = kind._fields.index(bytes_column)
                values[at] = unescape(values[at])
            cases.append(kind(*values))
    return cases


def read_requests():
    return read("requests.tsv", Request)


def read_responses():
    return read("responses.tsv", Response)
