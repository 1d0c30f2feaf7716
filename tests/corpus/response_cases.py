"""What a broken or hostile task answers, and well-formed answers beside it that must go through.

To add one: a line add("where/what", b"bytes", CLASS) in the section it belongs to, then ./generate.py."""
from corpus_file import Response
from request_cases import BAD_ANYWHERE, BLANKS, BREAKS, CHUNK_SIZES, DELIMITERS, LENGTHS, NOT_ASCII, TRANSFER_CODINGS

WELLFORMED, MALFORMED, REFUSED, TRUNCATED, EXTRA = "wellformed", "malformed", "refused", "truncated", "extra"
POISON = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison"  # must never reach a client

made = []


def add(name, data, kind, outcome=None, method="GET", body=b"", end="open"):
    outcome = outcome or {WELLFORMED: "200", MALFORMED: "502", REFUSED: "502", TRUNCATED: "cut", EXTRA: "200"}[kind]
    made.append(Response(name, kind, method, outcome, body, data, end))


def head(*fields, line=b"HTTP/1.1 200 OK"):
    return line + b"\r\n" + b"".join(field + b"\r\n" for field in fields) + b"\r\n"


def ok(*fields, body=b"hello"):
    return head(*fields, b"Content-Length: %d" % len(body)) + body


def chunked(body):
    return head(b"Transfer-Encoding: chunked") + body


def status_lines():
    rest = b"\r\nContent-Length: 5\r\n\r\nhello"
    for name, line in (
        ("not-http", b"hello world"),
        ("ssh", b"SSH-2.0-OpenSSH_9.2"),
        ("request", b"GET / HTTP/1.1"),
        ("lower-case", b"http/1.1 200 OK"),
        ("2.0", b"HTTP/2.0 200 OK"),
        ("0.9", b"HTTP/0.9 200 OK"),
        ("1.10", b"HTTP/1.10 200 OK"),
        ("icy", b"ICY 200 OK"),
        ("two-digits", b"HTTP/1.1 20 OK"),
        ("four-digits", b"HTTP/1.1 2000 OK"),
        ("letters", b"HTTP/1.1 2xx OK"),
        ("status-000", b"HTTP/1.1 000 OK"),
        ("status-099", b"HTTP/1.1 099 OK"),
        ("status-600", b"HTTP/1.1 600 OK"),
        ("status-999", b"HTTP/1.1 999 OK"),
        ("sign", b"HTTP/1.1 +20 OK"),
        ("negative", b"HTTP/1.1 -20 OK"),
        ("no-status", b"HTTP/1.1"),
        ("no-status-space", b"HTTP/1.1 "),
        ("reason-only", b"HTTP/1.1 OK"),
        ("two-spaces", b"HTTP/1.1  200 OK"),
        ("tab", b"HTTP/1.1\t200 OK"),
        ("no-space", b"HTTP/1.1200 OK"),
        ("comma", b"HTTP/1.1 200,OK"),
        ("leading-space", b" HTTP/1.1 200 OK"),
        ("empty", b""),
        ("leading-zero", b"HTTP/1.1 0200 OK"),
        ("hex", b"HTTP/1.1 0xc8 OK"),
        ("byte-order-mark", b"\xef\xbb\xbfHTTP/1.1 200 OK"),
    ):
        add(f"status-line/{name}", line + rest, MALFORMED)
    for name, byte in {**BAD_ANYWHERE, **BREAKS}.items():
        add(f"status-line/{name}-in-reason", b"HTTP/1.1 200 O%cK" % byte + rest, MALFORMED)
        add(f"status-line/{name}-in-version", b"HTTP/1.%c1 200 OK" % byte + rest, MALFORMED)
        add(f"status-line/{name}-in-status", b"HTTP/1.1 2%c00 OK" % byte + rest, MALFORMED)
    add("status-line/tls-alert", b"\x15\x03\x01\x00\x02\x02\x46", MALFORMED)
    add("status-line/zeros", b"\0" * 40, MALFORMED)
    add("status-line/no-reason", b"HTTP/1.1 200" + rest, WELLFORMED, body=b"hello")
    add("status-line/empty-reason", b"HTTP/1.1 200 " + rest, WELLFORMED, body=b"hello")
    add("status-line/non-ascii-reason", b"HTTP/1.1 200 d\xe9j\xe0" + rest, WELLFORMED, body=b"hello")
    add("status-line/long-reason", b"HTTP/1.1 200 " + b"x" * 2000 + rest, WELLFORMED, body=b"hello")
    add("status-line/unknown-status", b"HTTP/1.1 299 Odd" + rest, WELLFORMED, "299", body=b"hello")
    add("status-line/599", b"HTTP/1.1 599 Odd" + rest, WELLFORMED, "599", body=b"hello")
    add("status-line/http-1.0", b"HTTP/1.0 200 OK" + rest, WELLFORMED, body=b"hello")
    add("status-line/endless", b"HTTP/1.1 200 " + b"x" * 70000, MALFORMED)


