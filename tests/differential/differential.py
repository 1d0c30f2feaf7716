#!/usr/bin/python3
"""Looks for messages that our parser accepts and that python3-h11 or node's llhttp reads differently: method, target,
version, status, reason, fields, body, trailers, where it ends. A difference that is explained here is counted; every
other one fails.

  differential.py OUT [--count N] [--time SECONDS] [--seed N]

The corpus comes first, then N variations of it (or as many as fit into the time) from a generator that the seed
determines."""
import argparse
import collections
import json
import os
import re
import shutil
import struct
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import mutations  # noqa: E402
import peer_h11  # noqa: E402

BATCH = 2000
SHOWN = 20
BLANKS = b" \t"

Message = collections.namedtuple("Message", "method target status reason minor fields body trailers")
Reading = collections.namedtuple("Reading", "messages end why")  # end: bad | more | end | extra


def frame(inputs):
    return b"".join(kind + struct.pack("<I", len(data)) + data for kind, data, _ in inputs)


# ---- ours


def parse_fields(text):
    return [tuple(bytes.fromhex(part) for part in pair.split("=")) for pair in text.split(",")] if text else []


def parse_lines(data):
    return [tuple(part.strip(BLANKS) for part in line.split(b":", 1)) for line in data.split(b"\r\n") if line]


def parse_our_text(text, is_request):
    messages, head = [], None
    for line in text.split("\n"):
        word, *values = line.split("\t")
        if word == "head":
            head = values
        elif word == "body":
            name, target, minor, _, _, _, fields = head
            of_request = (name.encode(), bytes.fromhex(target), None, None)
            of_response = (None, None, int(name) if not is_request else None, bytes.fromhex(target))
            messages.append(
                Message(
                    *(of_request if is_request else of_response),
                    int(minor),
                    parse_fields(fields),
                    bytes.fromhex(values[0]),
                    parse_lines(bytes.fromhex(values[1])),
                )
            )
        else:
            return Reading(messages, word, " ".join(values))
    raise AssertionError(f"our reader's text has no end: {text!r}")


def read_ours(program, inputs):
    out = subprocess.run([program], input=frame(inputs), stdout=subprocess.PIPE, check=True).stdout.decode("ascii")
    texts = out.split("\n\n")[:-1]
    assert len(texts) == len(inputs), f"{len(texts)} answers to {len(inputs)} inputs"
    return [parse_our_text(text, kind == b"q") for text, (kind, _, _) in zip(texts, inputs)]


# ---- peers


def latin(text):
    return text.encode("latin-1")


def read_llhttp(inputs):
    out = subprocess.run(
        ["node", os.path.join(HERE, "peer_llhttp.js")], input=frame(inputs), stdout=subprocess.PIPE, check=True
    ).stdout
    readings = []
    for line in out.decode().split("\n")[:-1]:
        told = json.loads(line)
        messages = []
        for m in told["messages"]:
            fields, trailers = (
                [(latin(flat[i]), latin(flat[i + 1])) for i in range(0, len(flat), 2)]
                for flat in (m["fields"], m["trailers"])
            )
            is_request = "method" in m
            messages.append(
                Message(
                    latin(m["method"]) if is_request else None,
                    latin(m["target"]) if is_request else None,
                    None if is_request else m["status"],
                    None if is_request else latin(m["reason"]),
                    m["minor"],
                    fields,
                    bytes.fromhex(m["body"]),
                    trailers,
                )
            )
        readings.append(Reading(messages, told["end"], told["why"]))
    return readings


def read_h11(inputs):
    readings = []
    for kind, data, _ in inputs:
        told = peer_h11.read(kind, data)
        messages = [
            Message(
                m.get("method"),
                m.get("target"),
                m.get("status"),
                m.get("reason"),
                m["minor"],
                m["fields"],
                m["body"],
                m["trailers"],
            )
            for m in told["messages"]
        ]
        readings.append(Reading(messages, told["end"], told["why"]))
    return readings


PEERS = {"h11": (peer_h11.is_installed, read_h11), "llhttp": (lambda: shutil.which("node") is not None, read_llhttp)}


# ---- comparison


def plain(fields):
    """Names in lower case, blanks around values gone; as every reader has them in the end."""
    return [(name.lower(), value.strip(BLANKS)) for name, value in fields]


def is_within(few, many):
    rest = iter(many)
    return all(one in rest for one in few)


def what_differs(ours, theirs):
    """Names of the parts of a message that are not the same."""
    parts = [
        part
        for part in ("method", "target", "status", "reason", "body")
        if getattr(ours, part) != getattr(theirs, part)
    ]
    if ours.minor != min(theirs.minor, 1):  # a higher one is processed as 1.1 (RFC 9110 2.5)
        parts.append("minor")
    if plain(ours.fields) != plain(theirs.fields):
        parts.append("fields")
    if not is_within(plain(ours.trailers), plain(theirs.trailers)):
        parts.append("trailers")
    return parts


def is_what_h11_makes_of_them(ours, theirs, _):
    """Fields as h11 hands them over: one of equal Content-Length lines or members, Transfer-Encoding in lower case."""
    made, length = [], None
    for name, value in plain(ours.fields):
        if name == b"content-length":
            numbers = {number.strip(BLANKS) for number in value.split(b",")}
            if len(numbers) != 1 or length not in (None, numbers):
                return False
            if length is None:
                made.append((name, min(numbers)))
            length = numbers
        else:
            made.append((name, value.lower() if name == b"transfer-encoding" else value))
    return made == plain(theirs.fields)


