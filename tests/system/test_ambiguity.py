"""The corpus of tests/corpus through the real proxy: whatever a client sends, a task gets nothing, or one request
that can be read in one way only; and whatever a task answers, no client gets anything but its own answer."""
import asyncio
import collections
import json
import pathlib
import re
import socket
import struct
import sys

import pytest

from conftest import SANITIZED, SLOWNESS
from proxy_fixtures import proxy  # noqa: F401
from recording_backend import Clients, RecordingBackend

import corpus_file
import strict_reader

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "differential"))
import mutations  # noqa: E402

DEADLINE_S = 60 * SLOWNESS
FAILURES_SHOWN = 25
BATCH = 200
VARIATIONS = 500 if SANITIZED else 3000
SHORT_BYTES = 400  # requests up to this length are also sent byte by byte
PROBE = b"GET /probe HTTP/1.1\r\nHost: example.com\r\nConnection: close\r\n\r\n"
HEAD_ECHO = re.compile(rb"HTTP/1\.1 200 OK\r\nX-Echo: \S+ HEAD ")
WAITS = ("idleMs", "headMs", "bodyMs", "responseMs", "upstreamIdleMs")
# However slowly a batch goes its way. Clients end their side behind their last request, and want the answer.
SETTINGS = {"retries": 0, "responses": "strict", "answerHalfClosed": True,
            "timeouts": {"connectMs": 60000, **{wait: 600000 for wait in WAITS}}}

Run = collections.namedtuple("Run", "case expected pieces client")


class World:
    """The backend, the proxy in a mode, and what went wrong so far."""

    def __init__(self, make_proxy, mode, access_log="off", **settings):
        self.backend = RecordingBackend()
        self.proxy = make_proxy(
            [self.backend.port], settings=dict(SETTINGS, desync=mode, **settings), access_log=str(access_log)
        )
        self.clients = Clients(self.proxy.port)
        self.mode = mode
        self.runs = []
        self.failures = []
        self.patience_s = DEADLINE_S  # for the first that hangs; many may follow it

    def run(self, steps):
        """steps(): the test's coroutine. Then the proxy ends, and with it every connection; then what was seen is
        judged."""

        async def all_steps():
            await self.backend.start()
            try:
                await steps()
            except AssertionError as wrong:
                self.failures.append(str(wrong))
            await asyncio.get_running_loop().run_in_executor(None, self.proxy.stop)

        asyncio.run(all_steps())
        self.failures += self.backend.violations
        shown = "\n".join(self.failures[:FAILURES_SHOWN])
        assert not self.failures, f"{len(self.failures)} failures in {self.mode}:\n{shown}"

    def fail(self, run, why):
        self.failures.append(f"{run.case.name} in {len(run.pieces)} pieces: {why}")


def expected_in(case, mode):
    return getattr(case, mode).split()


# ---- requests


async def see_what_has_come():
    """An answer and the end behind it: the proxy waits a little while for bytes that follow, then they would be too late."""
    for _ in range(6):
        await asyncio.sleep(0)  # one turn of the loop


async def begin(world, batch):
    """All cases of a batch at once, piece by piece; behind each round of pieces the proxy has read what there is."""
    runs = []
    for case, pieces in batch:
        runs.append(Run(case, expected_in(case, world.mode), pieces, await world.clients.connect()))
        if case.kind == "ambiguous" and world.mode == "defensive":
            world.backend.single_use.add(runs[-1].client.address)
    for turn in range(max(len(run.pieces) for run in runs)):
        for run in runs:
            if turn < len(run.pieces):
                run.client.send(run.pieces[turn])
        if turn + 1 < max(len(run.pieces) for run in runs):
            await world.clients.wait_until_read()
            await see_what_has_come()
    return runs


async def finish(world, runs):
    """Ends each conversation so that the proxy must close it too, whatever was sent."""
    for run in runs:
        if run.expected[-1] == "-":
            run.client.send_eof()
        elif not run.expected[-1].endswith("!"):
            run.client.send(PROBE)
    _, late = await asyncio.wait([run.client.ended for run in runs], timeout=world.patience_s)
    world.patience_s = 1 if late else world.patience_s
    for run in runs:
        if run.client.ended in late:
            world.fail(run, f"not closed; got {run.client.data[:300]!r}")
            run.client.transport.abort()
        else:
            judge_answers(world, run)
    world.runs += runs