def field_sections():
    for name, byte in {**BAD_ANYWHERE, **NOT_ASCII, **BREAKS, **BLANKS, **DELIMITERS}.items():
        if name != "colon":
            add(f"field-name/{name}-inside", ok(b"X-%cA: b" % byte), MALFORMED)
            add(f"field-name/{name}-last", ok(b"X-A%c: b" % byte), MALFORMED)
    for name, byte in {**BAD_ANYWHERE, **BREAKS}.items():
        add(f"field-value/{name}-inside", ok(b"X-A: b%cc" % byte), MALFORMED)
    for name, line in (
        ("empty-name", b": b"),
        ("no-colon", b"X-A b"),
        ("folded", b"X-A: b\r\n c"),
        ("folded-tab", b"X-A: b\r\n\tc"),
        ("folded-first", b" X-A: b"),
        ("lf-line-hides-length", b"X-A: b\nContent-Length: 0"),
        ("set-cookie-lf", b"Set-Cookie: a=b\nSet-Cookie: c=d"),
        ("connection-quoted", b'Connection: "close"'),
        ("connection-space", b"Connection: keep alive"),
    ):
        add(f"field/{name}", ok(line), MALFORMED)
    for end_name, end in (("lf", b"\n"), ("cr", b"\r"), ("lf-cr", b"\n\r"), ("cr-cr-lf", b"\r\r\n")):
        add(f"line-end/{end_name}-everywhere", ok().replace(b"\r\n", end) + b"\r\n\r\n", MALFORMED)
        add(f"line-end/{end_name}-behind-status-line", ok().replace(b"\r\n", end, 1), MALFORMED)
        add(f"line-end/{end_name}-as-empty-line", head(b"Content-Length: 5")[:-2] + end + b"hello\r\n\r\n", MALFORMED)
    add("limits/too-many-fields", ok(*[b"A: b"] * 101), MALFORMED)
    add("limits/large-head", ok(b"A: " + b"b" * 70000), MALFORMED)
    add("limits/endless-name", b"HTTP/1.1 200 OK\r\n" + b"A" * 70000, MALFORMED)
    add("field/underscore", ok(b"x_a: b"), WELLFORMED, body=b"hello")
    add("field/connection-nominates", ok(b"Connection: X-A", b"X-A: b"), WELLFORMED, body=b"hello")
    add("field/connection-nominates-length", ok(b"Connection: Content-Length"), WELLFORMED, body=b"hello")
    add("field/non-ascii-value", ok(b"X-A: \xe9"), WELLFORMED, body=b"hello")
    add("field/100", ok(*[b"A: b"] * 99), WELLFORMED, body=b"hello")


def framings():
    for name, value in LENGTHS:
        add(f"length/{name}", head(b"Content-Length: " + value) + b"hello", MALFORMED)
    for name, lines in (
        ("different", (b"Content-Length: 5", b"Content-Length: 6")),
        ("equal", (b"Content-Length: 5", b"Content-Length: 5")),
        ("equal-list", (b"Content-Length: 5, 5",)),
        ("zero-and-five", (b"Content-Length: 0", b"Content-Length: 5")),
        ("different-case", (b"Content-Length: 5", b"content-length: 6")),
        ("second-empty", (b"Content-Length: 5", b"Content-Length:")),
    ):
        add(f"length/twice-{name}", head(*lines) + b"hello", MALFORMED)
    for name, lines, _ in TRANSFER_CODINGS:
        add(f"coding/{name}", head(*lines) + b"5\r\nhello\r\n0\r\n\r\n", MALFORMED)
    for name, lines in (
        ("length-and-coding", (b"Content-Length: 5", b"Transfer-Encoding: chunked")),
        ("coding-and-length", (b"Transfer-Encoding: chunked", b"Content-Length: 5")),
        ("length-0-and-coding", (b"Content-Length: 0", b"Transfer-Encoding: chunked")),
        ("length-and-identity", (b"Content-Length: 5", b"Transfer-Encoding: identity")),
    ):
        add(f"smuggle/{name}", head(*lines) + b"5\r\nhello\r\n0\r\n\r\n" + POISON, MALFORMED)
    add(
        "coding/1.0",
        head(b"Transfer-Encoding: chunked", line=b"HTTP/1.0 200 OK") + b"5\r\nhello\r\n0\r\n\r\n",
        MALFORMED,
    )
    add("length/plain", ok(), WELLFORMED, body=b"hello")
    add("length/zero", ok(body=b""), WELLFORMED)
    add("length/head-request", head(b"Content-Length: 5"), WELLFORMED, method="HEAD")
    add("coding/head-request", head(b"Transfer-Encoding: chunked"), WELLFORMED, method="HEAD")
    add(
        "coding/upper-case", head(b"Transfer-Encoding: CHUNKED") + b"5\r\nhello\r\n0\r\n\r\n", WELLFORMED, body=b"hello"
    )
    add("until-close/1.1", head() + b"hello", WELLFORMED, body=b"hello", end="close")
    add("until-close/1.0", head(line=b"HTTP/1.0 200 OK") + b"hello", WELLFORMED, body=b"hello", end="close")
    add("until-close/empty", head(), WELLFORMED, end="close")
    add("until-close/looks-like-a-response", head() + POISON, WELLFORMED, body=POISON, end="close")
    add("until-close/reset", head() + b"hello", TRUNCATED, end="reset")


