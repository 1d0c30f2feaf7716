"""Requests that recipients read differently, or should refuse, and those beside them that must go through.

To add one: a line add("where/what", b"bytes", CLASS) in the section it belongs to, then ./generate.py. Outcomes
follow from the class; name those that differ: status=501 for another refusal, served="200!" for another answer, each
mode by its name."""
from corpus_file import Request

COMPLIANT, ACCEPTABLE, AMBIGUOUS, SEVERE = "compliant", "acceptable", "ambiguous", "severe"
MALFORMED, INCOMPLETE = "malformed", "incomplete"

HOST = b"Host: example.com\r\n"
HIDDEN = b"GET /smuggled HTTP/1.1\r\nHost: evil.example\r\n\r\n"  # must never reach a task as a request

BAD_ANYWHERE = {
    "nul": 0x00,
    "soh": 0x01,
    "bell": 0x07,
    "backspace": 0x08,
    "vertical-tab": 0x0B,
    "form-feed": 0x0C,
    "escape": 0x1B,
    "unit-separator": 0x1F,
    "delete": 0x7F,
}
NOT_ASCII = {"x80": 0x80, "nel-x85": 0x85, "nbsp-xa0": 0xA0, "latin-xe9": 0xE9, "xff": 0xFF}
BREAKS = {"bare-cr": 0x0D, "bare-lf": 0x0A}
BLANKS = {"space": 0x20, "tab": 0x09}
UNENCODED = {
    "quote": 0x22,
    "less": 0x3C,
    "greater": 0x3E,
    "open-bracket": 0x5B,
    "close-bracket": 0x5D,
    "backslash": 0x5C,
    "caret": 0x5E,
    "backtick": 0x60,
    "open-brace": 0x7B,
    "close-brace": 0x7D,
    "pipe": 0x7C,
}
DELIMITERS = {
    "quote": 0x22,
    "parenthesis": 0x28,
    "comma": 0x2C,
    "slash": 0x2F,
    "colon": 0x3A,
    "semicolon": 0x3B,
    "less": 0x3C,
    "equals": 0x3D,
    "greater": 0x3E,
    "question": 0x3F,
    "at": 0x40,
    "bracket": 0x5B,
    "backslash": 0x5C,
    "brace": 0x7B,
}

made = []


def add(name, data, kind, status="400", served="200", target="=", body=b"", **outcomes):
    """status: of a refusal. served: where it goes through. Of single modes: monitor=, defensive=, strictest=."""
    refused = f"{status}!"
    modes = {
        COMPLIANT: (served, served, served),
        ACCEPTABLE: (served, served, "400!"),
        AMBIGUOUS: ("200?", "200!", "400!"),
        SEVERE: ("200?", "400!", "400!"),
        MALFORMED: (refused, refused, refused),
        INCOMPLETE: ("-", "-", "-"),
    }[kind]
    defaults = dict(zip(("monitor", "defensive", "strictest"), modes))
    made.append(
        Request(name, kind, *[outcomes.get(mode, default) for mode, default in defaults.items()], target, body, data)
    )


def head(*fields, line=b"GET /case HTTP/1.1", host=HOST):
    return line + b"\r\n" + host + b"".join(field + b"\r\n" for field in fields) + b"\r\n"


def post(*fields, body=b"", version=b"1.1"):
    return head(*fields, line=b"POST /case HTTP/" + version) + body


def chunked(body):
    return post(b"Transfer-Encoding: chunked", body=body)


def line_ends():
    text = head(b"A: b")
    for name, end in (
        ("lf", b"\n"),
        ("cr", b"\r"),
        ("lf-cr", b"\n\r"),
        ("cr-cr-lf", b"\r\r\n"),
        ("nul", b"\0"),
        ("nel", b"\x85"),
        ("vertical-tab-lf", b"\v\n"),
    ):
        add(f"line-end/{name}-everywhere", text.replace(b"\r\n", end) + b"\r\n\r\n", MALFORMED)
        add(f"line-end/{name}-behind-request-line", text.replace(b"\r\n", end, 1), MALFORMED)
        add(f"line-end/{name}-behind-host", text.replace(b"com\r\n", b"com" + end), MALFORMED)
        if name != "nel":  # which is a part of the value there
            add(f"line-end/{name}-behind-last-field", text.replace(b"A: b\r\n", b"A: b" + end) + b"\r\n", MALFORMED)
        add(f"line-end/{name}-as-empty-line", text[:-2] + end + b"\r\n", MALFORMED)
    add("line-end/lf-lf-ends-the-head-for-some", b"GET /case HTTP/1.1\r\n" + HOST + b"A: b\n\n" + HIDDEN, MALFORMED)
    add("line-end/cr-lf-cr-and-then-something", b"GET /case HTTP/1.1\r\n" + HOST + b"\rX\r\n\r\n", MALFORMED)


def before_the_request():
    add("leading/one-empty-line", b"\r\n" + head(), ACCEPTABLE)
    add("leading/two-empty-lines", b"\r\n\r\n" + head(), MALFORMED)
    add("leading/ten-empty-lines", b"\r\n" * 10 + head(), MALFORMED)
    add("leading/bare-lf", b"\n" + head(), MALFORMED)
    add("leading/bare-cr", b"\r" + head(), MALFORMED)
    add("leading/space", b" " + head(), MALFORMED)
    add("leading/tab", b"\t" + head(), MALFORMED)
    add("leading/nul", b"\0" + head(), MALFORMED)
    add("leading/byte-order-mark", b"\xef\xbb\xbf" + head(), MALFORMED)
    add("leading/space-line", b" \r\n" + head(), MALFORMED)
    add("leading/chunk-rest", b"0\r\n\r\n" + head(), MALFORMED)
    add("leading/empty-line-alone", b"\r\n", INCOMPLETE)
    add("pipelined/empty-line-between", head() + b"\r\n" + head(), ACCEPTABLE, served="200 200", strictest="200 400!")
    add("pipelined/two", head() + head(line=b"GET /case/2 HTTP/1.1"), COMPLIANT, served="200 200")
    add("pipelined/ten", head() * 10, COMPLIANT, served=" ".join(["200"] * 10))
    add(
        "pipelined/behind-length-body",
        post(b"Content-Length: 5", body=b"hello") + head(),
        COMPLIANT,
        served="200 200",
        body=b"hello",
    )
    add(
        "pipelined/behind-chunked-body",
        chunked(b"5\r\nhello\r\n0\r\n\r\n") + head(),
        COMPLIANT,
        served="200 200",
        body=b"hello",
    )
    add("pipelined/second-is-malformed", head() + b"GET /case\r\n\r\n", COMPLIANT, served="200 400!")
    add("pipelined/behind-connection-close", head(b"Connection: close") + HIDDEN, COMPLIANT, served="200!")
    add("pipelined/behind-http-1.0", head(line=b"GET /case HTTP/1.0") + HIDDEN, COMPLIANT, served="200!")