def take_answers(run):
    """The final responses that the client got."""
    responses, rest = [], run.client.data
    while rest:
        is_head = HEAD_ECHO.match(rest) is not None
        found = strict_reader.read_response(rest, is_head, True)
        if not found and rest.startswith(
            (b"HTTP/1.1 4", b"HTTP/1.1 5")
        ):  # to HEAD, so without the body that it declares
            found = strict_reader.read_response(rest, True, True)
        if not found:
            raise strict_reader.Malformed("a response is cut")
        response, rest = found
        if response.status >= 200:
            responses.append(response)
    return responses


def mark_of(response):
    return b"".join(strict_reader.values(response, b"x-echo"))


def is_own(run, response):
    return mark_of(response).startswith(run.client.address + b" ")


def outcomes(run):
    """What the client may have got, each as a list of statuses, the probe's among them."""
    accepted, statuses = [], []
    for token in run.expected:
        if token != "-":
            statuses.append(token.rstrip("!?"))
        if token.endswith("?"):
            accepted.append(list(statuses))
    is_open = token != "-" and not token.endswith("!")
    return accepted + [statuses + ["200"] if is_open else statuses]


def judge_answers(world, run):
    try:
        responses = take_answers(run)
    except strict_reader.Malformed as wrong:
        world.fail(run, f"{wrong} in what the client got: {run.client.data[:300]!r}")
        return
    got = [str(response.status) for response in responses]
    if got not in outcomes(run):
        world.fail(run, f"wanted {' '.join(run.expected)}, got {got}{' and a reset' if run.client.was_reset else ''}")
        return
    if run.client.was_reset:
        world.fail(run, "the connection was reset")
    for response in responses:
        if response.status == 200 and not is_own(run, response):
            world.fail(run, f"an answer is not its own: {run.client.data!r}")
        run.client.answered_count += response.status == 200 and b" /probe " not in mark_of(response)


def judge_what_tasks_saw(world):
    for run in world.runs:
        seen = [request for request in world.backend.seen[run.client.address] if request.target != b"/probe"]
        if len(seen) != run.client.answered_count:
            world.fail(run, f"the task saw {len(seen)} requests, not {run.client.answered_count}: {seen}")
            continue
        is_refused = run.expected[-1][0] in "-45"
        for beginning in world.backend.unfinished.get(run.client.address, []):
            if not is_refused:
                world.fail(run, f"the task saw a beginning: {beginning[:300]!r}")
        if seen:
            judge_first_request(world, run, seen[0])


def judge_first_request(world, run, request):
    start = run.case.data.lstrip(b"\r\n").split(b" ")
    target = start[1] if run.case.target == "=" else run.case.target.encode()
    if (request.method, request.target) != (start[0], target):
        world.fail(run, f"the task saw {request.method} {request.target}")
    if request.body != run.case.body:
        world.fail(run, f"the task saw the body {request.body[:300]!r}")


def in_batches(everything):
    for at in range(0, len(everything), BATCH):
        yield everything[at : at + BATCH]


def pieces_at(data, cut):
    return [data[:cut], data[cut:]]


GRAVITY = ["compliant", "acceptable", "ambiguous", "severe"]


def judge_log_lines(run, lines):
    """What is wrong with the lines of this client, but for the probe's."""
    got = [str(response.status) for response in take_answers(run)][: run.client.answered_count + 1]
    statuses = [str(line["status"]) for line in lines if line["status"]]
    if statuses != got[: len(statuses)] or len(statuses) < len(
        [token for token in run.expected if token[-1] not in "-?"]
    ):
        return f"the access log has the statuses {statuses}, the client got {got}"
    gravest = max((line.get("desync", "compliant") for line in lines), key=GRAVITY.index, default="compliant")
    if run.case.kind == "malformed":
        return (
            None if gravest == "severe" or lines[-1]["end"] == "body-malformed" else f"malformed is not logged: {lines}"
        )
    if run.case.kind == "incomplete" or run.expected == ["200", "400!"]:
        return None
    return None if gravest == run.case.kind else f"the access log says {gravest}"


def judge_access_log(world, path):
    lines = collections.defaultdict(list)
    for text in path.read_text().splitlines():
        line = json.loads(text)
        if line["target"] != "/probe":
            lines[line["client"].encode()].append(line)
    wrong = [(run, judge_log_lines(run, lines[run.client.address])) for run in world.runs]
    found = [f"{run.case.name}: {why}" for run, why in wrong if why]
    assert not found, f"{len(found)} failures in {world.mode}:\n" + "\n".join(found[:FAILURES_SHOWN])


@pytest.mark.parametrize("mode", ["monitor", "defensive", "strictest"])
def test_whole_requests_reach_a_task_as_one_well_formed_request_or_not_at_all(proxy, mode, tmp_path):  # noqa: F811
    log = tmp_path / "access.log"
    world = World(proxy, mode, access_log=log)

    async def steps():
        for case in corpus_file.read_requests():
            await finish(world, await begin(world, [(case, [case.data])]))
            await world.clients.ask_innocently()
        judge_what_tasks_saw(world)

    world.run(steps)
    judge_access_log(world, log)