def chunks():
    end = b"0\r\n\r\n"
    for name, size in CHUNK_SIZES:
        if name != "fraction":
            add(f"chunk-size/{name}", chunked(size + b"\r\nhello\r\n" + end), MALFORMED, "cut")
            add(f"chunk-size/{name}-later", chunked(b"3\r\nabc\r\n" + size + b"\r\nhello\r\n" + end), MALFORMED, "cut")
    for name, body in (
        ("size-lf", b"5\nhello\r\n0\r\n\r\n"),
        ("data-lf", b"5\r\nhello\n0\r\n\r\n"),
        ("data-longer", b"5\r\nhello!\r\n0\r\n\r\n"),
        ("data-shorter", b"5\r\nhell\r\n0\r\n\r\n"),
        ("last-lf", b"5\r\nhello\r\n0\n\r\n"),
        ("final-lf", b"5\r\nhello\r\n0\r\n\n"),
        ("two-bytes-instead", b"5\r\nhelloXX0\r\n\r\n"),
        ("no-chunks-at-all", b"hello"),
        ("extension-nul", b"5;a=\0\r\nhello\r\n0\r\n\r\n"),
        ("extension-lf", b"5;a\nhello\r\n0\r\n\r\n"),
        ("extension-cr", b"5;a\rb\r\nhello\r\n0\r\n\r\n"),
        ("extension-too-large", b"5;" + b"a" * 17000 + b"\r\nhello\r\n0\r\n\r\n"),
        ("trailer-no-colon", b"5\r\nhello\r\n0\r\nA b\r\n\r\n"),
        ("trailer-folded", b"5\r\nhello\r\n0\r\nA: b\r\n c\r\n\r\n"),
        ("trailer-nul", b"5\r\nhello\r\n0\r\nA: \0\r\n\r\n"),
        ("trailer-lf", b"5\r\nhello\r\n0\r\nA: b\n\r\n"),
        ("trailer-too-large", b"5\r\nhello\r\n0\r\nA: " + b"b" * 9000 + b"\r\n\r\n"),
    ):
        add(f"chunk/{name}", chunked(body), MALFORMED, "cut")
    for name, body in (
        ("one", b"5\r\nhello\r\n" + end),
        ("two", b"2\r\nhe\r\n3\r\nllo\r\n" + end),
        ("extension", b"5;a=b\r\nhello\r\n" + end),
        ("trailer", b"5\r\nhello\r\n0\r\nX-Checksum: a\r\n\r\n"),
        ("zeros", b"0005\r\nhello\r\n0000\r\n\r\n"),
    ):
        add(f"chunk/{name}", chunked(body), WELLFORMED, body=b"hello")
    add("chunk/empty", chunked(end), WELLFORMED)
    for name, cut in (
        ("nothing", b""),
        ("size", b"5"),
        ("size-line", b"5\r\n"),
        ("data", b"5\r\nhel"),
        ("chunk", b"5\r\nhello\r\n"),
        ("last-size", b"5\r\nhello\r\n0"),
        ("last-line", b"5\r\nhello\r\n0\r\n"),
        ("last-cr", b"5\r\nhello\r\n0\r\n\r"),
    ):
        for how in ("close", "reset"):
            add(f"chunk-cut/{how}-behind-{name}", chunked(cut), TRUNCATED, end=how)


