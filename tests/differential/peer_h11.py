"""What python3-h11 reads, in the form of peer_llhttp.js."""
try:
    import h11
except ImportError:
    h11 = None

HEAD_BYTES_MAX = 65536


def is_installed():
    return h11 is not None


def _server():
    return h11.Connection(h11.SERVER, max_incomplete_event_size=HEAD_BYTES_MAX)


def _client(method):
    connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=HEAD_BYTES_MAX)
    connection.send(h11.Request(method=method, target="/", headers=[("Host", "a")]))
    connection.send(h11.EndOfMessage())
    return connection


def _head(event):
    told = {
        "minor": int(event.http_version.split(b".")[1]),
        "fields": list(event.headers.raw_items()),
        "body": b"",
        "trailers": [],
    }
    if isinstance(event, h11.Request):
        told.update(method=event.method, target=event.target)
    else:
        told.update(status=event.status_code, reason=bytes(event.reason))
    return told


def _read_one(connection, told):
    """One message and the interim ones before it. True: there may be more behind it."""
    current = None
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA or event is h11.PAUSED or isinstance(event, h11.ConnectionClosed):
            told["end"] = "more" if current or connection.trailing_data[0] else "end"
            return False
        if isinstance(event, (h11.Request, h11.Response)):
            current = _head(event)
        elif isinstance(event, h11.InformationalResponse):
            told["messages"].append(_head(event))
            if event.status_code == 101:
                return False
        elif isinstance(event, h11.Data):
            current["body"] += bytes(event.data)
        elif isinstance(event, h11.EndOfMessage):
            current["trailers"] = list(event.headers.raw_items())
            told["messages"].append(current)
            return True


def read(kind, data):
    told = {"messages": [], "end": "end", "why": ""}
    try:
        while data or not told["messages"]:
            connection = _server() if kind == b"q" else _client("HEAD" if kind == b"h" else "GET")
            connection.receive_data(data)
            if kind != b"q":
                connection.receive_data(b"")
            if not _read_one(connection, told) or kind != b"q":
                break
            data = connection.trailing_data[0]
    except h11.RemoteProtocolError as error:
        told["end"], told["why"] = "bad", str(error)
    return told