def has_tab_behind_coding(ours, _, data):
    return ours.status is not None and re.search(rb"(?i)\r\ntransfer-encoding:[ \t]*chunked[ \t]*\t[ \t]*\r\n", data)


def has_field(message, name, value=b""):
    return any(one == name and value in text.lower() for one, text in plain(message.fields))


def has_length_without_body(message):
    return (
        message.status is not None
        and (message.status < 200 or message.status in (204, 304))
        and (has_field(message, b"content-length") or has_field(message, b"transfer-encoding"))
    )


# (peer, parts that differ, test of our message and theirs, do the messages behind it compare, why it is no danger)
EXPLAINED = (
    (
        "h11",
        ["fields"],
        is_what_h11_makes_of_them,
        True,
        "h11 makes one of equal Content-Length lines, as our forwarder does, and Transfer-Encoding lower case",
    ),
    (
        "llhttp",
        ["body"],
        has_tab_behind_coding,
        False,
        "llhttp overlooks a coding with a tab behind it, which is only whitespace (RFC 9112 5); we send our own line",
    ),
)


def explain(peer, parts, ours, theirs, data):
    for name, wanted, test, goes_on, why in EXPLAINED:
        if name == peer and wanted == parts and test(ours, theirs, data):
            return why, goes_on
    return None, False


def explain_from_here_on(peer, before, message):
    """Why llhttp may be out of step from this message of ours on."""
    if peer == "llhttp" and any(has_length_without_body(one) for one in [*before, message]):
        return "older llhttp takes a body behind 1xx, 204, 304 with a length, which have none (RFC 9112 6.3)"
    if peer == "llhttp" and any(has_field(one, b"upgrade") for one in before):
        return "llhttp stops behind a request to upgrade"
    if peer == "llhttp" and any(has_field(one, b"proxy-connection", b"close") for one in before):
        return "llhttp stops behind Proxy-Connection: close, which no RFC has"
    return None


def compare_message(peer, ours, theirs, i, data):
    """(goes on, explanation or None, finding or None)."""
    message = ours.messages[i]
    if i >= len(theirs.messages):
        if theirs.end == "bad":
            return False, f"{peer} refuses what we accept: {theirs.why.split('(')[0][:60]}", None
        return False, None, f"we read {len(ours.messages)} messages, {peer} {len(theirs.messages)}, then {theirs.end}"
    parts = what_differs(message, theirs.messages[i])
    if not parts:
        return True, None, None
    explanation, goes_on = explain(peer, parts, message, theirs.messages[i], data)
    if explanation:
        return goes_on, explanation, None
    return False, None, f"message {i + 1}: {', '.join(parts)}: we {message}, {peer} {theirs.messages[i]}"


def compare(peer, ours, theirs, data):
    """(an explanation or None, a finding or None) of the first message that is not read alike."""
    explanation = None
    for i, message in enumerate(ours.messages):
        goes_on, why, finding = compare_message(peer, ours, theirs, i, data)
        explanation = explanation or why
        if finding:
            out_of_step = explain_from_here_on(peer, ours.messages[:i], message)
            return out_of_step, None if out_of_step else finding
        if not goes_on:
            return explanation, None
    if len(theirs.messages) > len(ours.messages) and ours.end in ("more", "end"):
        return None, f"we read {len(ours.messages)} messages and then {ours.end}, {peer} {len(theirs.messages)}"
    return explanation, None


class Run:
    def __init__(self, program, peers=tuple(PEERS)):
        self.program = program
        self.peers = {name: read for name, (is_there, read) in PEERS.items() if name in peers and is_there()}
        self.explained = collections.Counter()
        self.findings = []
        self.input_count = self.accepted_count = 0
        self.compared = collections.Counter()

    def check(self, inputs):
        ours = read_ours(self.program, inputs)
        accepted = [(one, reading) for one, reading in zip(inputs, ours) if reading.messages]
        self.input_count += len(inputs)
        self.accepted_count += len(accepted)
        for peer, read in self.peers.items():
            self.compared[peer] += len(accepted)
            for (one, reading), theirs in zip(accepted, read([one for one, _ in accepted])):
                explanation, finding = compare(peer, reading, theirs, one[1])
                if explanation:
                    self.explained[explanation] += 1
                if finding:
                    self.findings.append(f"{one[2]} {one[1]!r}\n    {finding}")

    def report(self):
        print(
            f"{self.input_count} inputs, {self.accepted_count} with a message that we accept; compared with "
            + ", ".join(self.compared)
        )
        for why, count in self.explained.most_common():
            print(f"  {count:6} explained: {why}")
        for finding in self.findings[:SHOWN]:
            print(f"DIFFERENCE {finding}")
        print(f"{len(self.findings)} differences that are not explained")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("out")
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--time", type=float)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    run = Run(os.path.join(options.out, "tests", "differential", "read_messages"))
    assert run.peers, "neither python3-h11 nor node is installed"
    inputs = mutations.Inputs(options.seed)
    end = time.monotonic() + (options.time or 0)
    run.check(inputs.corpus())
    left = options.count
    while time.monotonic() < end if options.time else left > 0:
        run.check(inputs.mutate(BATCH if options.time else min(BATCH, left)))
        left -= BATCH
    print(f"seed {options.seed}")
    run.report()
    sys.exit(bool(run.findings))


if __name__ == "__main__":
    main()