def not_http():
    add("protocol/tls-client-hello", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x07" * 32, MALFORMED)
    add("protocol/ssh", b"SSH-2.0-OpenSSH_9.2\r\n", MALFORMED)
    add("protocol/http2-preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", MALFORMED)
    add("protocol/proxy-protocol-v1", b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n" + head(), MALFORMED)
    add("protocol/proxy-protocol-v2", b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c" + b"\1" * 12 + head(), MALFORMED)
    add("protocol/response", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", MALFORMED)
    add("protocol/http-0.9", b"GET /case\r\n\r\n", MALFORMED)
    add("protocol/smtp", b"EHLO example.com\r\n", MALFORMED)
    add("protocol/zeros", b"\0" * 32, MALFORMED)


def methods():
    for name, byte in {**BAD_ANYWHERE, **NOT_ASCII, **BREAKS, "tab": 9, **DELIMITERS}.items():
        add(f"method/{name}-inside", head(line=b"GE%cT /case HTTP/1.1" % byte), MALFORMED)
    add("method/space-inside", head(line=b"GE T /case HTTP/1.1"), MALFORMED)
    add("method/empty", head(line=b" /case HTTP/1.1"), MALFORMED)
    add("method/alone", b"GET\r\n\r\n", MALFORMED)
    for name in (b"get", b"Get", b"FOO", b"M-SEARCH", b"PROPFIND", b"A", b"!#$%&'*+-.^_`|~", b"BREW" * 8):
        add(f"method/extension-{name.decode()}", head(line=name + b" /case HTTP/1.1"), COMPLIANT)
    for name in (b"HEAD", b"DELETE", b"OPTIONS"):
        add(f"method/{name.decode()}", head(line=name + b" /case HTTP/1.1"), COMPLIANT)
    for name in (b"PUT", b"PATCH", b"FOO"):
        add(
            f"method/{name.decode()}-with-body",
            head(b"Content-Length: 5", line=name + b" /case HTTP/1.1") + b"hello",
            COMPLIANT,
            body=b"hello",
        )
    add("method/trace", head(line=b"TRACE /case HTTP/1.1"), COMPLIANT, served="405")
    add("method/connect-authority", head(line=b"CONNECT example.com:443 HTTP/1.1") + HIDDEN, MALFORMED, status="501")
    add("method/connect-origin-form", head(line=b"CONNECT /case HTTP/1.1") + HIDDEN, MALFORMED, status="501")
    add(
        "method/connect-with-length",
        head(b"Content-Length: %d" % len(HIDDEN), line=b"CONNECT a:1 HTTP/1.1") + HIDDEN,
        MALFORMED,
        status="501",
    )
    for name in (b"GET", b"HEAD", b"DELETE", b"OPTIONS"):
        line = name + b" /case HTTP/1.1"
        add(
            f"method/{name.decode()}-with-length-body",
            head(b"Content-Length: 5", line=line) + b"hello",
            ACCEPTABLE,
            body=b"hello",
        )
        add(
            f"method/{name.decode()}-with-chunked-body",
            head(b"Transfer-Encoding: chunked", line=line) + b"5\r\nhello\r\n0\r\n\r\n",
            ACCEPTABLE,
            body=b"hello",
        )
        add(
            f"method/{name.decode()}-with-hidden-request",
            head(b"Content-Length: %d" % len(HIDDEN), line=line) + HIDDEN,
            ACCEPTABLE,
            body=HIDDEN,
        )
    add("method/GET-with-length-0", head(b"Content-Length: 0"), COMPLIANT)


def targets():
    def get(target):
        return head(line=b"GET " + target + b" HTTP/1.1")

    for name, byte in {**BAD_ANYWHERE, **BREAKS, "tab": 9}.items():
        add(f"target/{name}-in-path", get(b"/ca%cse" % byte), MALFORMED)
        add(f"target/{name}-in-query", get(b"/case?a=%cb" % byte), MALFORMED)
    for name, byte in {**NOT_ASCII, **UNENCODED}.items():
        add(f"target/{name}-in-path", get(b"/ca%cse" % byte), ACCEPTABLE, target=f"/ca%{byte:02X}se")
        seen = "=" if byte < 0x80 else f"/case?a%{byte:02X}b"
        add(f"target/{name}-in-query", get(b"/case?a%cb" % byte), ACCEPTABLE, target=seen)
    for name, bad in (
        ("fragment", b"/case#x"),
        ("fragment-behind-bracket", b"/[case#x"),
        ("fragment-in-query", b"/case?a#b"),
        ("fragment-in-query-behind-bracket", b"/case?[a#b"),
        ("relative", b"case"),
        ("empty-segment-of-another", b"?a"),
        ("dot", b"."),
        ("double-dot", b".."),
        ("semicolon", b";"),
    ):
        add(f"target/{name}", get(bad), MALFORMED)
    for name, bad in (
        ("encoded-nul", b"/a%00b"),
        ("encoded-nul-beside-slash", b"/a%2f%00b"),
        ("overlong-slash", b"/a%c0%afb"),
        ("overlong-dot", b"/%c0%ae%c0%ae/a"),
        ("overlong-three-bytes", b"/%e0%80%af"),
        ("overlong-four-bytes", b"/%f0%80%80%af"),
        ("overlong-slash-unencoded", b"/a\xc0\xafb"),
        ("dots-before-encoded-slash", b"/a/..%2fcase"),
        ("dots-before-encoded-backslash", b"/a/..%5ccase"),
        ("dots-before-backslash", b"/a/..\\case"),
        ("dots-behind-encoded-slash", b"/a/b%2f.."),
        ("dots-behind-encoded-backslash", b"/a/b%5c../case"),
        ("dots-between-encoded-slashes", b"/a/b%2f..%2f..%2fcase"),
        ("dot-between-encoded-slashes", b"/a/b%2f.%2fcase"),
        ("encoded-dots-before-encoded-slash", b"/a/%2e%2e%2fcase"),
        ("mixed-dots-before-encoded-slash", b"/a/.%2E%2Fcase"),
        ("above-root", b"/../case"),
        ("above-root-later", b"/a/../../case"),
        ("above-root-encoded", b"/%2e%2e/case"),
        ("above-root-mixed", b"/.%2E/case"),
    ):
        add(f"target/{name}", get(bad), MALFORMED)
    for name, sent, seen in (
        ("dot-segment", b"/a/./case", "/a/case"),
        ("dot-segments", b"/a/../case", "/case"),
        ("dot-segments-encoded", b"/a/%2e%2e/case", "/case"),
        ("dot-segment-last", b"/case/.", "/case/"),
        ("dot-segments-last", b"/case/x/..", "/case/"),
        ("unreserved-encoded", b"/%63ase", "/case"),
        ("encoding-lower-case", b"/case%c3%a9", "/case%C3%A9"),
        ("encoded-tilde", b"/%7ecase", "/~case"),
        ("percent-alone", b"/100%", "/100%25"),
        ("percent-one-digit", b"/a%4", "/a%254"),
        ("percent-not-hex", b"/a%4g", "/a%254g"),
        ("percent-u", b"/a%u002f", "/a%25u002f"),
        ("percent-sign", b"/a%+4", "/a%25+4"),
        ("percent-before-decoded", b"/a%%32fb", "/a%252fb"),
        ("brackets", b"/report[1].txt", "/report%5B1%5D.txt"),
        ("utf-8", b"/\xc3\xb6", "/%C3%B6"),
        ("bracket-in-dropped-segment", b"/a[/../case", "/case"),
    ):
        add(f"target/{name}", get(sent), ACCEPTABLE, target=seen)
    for name, sent in (
        ("root", b"/"),
        ("double-slash", b"//case"),
        ("double-slash-inside", b"/case//x"),
        ("three-dots", b"/case/..."),
        ("hidden-file", b"/.case"),
        ("encoding-upper-case", b"/case%C3%A9"),
        ("encoded-percent", b"/case%2525"),
        ("encoded-slash", b"/@scope%2fname"),
        ("encoded-slash-upper", b"/api/queues/%2F/q"),
        ("encoded-backslash", b"/a%5cb%5C"),
        ("twice-encoded-slash", b"/a%252fb"),
        ("twice-encoded-dots", b"/%252e%252e%252fcase"),
        ("encoded-question", b"/case%3Fx"),
        ("encoded-crlf", b"/case%0D%0Ax"),
        ("query", b"/case?a=b&c=d"),
        ("empty-query", b"/case?"),
        ("query-with-slash", b"/case?a=/../b"),
        ("query-with-encoded-slash", b"/case?a=%2f%00"),
        ("query-with-percent", b"/case?a=%"),
        ("semicolon-parameter", b"/case;a=b/c"),
        ("subdelims", b"/case!$&'()*+,=:@"),
        ("long", b"/case/" + b"x" * 4000),
    ):
        add(f"target/{name}", get(sent), COMPLIANT)
    add("target/query-with-brackets", get(b"/case?a[]={b|c}"), ACCEPTABLE)
    add("target/query-with-windows-path", get(b"/?p=C:\\x"), ACCEPTABLE)
    add("target/grows-too-long", get(b"/" + b"|" * 3000), MALFORMED, status="414")
    add("target/too-long", get(b"/" + b"x" * 8300), MALFORMED, status="414")
    add("target/too-long-query", get(b"/case?" + b"x" * 8300), MALFORMED, status="414")
    add("target/asterisk-options", head(line=b"OPTIONS * HTTP/1.1"), COMPLIANT)
    add("target/asterisk-get", get(b"*"), MALFORMED)
    add("target/asterisk-path", head(line=b"OPTIONS *a HTTP/1.1"), MALFORMED)
    add("target/authority-form", get(b"example.com:80"), MALFORMED)
    for name, sent, seen in (
        ("same", b"http://example.com/case", "/case"),
        ("without-path", b"http://example.com", "/"),
        ("query-only", b"http://example.com?a", "/?a"),
    ):
        add(f"target/absolute-{name}", get(sent), COMPLIANT, target=seen)
    add("target/absolute-other-host", get(b"http://other.example/case"), ACCEPTABLE, target="/case")
    add("target/absolute-other-port", get(b"http://example.com:81/case"), ACCEPTABLE, target="/case")
    add("target/absolute-without-host-1.1", head(line=b"GET http://example.com/case HTTP/1.1", host=b""), MALFORMED)
    add("target/absolute-options-asterisk", head(line=b"OPTIONS http://example.com HTTP/1.1"), COMPLIANT, target="*")
    for name, bad in (
        ("userinfo", b"http://u@example.com/"),
        ("userinfo-password", b"http://u:p@example.com/"),
        ("empty-host", b"http:///case"),
        ("no-slashes", b"http:/case"),
        ("ftp", b"ftp://example.com/"),
        ("file", b"file:///etc/passwd"),
        ("port-letters", b"http://example.com:x/"),
        ("port-too-large", b"http://example.com:65536/"),
        ("space-in-host", b"http://a b/"),
        ("encoded-host", b"http://ex%61mple.com/"),
        ("fragment", b"http://example.com/#x"),
        ("backslash", b"http://example.com\\@evil/"),
        ("open-bracket", b"http://[::1/"),
        ("above-root", b"http://example.com/.."),
    ):
        add(f"target/absolute-{name}", get(bad), MALFORMED)


def versions():
    for name, version, status in (
        ("2.0", b"HTTP/2.0", "505"),
        ("0.9", b"HTTP/0.9", "505"),
        ("3.0", b"HTTP/3.0", "505"),
        ("1.10", b"HTTP/1.10", "400"),
        ("01.1", b"HTTP/01.1", "400"),
        ("2", b"HTTP/2", "400"),
        ("lower", b"http/1.1", "400"),
        ("mixed", b"Http/1.1", "400"),
        ("space-after-slash", b"HTTP/ 1.1", "400"),
        ("no-slash", b"HTTP1.1", "400"),
        ("comma", b"HTTP/1,1", "400"),
        ("letters", b"HTTP/a.b", "400"),
        ("missing-minor", b"HTTP/1.", "400"),
        ("sign", b"HTTP/+1.1", "400"),
        ("shttp", b"SHTTP/1.1", "400"),
        ("icap", b"ICAP/1.0", "400"),
        ("trailing-space", b"HTTP/1.1 ", "400"),
        ("trailing-tab", b"HTTP/1.1\t", "400"),
        ("trailing-word", b"HTTP/1.1 x", "400"),
        ("empty", b"", "400"),
    ):
        add(f"version/{name}", head(line=b"GET /case " + version), MALFORMED, status=status)
    for name, byte in {**BAD_ANYWHERE, **NOT_ASCII, **BREAKS}.items():
        add(f"version/{name}-behind", head(line=b"GET /case HTTP/1.1%c" % byte), MALFORMED)
        add(f"version/{name}-before", head(line=b"GET /case %cHTTP/1.1" % byte), MALFORMED)
    add("request-line/two-spaces-before-target", head(line=b"GET  /case HTTP/1.1"), MALFORMED)
    add("request-line/two-spaces-before-version", head(line=b"GET /case  HTTP/1.1"), MALFORMED)
    add("request-line/tab-for-space", head(line=b"GET\t/case HTTP/1.1"), MALFORMED)
    add("request-line/tab-before-version", head(line=b"GET /case\tHTTP/1.1"), MALFORMED)
    add("request-line/space-in-target", head(line=b"GET /ca se HTTP/1.1"), MALFORMED)
    add("request-line/four-words", head(line=b"GET /case HTTP/1.1 HTTP/1.1"), MALFORMED)
    for minor in (b"2", b"9"):
        add(f"version/1.{minor.decode()}", head(line=b"GET /case HTTP/1." + minor), ACCEPTABLE)
    add("version/1.2-chunked", head(b"Transfer-Encoding: chunked", line=b"POST /case HTTP/1.2") + b"2\r\nhi\r\n0\r\n\r\n",
        ACCEPTABLE, body=b"hi")
    add("version/1.0", head(line=b"GET /case HTTP/1.0"), COMPLIANT, served="200!")
    add("version/1.0-keep-alive", head(b"Connection: keep-alive", line=b"GET /case HTTP/1.0"), COMPLIANT)
    add(
        "version/1.0-with-length",
        post(b"Content-Length: 5", body=b"hello", version=b"1.0"),
        COMPLIANT,
        served="200!",
        body=b"hello",
    )
    add("version/1.0-keep-alive-post-without-length", post(b"Connection: keep-alive", version=b"1.0"), AMBIGUOUS)
    add("version/1.0-post-without-length", post(version=b"1.0"), COMPLIANT, served="200!")
    add(
        "version/1.0-close-and-keep-alive",
        head(b"Connection: close, keep-alive", line=b"GET /case HTTP/1.0"),
        COMPLIANT,
        served="200!",
    )


def field_lines():
    for name, byte in {**BAD_ANYWHERE, **NOT_ASCII, **BREAKS, **BLANKS, **DELIMITERS}.items():
        if name != "colon":
            add(f"field-name/{name}-inside", head(b"X-%cA: b" % byte), MALFORMED)
            add(f"field-name/{name}-first", head(b"A: b", b"%cX-A: b" % byte), MALFORMED)
            add(f"field-name/{name}-last", head(b"X-A%c: b" % byte), MALFORMED)
    add("field-name/empty", head(b": b"), MALFORMED)
    add("field-name/space-only", head(b" : b"), MALFORMED)
    add("field-name/no-colon", head(b"X-A b"), MALFORMED)
    add("field-name/word-alone", head(b"X-A"), MALFORMED)
    add("field-name/long", head(b"X-" + b"a" * 1000 + b": b"), COMPLIANT)
    add("field-name/every-token-byte", head(b"!#$%&'*+-.^`|~: b"), COMPLIANT)
    add("field-name/underscore", head(b"x_a: b"), COMPLIANT)
    for name in (
        b"Content_Length: 5",
        b"Transfer_Encoding: chunked",
        b"x_forwarded_for: 1.2.3.4",
        b"X-Forwarded_For: 1.2.3.4",
        b"X_Real_Ip: 1.2.3.4",
        b"Host_: a",
    ):
        kind = COMPLIANT if name == b"Host_: a" else ACCEPTABLE
        add(f"field-name/alias-{name.split(b':')[0].decode()}", head(name), kind)
    add("field-name/alias-hides-request", head(b"Content_Length: %d" % len(HIDDEN)), ACCEPTABLE)
    for name, byte in {**BAD_ANYWHERE, **BREAKS}.items():
        add(f"field-value/{name}-inside", head(b"X-A: b%cc" % byte), MALFORMED)
        add(f"field-value/{name}-first", head(b"X-A:%cb" % byte), MALFORMED)
        add(f"field-value/{name}-last", head(b"X-A: b%c" % byte), MALFORMED)
    for name, byte in {**NOT_ASCII, **BLANKS, **DELIMITERS}.items():
        add(f"field-value/{name}-inside", head(b"X-A: b%cc" % byte), COMPLIANT)
    add("field-value/empty", head(b"X-A:"), COMPLIANT)
    add("field-value/blanks-only", head(b"X-A: \t "), COMPLIANT)
    add("field-value/no-space", head(b"X-A:b"), COMPLIANT)
    add("field-value/many-blanks-around", head(b"X-A:" + b" \t" * 40 + b"b" + b"\t " * 40), COMPLIANT)
    add("field-value/looks-like-request", head(b"X-A: GET /smuggled HTTP/1.1"), COMPLIANT)
    add("field-value/encoded-crlf", head(b"X-A: b%0d%0aX-B: c"), COMPLIANT)
    add("field-value/long", head(b"X-A: " + b"b" * 16000), COMPLIANT)
    for name, fold in (
        ("space", b"X-A: b\r\n c"),
        ("tab", b"X-A: b\r\n\tc"),
        ("empty", b"X-A: b\r\n "),
        ("hides-length", b"X-A: b\r\n Content-Length: 5"),
        ("of-length", b"Content-Length:\r\n 5"),
        ("of-coding", b"Transfer-Encoding:\r\n chunked"),
        ("of-host", b"Host:\r\n evil"),
    ):
        add(f"obs-fold/{name}", head(fold), MALFORMED)
    add("obs-fold/first-field", b"GET /case HTTP/1.1\r\n " + HOST + b"\r\n", MALFORMED)
    add("obs-fold/first-field-tab", b"GET /case HTTP/1.1\r\n\t" + HOST + b"\r\n", MALFORMED)
    add("obs-fold/behind-host", head(b" X-A: b"), MALFORMED)
    add("limits/100-fields", head(*[b"A: b"] * 99), COMPLIANT)
    add("limits/101-fields", head(*[b"A: b"] * 100), MALFORMED, status="431")
    add("limits/10000-fields", head(*[b"A: b"] * 10000), MALFORMED, status="431")
    add("limits/large-head", head(b"A: " + b"b" * 40000), MALFORMED, status="431")
    add("limits/endless-name", head(b"A" * 40000), MALFORMED, status="431")
    add("limits/endless-method", b"A" * 40000, MALFORMED, status="431")


def hosts():
    def with_host(*lines, version=b"1.1"):
        return head(line=b"GET /case HTTP/" + version, host=b"".join(line + b"\r\n" for line in lines))

    add("host/missing", with_host(), MALFORMED)
    add("host/missing-1.0", with_host(version=b"1.0"), ACCEPTABLE, served="200!")
    for version in (b"1.1", b"1.0"):
        at = f"host-{version.decode()}"
        add(f"{at}/empty", with_host(b"Host:", version=version), MALFORMED)
        add(f"{at}/twice-equal", with_host(b"Host: a", b"Host: a", version=version), MALFORMED)
        add(f"{at}/twice-different", with_host(b"Host: a", b"Host: b", version=version), MALFORMED)
        add(f"{at}/twice-in-other-case", with_host(b"Host: a", b"hOST: a", version=version), MALFORMED)
    for name, value in (
        ("list", b"a, b"),
        ("userinfo", b"u@a"),
        ("path", b"a/b"),
        ("scheme", b"http://a"),
        ("space", b"a b"),
        ("query", b"a?b"),
        ("fragment", b"a#b"),
        ("port-letters", b"a:b"),
        ("port-too-large", b"a:65536"),
        ("port-sign", b"a:+80"),
        ("port-negative", b"a:-1"),
        ("port-six-digits", b"a:000080"),
        ("two-ports", b"a:80:80"),
        ("colon-alone", b":"),
        ("port-alone", b":80"),
        ("bracket-open", b"[::1"),
        ("bracket-name", b"[a]"),
        ("bracket-empty", b"[]"),
        ("bracket-rest", b"[::1]a"),
        ("zone", b"[fe80::1%25eth0]"),
        ("percent", b"%61"),
        ("quote", b'"a"'),
        ("backslash", b"a\\b"),
        ("semicolon", b"a;b"),
        ("comma", b"a,b"),
        ("ipv6-without-brackets", b"::1"),
        ("asterisk", b"*"),
        ("less", b"<a>"),
        ("star-name", b"*.a"),
        ("crlf-encoded", b"a%0d%0a"),
    ):
        add(f"host/{name}", with_host(b"Host: " + value), MALFORMED)
    for name, byte in {**BAD_ANYWHERE, **NOT_ASCII, **BREAKS, "tab": 9}.items():
        add(f"host/{name}-inside", with_host(b"Host: a%cb" % byte), MALFORMED)
    for name, value in (
        ("port", b"example.com:80"),
        ("empty-port", b"example.com:"),
        ("upper-case", b"EXAMPLE.COM"),
        ("trailing-dot", b"example.com."),
        ("ipv4", b"127.0.0.1:8080"),
        ("ipv6", b"[::1]"),
        ("ipv6-port", b"[2001:db8::1]:8080"),
        ("underscore", b"a_b"),
        ("tilde", b"a~b"),
        ("long", b"a." * 500 + b"com"),
        ("blanks-around", b" \t example.com \t "),
    ):
        add(f"host/{name}", with_host(b"Host: " + value), COMPLIANT)
    for name, line in (
        ("space-before-colon", b"Host : a"),
        ("tab-before-colon", b"Host\t: a"),
        ("folded", b"Host: a\r\n b"),
        ("no-colon", b"Host a"),
    ):
        add(f"host/{name}", with_host(line), MALFORMED)
    add("host/second-with-space-before-colon", with_host(b"Host: a", b"Host : b"), MALFORMED)
    add("host/last-field", head(host=b"A: b\r\nHost: example.com\r\n"), COMPLIANT)
    add("host/nominated-by-connection", head(b"Connection: Host"), ACCEPTABLE)


LENGTHS = (
    ("plus", b"+5"),
    ("minus", b"-5"),
    ("hex", b"0x5"),
    ("octal-prefix", b"0o5"),
    ("exponent", b"5e0"),
    ("decimal", b"5.0"),
    ("decimal-dot", b"5."),
    ("underscore", b"1_0"),
    ("comma", b"5,"),
    ("leading-comma", b",5"),
    ("space-inside", b"1 0"),
    ("tab-inside", b"1\t0"),
    ("letters", b"five"),
    ("letter-behind", b"5a"),
    ("quote", b'"5"'),
    ("semicolon", b"5;"),
    ("empty", b""),
    ("blanks", b" \t"),
    ("list-different", b"5, 6"),
    ("list-semicolon", b"5; 5"),
    ("list-three-different", b"5, 5, 6"),
    ("list-with-empty", b"5,,5"),
    ("overflow-63", b"9223372036854775808"),
    ("overflow-64", b"18446744073709551616"),
    ("overflow-64-plus-5", b"18446744073709551621"),
    ("overflow-32-digits", b"1" * 32),
    ("thousand-digits", b"1" * 1000),
    ("fullwidth-digit", b"\xef\xbc\x95"),
    ("superscript", b"\xb2"),
    ("percent", b"%35"),
    ("parenthesis", b"(5)"),
    ("minus-zero", b"-0"),
    ("plus-zero", b"+0"),
    ("nan", b"NaN"),
    ("chunked", b"chunked"),
    ("equals", b"=5"),
    ("comment", b"5 (five)"),
    ("slash", b"5/1"),
)


def content_lengths():
    for name, value in LENGTHS:
        add(f"length/{name}", post(b"Content-Length: " + value, body=b"hello" + HIDDEN), MALFORMED)
    for name, byte in {**BAD_ANYWHERE, **BREAKS, **NOT_ASCII}.items():
        add(f"length/{name}-before", post(b"Content-Length: %c5" % byte, body=b"hello"), MALFORMED)
        add(f"length/{name}-behind", post(b"Content-Length: 5%c" % byte, body=b"hello"), MALFORMED)
        add(f"length/{name}-inside", post(b"Content-Length: 1%c0" % byte, body=b"hello"), MALFORMED)
    for name, lines in (
        ("different", (b"Content-Length: 5", b"Content-Length: 6")),
        ("different-case", (b"Content-Length: 5", b"content-length: 0")),
        ("zero-and-five", (b"Content-Length: 0", b"Content-Length: 5")),
        ("second-empty", (b"Content-Length: 5", b"Content-Length:")),
        ("second-invalid", (b"Content-Length: 5", b"Content-Length: x")),
        ("not-adjacent", (b"Content-Length: 5", b"A: b", b"Content-Length: 6")),
        ("three", (b"Content-Length: 5", b"Content-Length: 5", b"Content-Length: 6")),
        ("list-and-line", (b"Content-Length: 5, 5", b"Content-Length: 6")),
    ):
        add(f"length/twice-{name}", post(*lines, body=b"hello" + HIDDEN), MALFORMED)
    for name, lines in (
        ("equal", (b"Content-Length: 5", b"Content-Length: 5")),
        ("equal-other-case", (b"Content-Length: 5", b"content-length: 5")),
        ("equal-list", (b"Content-Length: 5, 5",)),
        ("equal-list-no-space", (b"Content-Length: 5,5",)),
        ("equal-three", (b"Content-Length: 5", b"Content-Length: 5", b"Content-Length: 5")),
        ("equal-not-adjacent", (b"Content-Length: 5", b"A: b", b"Content-Length: 5")),
    ):
        add(f"length/twice-{name}", post(*lines, body=b"hello"), AMBIGUOUS, body=b"hello")
    add(
        "length/twice-equal-and-a-request-behind",
        post(b"Content-Length: 5", b"Content-Length: 5", body=b"hello") + HIDDEN,
        AMBIGUOUS,
        body=b"hello",
        monitor="200? 200",
    )
    add("length/leading-zeros", post(b"Content-Length: 005", body=b"hello"), AMBIGUOUS, body=b"hello")
    add("length/leading-zero-octal", post(b"Content-Length: 010", body=b"helloworld"), AMBIGUOUS, body=b"helloworld")
    add("length/zero", post(b"Content-Length: 0"), COMPLIANT)
    add("length/five", post(b"Content-Length: 5", body=b"hello"), COMPLIANT, body=b"hello")
    add("length/upper-case-name", post(b"CONTENT-LENGTH: 5", body=b"hello"), COMPLIANT, body=b"hello")
    add("length/no-space", post(b"Content-Length:5", body=b"hello"), COMPLIANT, body=b"hello")
    add("length/blanks-around", post(b"Content-Length: \t5\t ", body=b"hello"), COMPLIANT, body=b"hello")
    add("length/missing-post", post(), COMPLIANT)
    add(
        "length/binary-body",
        post(b"Content-Length: 8", body=b"\0\r\n\r\n\xff\x80\n"),
        COMPLIANT,
        body=b"\0\r\n\r\n\xff\x80\n",
    )
    add(
        "length/body-looks-chunked",
        post(b"Content-Length: 10", body=b"5\r\nhello\r\n"),
        COMPLIANT,
        body=b"5\r\nhello\r\n",
    )
    add("length/max-63", post(b"Content-Length: 9223372036854775807", body=b"hello"), INCOMPLETE)
    add("length/body-short", post(b"Content-Length: 50", body=HIDDEN[:30]), INCOMPLETE)
    add("length/body-missing", post(b"Content-Length: 5"), INCOMPLETE)
    add(
        "length/nominated-by-connection",
        post(b"Connection: Content-Length", b"Content-Length: 5", body=b"hello"),
        ACCEPTABLE,
        body=b"hello",
    )
    add(
        "length/nominated-hides-request",
        post(b"Connection: content-length", b"Content-Length: %d" % len(HIDDEN), body=HIDDEN),
        ACCEPTABLE,
        body=HIDDEN,
    )


TRANSFER_CODINGS = (
    # name, lines, status
    ("identity", (b"Transfer-Encoding: identity",), "501"),
    ("gzip", (b"Transfer-Encoding: gzip",), "501"),
    ("xchunked", (b"Transfer-Encoding: xchunked",), "501"),
    ("chunkedx", (b"Transfer-Encoding: chunkedx",), "501"),
    ("chunk", (b"Transfer-Encoding: chunk",), "501"),
    ("cow", (b"Transfer-Encoding: cow",), "501"),
    ("gzip-chunked", (b"Transfer-Encoding: gzip, chunked",), "501"),
    ("identity-chunked", (b"Transfer-Encoding: identity, chunked",), "501"),
    ("chunked-gzip", (b"Transfer-Encoding: chunked, gzip",), "400"),
    ("chunked-identity", (b"Transfer-Encoding: chunked, identity",), "400"),
    ("chunked-chunked", (b"Transfer-Encoding: chunked, chunked",), "400"),
    ("chunked-comma", (b"Transfer-Encoding: chunked,",), "400"),
    ("comma-chunked", (b"Transfer-Encoding: ,chunked",), "400"),
    ("quoted", (b'Transfer-Encoding: "chunked"',), "400"),
    ("single-quoted", (b"Transfer-Encoding: 'chunked'",), "501"),
    ("empty", (b"Transfer-Encoding:",), "400"),
    ("blanks", (b"Transfer-Encoding: \t ",), "400"),
    ("comma-alone", (b"Transfer-Encoding: ,",), "400"),
    ("parameter", (b"Transfer-Encoding: chunked;a=b",), "400"),
    ("parameter-space", (b"Transfer-Encoding: chunked ; q=1",), "400"),
    ("semicolon", (b"Transfer-Encoding: chunked;",), "400"),
    ("colon", (b"Transfer-Encoding: :chunked",), "400"),
    ("equals", (b"Transfer-Encoding: =chunked",), "400"),
    ("two-words", (b"Transfer-Encoding: chunked foo",), "400"),
    ("space-inside", (b"Transfer-Encoding: chu nked",), "400"),
    ("long-s", (b"Transfer-Encoding: chun\xc5\xbfed",), "400"),
    ("kelvin-sign", (b"Transfer-Encoding: chun\xe2\x84\xaaed",), "400"),
    ("slash", (b"Transfer-Encoding: chunked/1",), "400"),
    ("space-before-colon", (b"Transfer-Encoding : chunked",), "400"),
    ("tab-before-colon", (b"Transfer-Encoding\t: chunked",), "400"),
    ("lf-before-colon", (b"Transfer-Encoding\n: chunked",), "400"),
    ("space-before-name", (b" Transfer-Encoding: chunked",), "400"),
    ("behind-bare-lf", (b"X: a\nTransfer-Encoding: chunked",), "400"),
    ("behind-bare-cr", (b"X: a\rTransfer-Encoding: chunked",), "400"),
    ("folded", (b"Transfer-Encoding:\r\n chunked",), "400"),
    ("folded-later", (b"Transfer-Encoding: chunked\r\n , identity",), "400"),
    ("twice-chunked", (b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"), "400"),
    ("twice-chunked-identity", (b"Transfer-Encoding: chunked", b"Transfer-Encoding: identity"), "400"),
    ("twice-identity-chunked", (b"Transfer-Encoding: identity", b"Transfer-Encoding: chunked"), "501"),
    ("twice-chunked-cow", (b"Transfer-Encoding: chunked", b"Transfer-encoding: cow"), "400"),
    ("twice-empty-chunked", (b"Transfer-Encoding:", b"Transfer-Encoding: chunked"), "400"),
    ("name-with-nul", (b"Transfer-Encoding\0: chunked",), "400"),
    ("name-with-bar", (b"Transfer-Encoding|: chunked", b"A\0: b"), "400"),
)


def transfer_encodings():
    hidden_in_chunk = b"5\r\nhello\r\n0\r\n\r\n" + HIDDEN
    for name, lines, status in TRANSFER_CODINGS:
        add(f"coding/{name}", post(*lines, body=hidden_in_chunk), MALFORMED, status=status)
        add(
            f"coding/{name}-and-length",
            post(b"Content-Length: 4", *lines, body=hidden_in_chunk),
            MALFORMED,
            status=status,
        )
        add(
            f"coding/length-and-{name}",
            post(*lines, b"Content-Length: 4", body=hidden_in_chunk),
            MALFORMED,
            status=status,
        )
    for name, byte in {**BAD_ANYWHERE, **BREAKS, **NOT_ASCII}.items():
        add(f"coding/{name}-before", post(b"Transfer-Encoding: %cchunked" % byte, body=hidden_in_chunk), MALFORMED)
        add(f"coding/{name}-behind", post(b"Transfer-Encoding: chunked%c" % byte, body=hidden_in_chunk), MALFORMED)
    for name, value in (
        ("chunked", b"chunked"),
        ("upper-case", b"CHUNKED"),
        ("mixed-case", b"cHuNkEd"),
        ("blanks-around", b"\t chunked \t"),
    ):
        add(
            f"coding/{name}",
            post(b"Transfer-Encoding: " + value, body=b"5\r\nhello\r\n0\r\n\r\n"),
            COMPLIANT,
            body=b"hello",
        )
    add("coding/upper-case-name", post(b"TRANSFER-ENCODING: chunked", body=b"0\r\n\r\n"), COMPLIANT)
    add("coding/1.0", post(b"Transfer-Encoding: chunked", body=hidden_in_chunk, version=b"1.0"), MALFORMED)
    add(
        "coding/1.0-keep-alive",
        post(b"Connection: keep-alive", b"Transfer-Encoding: chunked", body=hidden_in_chunk, version=b"1.0"),
        MALFORMED,
    )
    add(
        "coding/1.0-and-length",
        post(b"Content-Length: 4", b"Transfer-Encoding: chunked", body=hidden_in_chunk, version=b"1.0"),
        MALFORMED,
    )
    add("coding/1.0-identity", post(b"Transfer-Encoding: identity", body=b"", version=b"1.0"), MALFORMED, status="501")
    add(
        "coding/nominated-by-connection",
        post(b"Connection: Transfer-Encoding", b"Transfer-Encoding: chunked", body=b"5\r\nhello\r\n0\r\n\r\n"),
        COMPLIANT,
        body=b"hello",
    )
    add(
        "coding/te-field-is-no-coding",
        post(b"TE: chunked", b"Content-Length: 5", body=b"hello"),
        COMPLIANT,
        body=b"hello",
    )
    add("coding/body-missing", post(b"Transfer-Encoding: chunked"), INCOMPLETE)


def smuggling_pairs():
    last = b"0\r\n\r\n"
    cl_te = (b"Content-Length: %d" % len(last + HIDDEN), b"Transfer-Encoding: chunked")
    te_body = b"%x\r\n" % len(HIDDEN) + HIDDEN + b"\r\n" + last
    for name, body in (("hidden-behind-last-chunk", last), ("hidden-in-chunk", te_body)):
        content = b"" if body == last else HIDDEN
        for order in ("length-first", "coding-first"):
            for length in (b"4", b"0", b"%d" % len(body), b"9223372036854775807"):
                lines = (b"Content-Length: " + length, b"Transfer-Encoding: chunked")
                lines = lines if order == "length-first" else lines[::-1]
                add(f"smuggle/{order}-{length.decode()}-{name}", post(*lines, body=body), SEVERE, body=content)
    # Behind the chunked body stands what a recipient that goes by the length still takes for body.
    add("smuggle/cl-te", post(*cl_te, body=last + HIDDEN), SEVERE, monitor="200? 200")
    add("smuggle/te-cl", post(b"Transfer-Encoding: chunked", b"Content-Length: 4", body=te_body), SEVERE, body=HIDDEN)
    add(
        "smuggle/cl-cl-te",
        post(b"Content-Length: 5", b"Content-Length: 5", b"Transfer-Encoding: chunked", body=last),
        SEVERE,
    )
    add(
        "smuggle/cl-cl-different-te",
        post(b"Content-Length: 5", b"Content-Length: 6", b"Transfer-Encoding: chunked", body=last),
        MALFORMED,
    )
    add("smuggle/cl-te-get", head(*cl_te) + last + HIDDEN, SEVERE, monitor="200? 200")
    add(
        "smuggle/cl-zero-te",
        post(b"Content-Length: 0", b"Transfer-Encoding: chunked", body=te_body),
        SEVERE,
        body=HIDDEN,
    )
    add(
        "smuggle/cl-te-nominated",
        post(b"Connection: Transfer-Encoding", *cl_te, body=last + HIDDEN),
        SEVERE,
        monitor="200? 200",
    )
    add(
        "smuggle/cl-nominated-te",
        post(b"Connection: Content-Length", *cl_te, body=last + HIDDEN),
        SEVERE,
        monitor="200? 200",
    )
    add("smuggle/invalid-cl-te", post(b"Content-Length: x", b"Transfer-Encoding: chunked", body=last), MALFORMED)
    add("smuggle/empty-cl-te", post(b"Content-Length:", b"Transfer-Encoding: chunked", body=last), MALFORMED)
    add("smuggle/cl.0-post", post(b"Content-Length: %d" % len(HIDDEN), body=HIDDEN), COMPLIANT, body=HIDDEN)
    add(
        "smuggle/cl.0-post-keep-alive",
        post(b"Connection: keep-alive", b"Content-Length: %d" % len(HIDDEN), body=HIDDEN),
        COMPLIANT,
        body=HIDDEN,
    )
    add("smuggle/0.cl-honest-second", post(b"Content-Length: 0") + head(), COMPLIANT, served="200 200")
    add("smuggle/0.cl-space-before-colon", post(b"Content-Length : %d" % len(HIDDEN), body=HIDDEN), MALFORMED)
    add("smuggle/0.cl-folded", post(b"Content-Length:\r\n %d" % len(HIDDEN), body=HIDDEN), MALFORMED)
    add(
        "smuggle/0.cl-expect",
        post(b"Expect: 100-continue", b"Content-Length: %d" % len(HIDDEN), body=HIDDEN),
        COMPLIANT,
        body=HIDDEN,
    )
    add(
        "smuggle/0.cl-upgrade",
        post(b"Connection: Upgrade", b"Upgrade: websocket", b"Content-Length: %d" % len(HIDDEN), body=HIDDEN),
        ACCEPTABLE,
        body=HIDDEN,
    )
    add(
        "smuggle/0.te-upgrade",
        post(b"Connection: Upgrade", b"Upgrade: websocket", b"Transfer-Encoding: chunked", body=te_body),
        ACCEPTABLE,
        body=HIDDEN,
    )
    add(
        "smuggle/h2c-upgrade",
        head(b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA"),
        COMPLIANT,
    )
    add(
        "smuggle/cl.0-options",
        head(b"Content-Length: %d" % len(HIDDEN), line=b"OPTIONS * HTTP/1.1") + HIDDEN,
        ACCEPTABLE,
        body=HIDDEN,
    )
    add("smuggle/te.0-post", chunked(te_body), COMPLIANT, body=HIDDEN)
    add(
        "smuggle/te.0-options",
        head(b"Transfer-Encoding: chunked", line=b"OPTIONS /case HTTP/1.1") + te_body,
        ACCEPTABLE,
        body=HIDDEN,
    )
    for name, body in (
        ("in-extension", b"5;a=\r\nhello\r\n" + last),
        ("trailer", b"0\r\n" + HIDDEN.replace(b"\r\n\r\n", b"\r\n")[:-2]),
    ):
        if name == "in-extension":
            add(f"smuggle/te-{name}", chunked(body), COMPLIANT, body=b"hello")
        else:
            add(f"smuggle/te-{name}", chunked(body + b"\r\n\r\n"), MALFORMED)


CHUNK_SIZES = (
    ("empty", b""),
    ("sign", b"+5"),
    ("minus", b"-5"),
    ("prefix", b"0x5"),
    ("prefix-upper", b"0X5"),
    ("space-before", b" 5"),
    ("tab-before", b"\t5"),
    ("space-behind", b"5 "),
    ("tab-behind", b"5\t"),
    ("space-before-letter", b"5 a;b"),
    ("space-before-digit", b"5 5;b"),
    ("not-hex", b"g"),
    ("letter-behind", b"5g"),
    ("h", b"5h"),
    ("underscore", b"0_5"),
    ("comma", b"5,"),
    ("dot", b"5.0"),
    ("quote", b'"5"'),
    ("overflow-63", b"8000000000000000"),
    ("overflow-64", b"10000000000000005"),
    ("all-ones", b"FFFFFFFFFFFFFFFF"),
    ("seventeen-digits", b"0" * 16 + b"5"),
    ("many-zeros", b"0" * 500 + b"5"),
    ("percent", b"%35"),
    ("nul", b"\x005"),
    ("nul-behind", b"5\0"),
    ("cr-behind", b"5\r"),
    ("vertical-tab", b"5\v"),
    ("fullwidth", b"\xef\xbc\x95"),
    ("x80", b"\x805"),
    ("equals", b"5=a"),
    ("slash", b"5/1"),
    ("fraction", b"5e"),
    ("empty-with-extension", b";a=b"),
)


def chunk_framing():
    end = b"0\r\n\r\n"
    for name, size in CHUNK_SIZES:
        if name != "fraction":
            add(f"chunk-size/{name}", chunked(size + b"\r\nhello\r\n" + end), MALFORMED)
            add(
                f"chunk-size/{name}-later", chunked(b"3\r\nabc\r\n" + size + b"\r\nhello\r\n" + end + HIDDEN), MALFORMED
            )
    for name, size in (("leading-zeros", b"0005"), ("sixteen-digits", b"0" * 15 + b"5")):
        add(f"chunk-size/{name}", chunked(size + b"\r\nhello\r\n" + end), COMPLIANT, body=b"hello")
    add("chunk-size/lower-hex", chunked(b"a\r\n0123456789\r\n" + end), COMPLIANT, body=b"0123456789")
    add("chunk-size/upper-hex", chunked(b"A\r\n0123456789\r\n" + end), COMPLIANT, body=b"0123456789")
    add("chunk-size/last-with-many-zeros", chunked(b"5\r\nhello\r\n0000\r\n\r\n"), COMPLIANT, body=b"hello")
    add("chunk-size/max-63", chunked(b"7FFFFFFFFFFFFFFF\r\nhello"), INCOMPLETE)
    for name, line_end in (
        ("lf", b"\n"),
        ("cr", b"\r"),
        ("lf-cr", b"\n\r"),
        ("cr-cr-lf", b"\r\r\n"),
        ("space-crlf", b" \r\n"),
        ("none", b""),
    ):
        add(f"chunk-end/size-{name}", chunked(b"5" + line_end + b"hello\r\n" + end), MALFORMED)
        add(f"chunk-end/data-{name}", chunked(b"5\r\nhello" + line_end + end), MALFORMED)
        if name != "none":
            add(f"chunk-end/last-{name}", chunked(b"5\r\nhello\r\n0" + line_end + b"\r\nX"), MALFORMED)
            add(f"chunk-end/final-{name}", chunked(b"5\r\nhello\r\n0\r\n" + line_end + b"X"), MALFORMED)
    add("chunk-end/data-longer", chunked(b"5\r\nhello!\r\n" + end), MALFORMED)
    add("chunk-end/data-shorter", chunked(b"5\r\nhell\r\n" + end), MALFORMED)
    add("chunk-end/two-bytes-instead", chunked(b"5\r\nhelloXX" + end), MALFORMED)
    add("chunk-end/hidden-behind-two-bytes", chunked(b"5\r\nhelloXX0\r\n\r\n" + HIDDEN), MALFORMED)
    for name, byte in {**BAD_ANYWHERE, **NOT_ASCII}.items():
        add(f"chunk-end/{name}-behind-data", chunked(b"5\r\nhello%c\r\n" % byte + end), MALFORMED)
    for name, cut in (
        ("size", b"5"),
        ("size-cr", b"5\r"),
        ("size-line", b"5\r\n"),
        ("data", b"5\r\nhel"),
        ("data-end", b"5\r\nhello"),
        ("chunk", b"5\r\nhello\r\n"),
        ("last-size", b"5\r\nhello\r\n0"),
        ("last-line", b"5\r\nhello\r\n0\r\n"),
        ("last-cr", b"5\r\nhello\r\n0\r\n\r"),
        ("trailer", b"5\r\nhello\r\n0\r\nA: b\r\n"),
        ("extension", b"5;a=b"),
    ):
        add(f"chunk-cut/behind-{name}", chunked(cut), INCOMPLETE)
    add("chunk-data/binary", chunked(b"8\r\n\0\r\n\r\n\xff\x80\n\r\n" + end), COMPLIANT, body=b"\0\r\n\r\n\xff\x80\n")
    add("chunk-data/looks-like-last-chunk", chunked(b"5\r\n0\r\n\r\n\r\n" + end), COMPLIANT, body=b"0\r\n\r\n")
    add(
        "chunk-data/one-byte-chunks",
        chunked(b"".join(b"1\r\n%c\r\n" % c for c in b"hello") + end),
        COMPLIANT,
        body=b"hello",
    )
    add("chunk-data/empty-body", chunked(end), COMPLIANT)
    add(
        "chunk-data/behind-the-end",
        chunked(b"5\r\nhello\r\n" + end + b"hello"),
        COMPLIANT,
        served="200 -",
        body=b"hello",
    )


def chunk_extensions():
    end = b"0\r\n\r\n"
    for name, extension in (
        ("name", b";a"),
        ("name-value", b";a=b"),
        ("two", b";a=b;c=d"),
        ("quoted", b';a="b;c"'),
        ("quoted-escape", b';a="b\\"c"'),
        ("quoted-tab", b';a="b\tc"'),
        ("non-ascii", b";a=\xe9"),
        ("blanks-before", b" \t ;a"),
        ("long", b";a=" + b"b" * 1000),
    ):
        add(f"chunk-extension/{name}", chunked(b"5" + extension + b"\r\nhello\r\n" + end), COMPLIANT, body=b"hello")
        add(
            f"chunk-extension/last-{name}",
            chunked(b"5\r\nhello\r\n0" + extension + b"\r\n\r\n"),
            COMPLIANT,
            body=b"hello",
        )
    for name, byte in {**BAD_ANYWHERE, **BREAKS}.items():
        add(f"chunk-extension/{name}-inside", chunked(b"5;a=b%cc\r\nhello\r\n" % byte + end), MALFORMED)
        add(f"chunk-extension/{name}-quoted", chunked(b'5;a="b%cc"\r\nhello\r\n' % byte + end), MALFORMED)
    add("chunk-extension/quoted-crlf", chunked(b'5;a="b\r\nhello\r\n0\r\n\r\n"\r\nhello\r\n' + end), MALFORMED)
    add("chunk-extension/lf-hides-size", chunked(b"5;\n0\r\n\r\n" + HIDDEN), MALFORMED)
    add("chunk-extension/cr-hides-size", chunked(b"2;\rxx\r\n4c\r\n0\r\n\r\n" + HIDDEN), MALFORMED)
    add("chunk-extension/too-large", chunked(b"5;" + b"a" * 17000 + b"\r\nhello\r\n" + end), MALFORMED)
    add("chunk-extension/too-many", chunked((b"1;" + b"a" * 1000 + b"\r\nx\r\n") * 17 + end), MALFORMED)


TRAILERS_REFUSED = (
    b"Content-Length: 5",
    b"Transfer-Encoding: chunked",
    b"Host: evil",
    b"Connection: close",
    b"Upgrade: websocket",
    b"TE: trailers",
    b"Trailer: a",
    b"Content-Length: 0",
)


def trailers():
    def with_trailer(*lines):
        return chunked(b"5\r\nhello\r\n0\r\n" + b"".join(line + b"\r\n" for line in lines) + b"\r\n")

    for name, lines in (
        ("one", (b"A: b",)),
        ("two", (b"A: b", b"C: d")),
        ("empty-value", (b"A:",)),
        ("checksum", (b"X-Checksum: abc",)),
        ("authorization-is-dropped", (b"Authorization: Basic eDp5",)),
        ("cookie-is-dropped", (b"Cookie: a=b",)),
        ("forwarded-is-dropped", (b"X-Forwarded-For: 6.6.6.6",)),
        ("alias-is-dropped", (b"X_Forwarded_For: 6.6.6.6",)),
        ("content-type-is-dropped", (b"Content-Type: text/evil",)),
    ):
        add(f"trailer/{name}", with_trailer(*lines), COMPLIANT, body=b"hello")
    for line in TRAILERS_REFUSED[:-1]:
        add(f"trailer/names-{line.split(b':')[0].decode().lower()}", with_trailer(line), MALFORMED)
    for name, byte in {**BAD_ANYWHERE, **NOT_ASCII, **BREAKS, **BLANKS}.items():
        add(f"trailer/{name}-in-name", with_trailer(b"X-%cA: b" % byte), MALFORMED)
        if byte < 0x80 and name not in BLANKS:
            add(f"trailer/{name}-in-value", with_trailer(b"X-A: b%cc" % byte), MALFORMED)
    for name, line in (
        ("space-before-colon", b"A : b"),
        ("no-colon", b"A b"),
        ("empty-name", b": b"),
        ("folded", b"A: b\r\n c"),
        ("space-first", b" A: b"),
        ("request-line", b"GET /smuggled HTTP/1.1"),
    ):
        add(f"trailer/{name}", with_trailer(line), MALFORMED)
    add("trailer/too-large", with_trailer(b"A: " + b"b" * 9000), MALFORMED)
    add("trailer/too-many", with_trailer(*[b"A: b"] * 2000), MALFORMED)


def connections():
    for name, value, kind in (
        ("x-forwarded-for", b"X-Forwarded-For", ACCEPTABLE),
        ("authorization", b"Authorization", ACCEPTABLE),
        ("cookie", b"close, Cookie", ACCEPTABLE),
        ("x-forwarded-proto", b"keep-alive, X-Forwarded-Proto", ACCEPTABLE),
        ("via", b"Via", ACCEPTABLE),
        ("unknown", b"X-Unknown", COMPLIANT),
        ("te", b"TE", COMPLIANT),
        ("empty-element", b"keep-alive,, X-A", ACCEPTABLE),
        ("keep-alive", b"keep-alive", COMPLIANT),
        ("close", b"close", COMPLIANT),
        ("upper-close", b"CLOSE", COMPLIANT),
    ):
        closes = b"close" in value.lower()
        add(
            f"connection/{name}",
            head(b"Connection: " + value, b"X-Unknown: b"),
            kind,
            served="200!" if closes else "200",
        )
    for name, value in (
        ("space-inside", b"keep alive"),
        ("quoted", b'"close"'),
        ("semicolon", b"close; a"),
        ("slash", b"a/b"),
        ("colon", b"close:"),
        ("equals", b"a=b"),
        ("non-ascii", b"clos\xe9"),
        ("hundred-options", b",".join([b"a"] * 100)),
    ):
        add(f"connection/{name}", head(b"Connection: " + value), MALFORMED)
    add("connection/proxy-connection", head(b"Proxy-Connection: close"), COMPLIANT)
    add("connection/keep-alive-field", head(b"Keep-Alive: timeout=5"), COMPLIANT)
    add(
        "expect/100-continue",
        post(b"Expect: 100-continue", b"Content-Length: 5", body=b"hello"),
        COMPLIANT,
        body=b"hello",
    )
    add(
        "expect/100-continue-chunked",
        post(b"Expect: 100-Continue", b"Transfer-Encoding: chunked", body=b"5\r\nhello\r\n0\r\n\r\n"),
        COMPLIANT,
        body=b"hello",
    )
    add("expect/without-body", head(b"Expect: 100-continue"), COMPLIANT)
    add(
        "expect/1.0",
        post(b"Expect: 100-continue", b"Content-Length: 5", body=b"hello", version=b"1.0"),
        COMPLIANT,
        served="200!",
        body=b"hello",
    )
    for name, cut in (
        ("method", b"GE"),
        ("request-line", b"GET /case HTTP/1.1\r\n"),
        ("host", b"GET /case HTTP/1.1\r\n" + HOST),
        ("last-cr", head()[:-1]),
        ("value", b"GET /case HTTP/1.1\r\nHost: exa"),
    ):
        add(f"cut/in-{name}", cut, INCOMPLETE)


def cases():
    for section in (
        line_ends,
        before_the_request,
        not_http,
        methods,
        targets,
        versions,
        field_lines,
        hosts,
        content_lengths,
        transfer_encodings,
        smuggling_pairs,
        chunk_framing,
        chunk_extensions,
        trailers,
        connections,
    ):
        section()
    return made