def cuts():
    for how in ("close", "reset"):
        add(f"cut/{how}-without-a-byte", b"", TRUNCATED, "502", end=how)
        add(f"cut/{how}-in-version", b"HTTP/1", TRUNCATED, "502", end=how)
        add(f"cut/{how}-in-status-line", b"HTTP/1.1 20", TRUNCATED, "502", end=how)
        add(f"cut/{how}-in-field", b"HTTP/1.1 200 OK\r\nContent-Le", TRUNCATED, "502", end=how)
        add(f"cut/{how}-before-empty-line", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n", TRUNCATED, "502", end=how)
        add(f"cut/{how}-before-body", head(b"Content-Length: 5"), TRUNCATED, end=how)
        add(f"cut/{how}-in-body", head(b"Content-Length: 5") + b"hel", TRUNCATED, end=how)
        add(f"cut/{how}-behind-interim", b"HTTP/1.1 103 Early Hints\r\n\r\n", TRUNCATED, "502", end=how)


def too_much():
    add("extra/response-behind-length", ok() + POISON, EXTRA, body=b"hello")
    add("extra/response-behind-empty", ok(body=b"") + POISON, EXTRA)
    add("extra/response-behind-chunked", chunked(b"5\r\nhello\r\n0\r\n\r\n") + POISON, EXTRA, body=b"hello")
    add("extra/response-behind-204", head(line=b"HTTP/1.1 204 No Content") + POISON, EXTRA, "204")
    add(
        "extra/response-behind-304",
        head(b"Content-Length: 6", line=b"HTTP/1.1 304 Not Modified") + POISON,
        EXTRA,
        "304",
    )
    add(
        "extra/body-behind-204-with-length",
        head(b"Content-Length: 5", line=b"HTTP/1.1 204 No Content") + b"hello",
        EXTRA,
        "204",
    )
    add(
        "extra/body-behind-204-chunked",
        head(b"Transfer-Encoding: chunked", line=b"HTTP/1.1 204 No Content") + b"5\r\nhello\r\n0\r\n\r\n",
        EXTRA,
        "204",
    )
    add("extra/body-behind-304", head(b"Content-Length: 5", line=b"HTTP/1.1 304 Not Modified") + b"hello", EXTRA, "304")
    add("extra/body-behind-head-request", ok(), EXTRA, method="HEAD")
    add("extra/response-behind-head-request", head(b"Content-Length: 6") + POISON, EXTRA, method="HEAD")
    add("extra/chunks-behind-head-request", chunked(b"5\r\nhello\r\n0\r\n\r\n"), EXTRA, method="HEAD")
    add("extra/one-byte", ok() + b"!", EXTRA, body=b"hello")
    add("extra/crlf", ok() + b"\r\n", EXTRA, body=b"hello")
    add("extra/interim-behind", ok() + b"HTTP/1.1 100 Continue\r\n\r\n", EXTRA, body=b"hello")


def interims():
    final = ok()
    for name, first in (
        ("100", b"HTTP/1.1 100 Continue\r\n\r\n"),
        ("103", b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"),
        ("102", b"HTTP/1.1 102 Processing\r\n\r\n"),
        ("199", b"HTTP/1.1 199 Odd\r\n\r\n"),
        ("103-with-length", b"HTTP/1.1 103 Early Hints\r\nContent-Length: 5\r\n\r\n"),
    ):
        add(f"interim/{name}", first + final, WELLFORMED, body=b"hello")
    add("interim/three", b"HTTP/1.1 103 Early Hints\r\n\r\n" * 3 + final, WELLFORMED, body=b"hello")
    add("interim/flood", b"HTTP/1.1 103 Early Hints\r\n\r\n" * 200 + final, REFUSED, "cut")
    add("interim/malformed-final", b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 2 OK\r\n\r\n", MALFORMED)
    add("interim/malformed", b"HTTP/1.1 103 Early Hints\r\nA b\r\n\r\n" + final, MALFORMED)
    add(
        "interim/coding-and-length",
        b"HTTP/1.1 103 Early Hints\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n" + final,
        MALFORMED,
    )
    add(
        "switch/unsolicited",
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
        REFUSED,
    )
    add("switch/without-upgrade", b"HTTP/1.1 101 Switching Protocols\r\n\r\n", REFUSED)
    add("switch/to-h2c", b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n", REFUSED)


def cases():
    for section in (status_lines, field_sections, framings, chunks, cuts, too_much, interims):
        section()
    return made
