"""One fixed conversation with the proxy, of requests of all kinds, and what it must say: to be held again and again
while something underneath fails."""
import os
import zlib

import pytest

from proxy_alone import ProxyAlone, fields, status

BIG = bytes(range(251)) * 400  # 100 kB: more than any one buffer
HUGE = BIG * 5  # moved inside the kernel


def answer_all_kinds(peer, up):
    """An endpoint: /echo gives back what it gets, framed alike; /big, /chunked, /until-close what their names say."""
    while True:
        head = peer.take_head()
        if not head:
            return
        found = fields(head)
        method, target = head.split(b" ")[:2]
        body = b"nothing"
        if "transfer-encoding" in found:
            body = peer.take_chunked()
        elif "content-length" in found:
            body = peer.take(int(found["content-length"][0]))
        if target.startswith(b"/big"):
            body = BIG
        if target.startswith(b"/huge"):
            body = HUGE
        if target.startswith(b"/until-close"):
            peer.send(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nuntil close")
            return
        if target.startswith(b"/chunked") or "transfer-encoding" in found:
            pieces = [body[at:at + 50000] for at in range(0, len(body), 50000)]
            peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" +
                      b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n")
            continue
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), b"" if method == b"HEAD" else body))


def chunked(body, size):
    pieces = [body[at:at + size] for at in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


REQUESTS = [
    ("get", b"GET /a HTTP/1.1\r\nHost: web\r\n\r\n"),
    ("post", b"POST /echo HTTP/1.1\r\nHost: web\r\nContent-Length: 5\r\n\r\nhello"),
    ("post chunked",
     b"POST /echo HTTP/1.1\r\nHost: web\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked(b"abc" * 900, 700)),
    ("head", b"HEAD /a HTTP/1.1\r\nHost: web\r\n\r\n"),
    ("large answer", b"GET /big HTTP/1.1\r\nHost: web\r\n\r\n"),
    ("large upload", b"PUT /echo HTTP/1.1\r\nHost: web\r\nContent-Length: %d\r\n\r\n%s" % (len(BIG), BIG)),
    ("large chunked upload",
     b"PUT /echo HTTP/1.1\r\nHost: web\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked(BIG, 9999)),
    ("chunked answer", b"GET /chunked HTTP/1.1\r\nHost: web\r\n\r\n"),
    ("no route", b"GET /a HTTP/1.1\r\nHost: nobody\r\n\r\n"),
    ("long head", b"GET /a HTTP/1.1\r\nHost: web\r\nCookie: " + b"c" * 20000 + b"\r\n\r\n"),
    ("old client", b"GET /a HTTP/1.0\r\nHost: web\r\n\r\n"),
    ("until close", b"GET /until-close HTTP/1.1\r\nHost: web\r\n\r\n"),
    ("malformed", b"GET /a HTTP/1.1\r\nHost : web\r\n\r\n"),
]
HUGE_REQUESTS = [
    ("huge answer", b"GET /huge HTTP/1.1\r\nHost: web\r\n\r\n"),
    ("huge upload", b"PUT /echo HTTP/1.1\r\nHost: web\r\nContent-Length: %d\r\n\r\n%s" % (len(HUGE), HUGE)),
]
ROUTES = [{"host": "web", "path": "/", "service": "web"}]
# No time-out may strike because a thread of the test was slow: that would look like one more request that failed. That of
# responses is all the same as short as this allows: an upload whose pipe breaks ends only with it.
QUICK = {"timeouts": {"headMs": 20000, "bodyMs": 20000, "connectMs": 20000, "responseMs": 6000, "drainMs": 3000}}
PATIENCE_S = 60  # longer than any of them
NAMES = [name for name, _ in REQUESTS]
HUGE_NAMES = [name for name, _ in HUGE_REQUESTS]


def body_of(name):
    bodies = {"post": b"hello", "post chunked": b"abc" * 900, "large answer": BIG, "large upload": BIG,
              "large chunked upload": BIG, "huge answer": HUGE, "huge upload": HUGE,
              "until close": b"until close", "head": b""}
    return bodies.get(name, b"nothing")


# (status, body); no body: an own answer, whatever it says
EXPECTED = {name: (200, body_of(name)) for name in NAMES + HUGE_NAMES}
EXPECTED["no route"] = (404, None)
EXPECTED["malformed"] = (400, None)


def take_answer(peer, is_head):
    """(status, body), or None when the connection ended before the answer was complete."""
    try:
        head = peer.take_head()
        if not head:
            return None
        found, body = fields(head), b""
        if "transfer-encoding" in found:
            body = peer.take_chunked()
        elif "content-length" in found and not is_head:
            body = peer.take(int(found["content-length"][0]))
            if len(body) < int(found["content-length"][0]):
                return None
        elif not is_head:
            body = peer.take_rest()
        return status(head), body, found.get("connection", [""])[0] == "close"
    except (EOFError, ConnectionError):
        return None


def ask(proxy, request, peer=None, timeout_s=PATIENCE_S):
    """((status, body) or None, the connection for the next request or None). A connection that has been used is given
    up when it is closed; a hang is an error (socket.timeout)."""
    try:
        peer = peer or proxy.connect()
    except ConnectionError:
        return None, None
    peer.sock.settimeout(timeout_s)
    try:
        peer.send(request)
    except ConnectionError:
        pass  # it may have been answered early all the same
    answer = take_answer(peer, request.startswith(b"HEAD"))
    if answer is None or answer[2]:
        peer.close()
        peer = None
    return answer and answer[:2], peer


def ask_at_once(proxy, count, timeout_s):
    """So many uploads under way at the same time, each on a connection of its own: as many of all objects at once."""
    peers, answers = [], []
    for _ in range(count):
        try:
            peers.append(proxy.connect())
            peers[-1].sock.settimeout(timeout_s)
            peers[-1].send(b"POST /echo HTTP/1.1\r\nHost: web\r\nContent-Length: 5\r\n\r\nhel")
        except ConnectionError:
            pass
    for peer in peers:
        try:
            peer.send(b"lo")
        except ConnectionError:
            pass
    for peer in peers:
        answers.append(take_answer(peer, False))
        peer.close()
    return [answer and answer[:2] for answer in answers] + [None] * (count - len(answers))


def converse(proxy, timeout_s=PATIENCE_S, requests=tuple(HUGE_REQUESTS + REQUESTS)):
    """What became of each request: name -> "right" or "refused" (an own 5xx, or closed before the answer was whole)."""
    outcome = {f"at once {i}": judge("post", answer) for i, answer in enumerate(ask_at_once(proxy, 4, timeout_s))}
    peer = None
    for name, request in requests:
        answer, peer = ask(proxy, request, peer, timeout_s)
        outcome[name] = judge(name, answer)
    if peer:
        peer.close()
    return outcome


def judge(name, answer):
    right_status, right_body = EXPECTED[name]
    if answer is None or answer[0] in (502, 503, 504, 408):
        return "refused"
    assert answer[0] == right_status, f"{name}: answered wrongly: {answer[0]} {answer[1][:60]}"
    assert right_body is None or answer[1] == right_body, \
        f"{name}: body of {len(answer[1])} bytes, adler32 {zlib.adler32(answer[1])}, is not that of the endpoint"
    return "right"


def wait_until_served(proxy):
    answer, peer = ask(proxy, b"GET /none HTTP/1.1\r\nHost: nobody\r\nConnection: close\r\n\r\n")
    assert answer and answer[0] == 404 and peer is None


@pytest.fixture
def start(tmp_path):
    """start(port, faults) -> the proxy with the shim in it, its faults disarmed; stopped after the test."""
    made = []

    def make(port, faults, **options):
        options = {"settings": QUICK, "routes": ROUTES, **options}
        proxy = ProxyAlone(tmp_path, [port], preexec=lambda: os.environ.update(faults.environment), **options)
        made.append((proxy, faults))
        wait_until_served(proxy)
        return proxy

    yield make
    for proxy, faults in made:
        faults.disarm()
        proxy.stop()