@pytest.mark.parametrize("mode", ["defensive", "strictest"])
def test_requests_byte_by_byte_have_the_same_outcome(proxy, mode):  # noqa: F811
    world = World(proxy, mode)
    short = [case for case in corpus_file.read_requests() if len(case.data) <= SHORT_BYTES]
    short.sort(key=lambda case: len(case.data))

    async def steps():
        for batch in in_batches(short[::4] if SANITIZED else short):
            single_bytes = [(case, [case.data[i : i + 1] for i in range(len(case.data))]) for case in batch]
            await finish(world, await begin(world, single_bytes))
            await world.clients.ask_innocently()
        judge_what_tasks_saw(world)

    world.run(steps)


def test_requests_split_at_every_byte_have_the_same_outcome(proxy):  # noqa: F811
    world = World(proxy, "defensive")
    sample = [case for case in corpus_file.read_requests() if len(case.data) <= SHORT_BYTES][:: 80 if SANITIZED else 8]
    splits = [(case, pieces_at(case.data, cut)) for case in sample for cut in range(1, len(case.data))]

    async def steps():
        for batch in in_batches(splits):
            await finish(world, await begin(world, batch))
            await world.clients.ask_innocently()
        judge_what_tasks_saw(world)

    world.run(steps)


async def send_and_count(world, case, may_have_hidden=False):
    """For outcomes that the corpus does not state: as many answers as requests that the task saw, none of them the
    hidden one."""
    client = await world.clients.connect()
    if b"\n" in case.data.partition(b"\r\n\r\n")[0].replace(b"\r\n", b""):
        world.backend.single_use.add(client.address)
    run = Run(case, ["?"], [case.data], client)
    client.send(case.data)
    client.send_eof()
    await asyncio.wait_for(client.ended, DEADLINE_S)
    answered = [response for response in take_answers(run) if response.status == 200]
    seen = world.backend.seen[client.address]
    has_hidden = any(request.target == b"/smuggled" for request in seen)
    if len(answered) != len(seen) or (has_hidden and not may_have_hidden):
        world.fail(run, f"{len(answered)} answers, and the task saw {seen}")
    if any(not is_own(run, response) for response in answered):
        world.fail(run, f"an answer is not its own: {client.data!r}")
    return answered


def test_bare_line_feeds_that_are_accepted_do_not_reach_a_task(proxy):  # noqa: F811
    """With the leniency on, a task still sees nothing or one well-formed request, on a connection with nothing behind
    it."""
    world = World(proxy, "defensive", acceptBareLf=True)
    with_bare_lf = [case for case in corpus_file.read_requests() if b"\n" in case.data.replace(b"\r\n", b"")]

    async def steps():
        answered_count = 0
        for case in with_bare_lf:
            answered_count += bool(await send_and_count(world, case))
            await world.clients.ask_innocently()
        assert answered_count >= 5, f"only {answered_count} of {len(with_bare_lf)} cases were accepted"

    world.run(steps)


def test_variations_of_requests_reach_a_task_as_well_formed_requests_or_not_at_all(proxy):  # noqa: F811
    """Random ones, the same each time. What was hidden in a body may stand behind it in a variation, so it may be
    seen."""
    world = World(proxy, "defensive")
    variations = [one for one in mutations.Inputs(seed=2).mutate(VARIATIONS) if one[0] == b"q"]

    async def steps():
        answered_count = 0
        for _, data, name in variations:
            case = corpus_file.Request(name, "varied", "?", "?", "?", "=", b"", data)
            answered_count += len(await send_and_count(world, case, may_have_hidden=True))
        await world.clients.ask_innocently()
        assert answered_count > len(variations) / 10, f"only {answered_count} of {len(variations)} were answered"

    world.run(steps)


# ---- responses


class Answering:
    """A request for a case of the task's answers: the client, and the task's connection once the request has got
    there."""

    def __init__(self, world, case, pieces, client):
        self.world, self.case, self.pieces, self.client = world, case, pieces, client
        self.arrived = asyncio.get_running_loop().create_future()
        target = b"/task/" + client.address
        world.backend.special_answers[target] = self.on_request
        client.send(b"%s %s HTTP/1.1\r\nHost: example.com\r\n\r\n" % (case.method.encode(), target))

    def on_request(self, task, request):
        if not self.arrived.done():
            self.arrived.set_result(task)
            return
        task.transport.write(self.case.data)  # once more, because nothing came the first time
        self.end(task)

    def end(self, task):
        if self.case.kind != "wellformed":
            task.is_finished = True
        if self.case.end == "close":
            task.transport.close()
        elif self.case.end == "reset":
            task.transport.get_extra_info("socket").setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
            )
            task.transport.abort()


