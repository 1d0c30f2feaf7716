"""Reads HTTP/1.1 by its own narrow rules (RFC 9112 without any leniency), shares no code with the proxy, and is
stricter than it: what passes here no recipient can read in two ways. Slow and simple on purpose."""
import collections
import re

TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
REQUEST_LINE = re.compile(rb"(%s) (/[!-~]*|\*) HTTP/1\.1" % TOKEN)
STATUS_LINE = re.compile(rb"HTTP/1\.1 ([1-5][0-9][0-9])(?: [\t -~\x80-\xff]*)?")
FIELD = re.compile(rb"(%s):[\t ]*((?:[!-~\x80-\xff](?:[\t -~\x80-\xff]*[!-~\x80-\xff])?)?)[\t ]*" % TOKEN)
AUTHORITY = re.compile(rb"(?:[0-9A-Za-z\-._~]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{0,5})?")
CHUNK_SIZE = re.compile(rb"[0-9A-Fa-f]{1,15}")
# A recipient that takes '_' for '-' must not find another framing or another sender there.
FRAMING_ALIAS = re.compile(
    rb"(?i)content[-_]length|transfer[-_]encoding|x[-_]forwarded[-_](?:for|proto|host|port)|x[-_]real[-_]ip"
)
NOT_IN_TRAILERS = (
    b"content-length",
    b"transfer-encoding",
    b"host",
    b"connection",
    b"upgrade",
    b"te",
    b"trailer",
    b"authorization",
    b"cookie",
    b"x-forwarded-for",
    b"content-type",
    b"set-cookie",
)

Request = collections.namedtuple("Request", "method target fields body trailers head")
Response = collections.namedtuple("Response", "status fields body is_until_close")


class Malformed(Exception):
    """These bytes are not one well-formed message, whatever may follow."""


class _Short(Exception):
    """More bytes could make it one."""


def values(message, name):
    return [value for key, value in message.fields if key.lower() == name]


def _insist(condition, why):
    if not condition:
        raise Malformed(why)


def _take_line(data, at):
    end = data.find(b"\n", at)
    if end < 0:
        _insist(b"\r" not in data[at:-1], "CR inside a line")
        raise _Short()
    _insist(end > at and data[end - 1 : end] == b"\r", f"line ends in a bare LF: {data[at:end + 1]!r}")
    line = data[at : end - 1]
    _insist(b"\r" not in line, f"CR inside a line: {line!r}")
    return line, end + 1


def _take_fields(data, at):
    fields = []
    while True:
        line, at = _take_line(data, at)
        if not line:
            return fields, at
        found = FIELD.fullmatch(line)
        _insist(found, f"field line {line!r}")
        fields.append(found.groups())


def _take_chunked(data, at):
    body = b""
    while True:
        line, at = _take_line(data, at)
        _insist(CHUNK_SIZE.fullmatch(line), f"chunk size {line!r}")
        size = int(line, 16)
        if size == 0:
            trailers, at = _take_fields(data, at)
            for name, _ in trailers:
                _insist(name.lower().replace(b"_", b"-") not in NOT_IN_TRAILERS, f"trailer {name!r}")
            return body, trailers, at
        if len(data) < at + size + 2:
            _insist(data[at + size : at + size + 2] in (b"", b"\r"), "chunk data is not followed by CRLF")
            raise _Short()
        _insist(data[at + size : at + size + 2] == b"\r\n", "chunk data is not followed by CRLF")
        body += data[at : at + size]
        at += size + 2


def _framing(fields):
    """(coding is chunked, length or None)."""
    lengths = [value for name, value in fields if name.lower() == b"content-length"]
    codings = [value for name, value in fields if name.lower() == b"transfer-encoding"]
    _insist(len(lengths) + len(codings) <= 1, f"framing fields {lengths} {codings}")
    _insist(all(re.fullmatch(rb"0|[1-9][0-9]{0,18}", value) for value in lengths), f"Content-Length {lengths}")
    _insist(all(value.lower() == b"chunked" for value in codings), f"Transfer-Encoding {codings}")
    return bool(codings), int(lengths[0]) if lengths else None


def _take_length(data, at, length):
    if len(data) < at + length:
        raise _Short()
    return data[at : at + length], [], at + length


def read_request(data):
    """(request, what is behind it), or None: not all of it is there. Raises Malformed."""
    try:
        line, at = _take_line(data, 0)
        found = REQUEST_LINE.fullmatch(line)
        _insist(found, f"request line {line!r}")
        fields, at = _take_fields(data, at)
        hosts = [value for name, value in fields if name.lower() == b"host"]
        _insist(len(hosts) == 1, f"Host lines {hosts}")
        _insist(not hosts[0] or AUTHORITY.fullmatch(hosts[0]), f"Host {hosts[0]!r}")
        for name, _ in fields:
            _insist(b"_" not in name or not FRAMING_ALIAS.fullmatch(name), f"alias {name!r}")
        is_chunked, length = _framing(fields)
        head = data[:at]
        body, trailers, at = _take_chunked(data, at) if is_chunked else _take_length(data, at, length or 0)
        return Request(*found.groups(), fields, body, trailers, head), data[at:]
    except _Short:
        return None


def read_response(data, is_head_request=False, has_ended=False):
    """(response, what is behind it), or None: not all of it is there. Raises Malformed. A response without a length
    ends with the connection: when has_ended."""
    try:
        line, at = _take_line(data, 0)
        found = STATUS_LINE.fullmatch(line)
        _insist(found, f"status line {line!r}")
        status = int(found.group(1))
        fields, at = _take_fields(data, at)
        is_chunked, length = _framing(fields)
        _insist(
            (not is_chunked and length is None) or (status >= 200 and status != 204),
            f"framing fields with status {status}",
        )
        is_until_close = not is_chunked and length is None
        if is_head_request or status < 200 or status in (204, 304):
            body, is_until_close = b"", False
        elif is_chunked:
            body, _, at = _take_chunked(data, at)
        elif is_until_close:
            if not has_ended:
                raise _Short()
            body, at = data[at:], len(data)
        else:
            body, _, at = _take_length(data, at, length)
        return Response(status, fields, body, is_until_close), data[at:]
    except _Short:
        return None