def length_of_first(case):
    """Bytes of the final response and what comes before it; what follows is nobody's."""
    if case.method == "HEAD" or case.outcome in ("204", "304"):
        return case.data.index(b"\r\n\r\n") + 4
    _, rest = strict_reader.read_response(case.data)
    return len(case.data) - len(rest)


async def send_piece(world, one, turn):
    task = one.arrived.result()
    if not task.transport.is_closing():
        task.transport.write(one.pieces[turn])
    if turn + 1 == len(one.pieces):
        one.end(task)
    sent_before = sum(map(len, one.pieces[:turn]))
    if one.case.kind == "extra" and sent_before >= length_of_first(one.case):
        # The connection was idle, so these bytes must end it. Until they have, another request may be sent on it: who
        # sends what nobody asked for can always be just too early.
        _, late = await asyncio.wait([task.ended], timeout=world.patience_s)
        if late:
            world.fail(one, "a connection with unsolicited bytes was kept")


async def answer_all(world, batch):
    """Each (case, pieces) of the batch on connections of its own, in step."""
    answerings = [Answering(world, case, pieces, await world.clients.connect()) for case, pieces in batch]
    await asyncio.wait_for(asyncio.gather(*[one.arrived for one in answerings]), DEADLINE_S)
    for turn in range(max(len(one.pieces) for one in answerings)):
        for one in answerings:
            if turn < len(one.pieces):
                await send_piece(world, one, turn)
        await world.clients.wait_until_read()
    for one in answerings:
        await judge_response(world, one)


async def judge_response(world, one):
    """The client's first response, then that a probe on the same connection gets its own answer if it gets one."""
    try:
        response = await asyncio.wait_for(one.client.take_response(one.case.method == "HEAD"), world.patience_s)
        one.client.send(PROBE)
        await asyncio.wait_for(one.client.ended, world.patience_s)
        after = await one.client.take_response()
    except strict_reader.Malformed as wrong:
        world.fail(one, f"{wrong} in what the client got: {one.client.data[:300]!r}")
        return
    except asyncio.TimeoutError:
        world.patience_s = 1
        world.fail(one, f"not closed; got {one.client.data[:300]!r}")
        return
    wrong = what_is_wrong_with(one, response) or (
        after and b" GET /probe " not in after.body and f"the probe got {after.body!r}"
    )
    if wrong:
        world.fail(one, wrong)


def what_is_wrong_with(one, response):
    outcome = one.case.outcome
    if not response:
        return None if outcome == "cut" else f"wanted {outcome}, got an incomplete message: {one.client.data[:300]!r}"
    if str(response.status) != ("502" if outcome == "cut" else outcome):
        return f"wanted {outcome}, got {response.status} {response.body[:300]!r}"
    if one.case.kind in ("wellformed", "extra") and response.body != one.case.body:
        return f"wanted {one.case.body!r}, got {response.body[:300]!r}"
    return None


def test_whole_responses_that_are_not_sound_become_502_and_never_poison_another_client(proxy):  # noqa: F811
    world = World(proxy, "defensive")

    async def steps():
        for case in corpus_file.read_responses():
            await answer_all(world, [(case, [case.data])])
            await world.clients.ask_innocently()

    world.run(steps)


def test_responses_byte_by_byte_have_the_same_outcome(proxy):  # noqa: F811
    world = World(proxy, "defensive")
    short = [case for case in corpus_file.read_responses() if len(case.data) <= SHORT_BYTES]
    short.sort(key=lambda case: len(case.data))

    async def steps():
        for batch in in_batches(short[::4] if SANITIZED else short):
            await answer_all(
                world, [(case, [case.data[i : i + 1] for i in range(len(case.data))] or [b""]) for case in batch]
            )
            await world.clients.ask_innocently()

    world.run(steps)


def test_responses_split_at_every_byte_have_the_same_outcome(proxy):  # noqa: F811
    world = World(proxy, "defensive")
    sample = [case for case in corpus_file.read_responses() if len(case.data) <= SHORT_BYTES][:: 40 if SANITIZED else 4]
    splits = [(case, pieces_at(case.data, cut)) for case in sample for cut in range(1, len(case.data))]

    async def steps():
        for batch in in_batches(splits):
            await answer_all(world, batch)
            await world.clients.ask_innocently()

    world.run(steps)
